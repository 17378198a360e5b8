"""Vector simulation: inputs in, outputs out, one Verilator build; for sources and for the netlists made from them.

Nothing but ports is driven, so the same call runs a module before and after synthesis. Benches with handshakes, stalls
and resets live in `sim/`; this is the quick comparison under them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fpgaq import toolchain
from fpgaq.errors import ToolError
from fpgaq.verilator import place_runtime

_MAIN = """\
#include "Vtop.h"
#include "verilated.h"
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

// Ports of up to 64 bits are integers, wider ones arrays of 32-bit words, lowest first. Values travel as hex digits.
template <class T> void put(T& port, const std::string& hex) {
  port = static_cast<T>(std::strtoull(hex.c_str(), 0, 16));
}
template <std::size_t N> void put(VlWide<N>& port, const std::string& hex) {
  for (std::size_t i = 0; i < N; ++i) {
    const std::size_t end = hex.size() > 8 * i ? hex.size() - 8 * i : 0;
    const std::size_t start = end > 8 ? end - 8 : 0;
    port[i] = end ? static_cast<EData>(std::strtoul(hex.substr(start, end - start).c_str(), 0, 16)) : 0;
  }
}
template <class T> void get(const T& port) { std::printf(" %llx", static_cast<unsigned long long>(port)); }
template <std::size_t N> void get(const VlWide<N>& port) {
  std::printf(" ");
  for (std::size_t i = N; i-- > 0;) std::printf("%08x", port[i]);
}

int main() {
  VerilatedContext context;
  Vtop top{&context};
  std::string word;
  while (std::cin >> word) {
@BODY@
    std::printf("\\n");
  }
}
"""

# Cell models are not ours to lint: yosys' files have timing blocks, and flat netlists look like loops to Verilator.
_QUIET = (
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "-Wno-SPECIFYIGN",
    "-Wno-TIMESCALEMOD",
    "-Wno-MULTITOP",
    "-Wno-UNOPTFLAT",
)


def simulate(
    sources: Sequence[Path],
    top: str,
    vectors: Iterable[Mapping[str, int]],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    work: Path,
    clock: str | None = None,
) -> list[dict[str, int]]:
    """Apply input vectors to a module and return what its outputs show.

    Parameters
    ----------
    sources
        Verilog or SystemVerilog files; for a netlist, its path and its models.
    top
        The module.
    vectors
        Input port -> value, as unsigned integers; one vector per clock cycle.
    inputs, outputs
        Names of the ports to drive and to read, without the clock.
    work
        Folder for the build; made if missing.
    clock
        Clock port, or None for a combinational module. Outputs are read with the vector applied, before its edge.

    Raises
    ------
    ToolError
        Verilator, the C++ compiler or the simulation failed; the message holds the end of the log.
    """
    work.mkdir(parents=True, exist_ok=True)
    (work / "main.cpp").write_text(_MAIN.replace("@BODY@", _body(inputs, outputs, clock)))
    env = toolchain.environment()
    command = [str(toolchain.verilator()), "--cc", "--exe", "--build", *_QUIET, "--x-initial", "0", "--prefix", "Vtop"]
    for kind in ("FAST", "SLOW", "GLOBAL"):  # compiling takes longer than running: no optimization
        command += ["-MAKEFLAGS", f"OPT_{kind}=-O0"]
    command += ["--top-module", top, "-Mdir", "obj", "-o", "simulation", "main.cpp"]
    (work / "obj").mkdir(exist_ok=True)
    place_runtime(work / "obj")
    _run([*command, *(str(Path(source).resolve()) for source in sources)], work, env)
    lines = [" ".join(f"{vector[name]:x}" for name in inputs) for vector in vectors]
    text = _run([str((work / "obj" / "simulation").resolve())], work, env, "\n".join(lines))
    found = [dict(zip(outputs, (int(word, 16) for word in line.split()), strict=True)) for line in text.splitlines()]
    if len(found) != len(lines):
        raise ToolError(f"Simulation of module '{top}' answered {len(found)} of {len(lines)} vectors.")
    return found


def _body(inputs: Sequence[str], outputs: Sequence[str], clock: str | None) -> str:
    steps = ["" if i == 0 else "std::cin >> word; " for i in range(len(inputs))]
    code = [f"{step}put(top.{name}, word);" for step, name in zip(steps, inputs, strict=True)]
    if clock:
        code.append(f"top.{clock} = 0;")
    code.append("top.eval();")
    code += [f"get(top.{name});" for name in outputs]
    if clock:
        code.append(f"top.{clock} = 1; top.eval();")
    return "\n".join(f"    {line}" for line in code)


def _run(command: Sequence[str], folder: Path, env: Mapping[str, str], text: str = "") -> str:
    run = subprocess.run(command, cwd=folder, env=env, input=text, capture_output=True, text=True, check=False)
    if run.returncode:
        said = "\n".join((run.stdout + run.stderr).splitlines()[-15:])
        raise ToolError(f"'{Path(command[0]).name}' failed with exit status {run.returncode} in {folder}:\n{said}")
    return run.stdout
