"""Seconds per phase and peak memory of whole builds: ``python -m benchmarks.build_time --json FILE``.

Each build runs in a process of its own with an empty cache, so that peak memory is its own and nothing is reused.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import network
from fpgaq import toolchain
from fpgaq.progress import Progress

WORK = Path("build/benchmarks/build_time").resolve()
SAMPLES = 256
BUILDS = ("digits_mlp", "int6_mlp")


def main() -> int:
    """Time the builds, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--builds", nargs="+", choices=BUILDS, default=list(BUILDS))
    parser.add_argument("--one", choices=BUILDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_build(options.one)))
        return 0
    result: dict[str, Any] = {"versions": toolchain.versions(), "cpus": os.cpu_count(), "builds": {}}
    for name in options.builds:
        result["builds"][name] = _in_process(name)
        print(name, json.dumps(result["builds"][name]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _in_process(name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as cache:
        started = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.build_time", "--one", name]
        run = subprocess.run(
            command, env=os.environ | {"FPGAQ_CACHE": cache}, capture_output=True, text=True, check=False
        )
        if run.returncode:
            raise RuntimeError(f"the build of {name} failed:\n{run.stderr[-2000:]}")
        found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    # More load than the build's own two or so jobs makes every figure too large.
    return found | {"wall_seconds": round(time.monotonic() - started, 1), "load_average": round(os.getloadavg()[0], 1)}


def _build(name: str) -> dict[str, Any]:
    with _quiet():
        seconds = _digits() if name == "digits_mlp" else _int6()
    # Kilobytes on Linux. Of the tools, the largest one that was waited for; a process counts from its fork, so this is
    # never less than what Python had then.
    peak = {
        who: round(resource.getrusage(code).ru_maxrss / 1024)
        for who, code in (("python_mib", resource.RUSAGE_SELF), ("largest_tool_mib", resource.RUSAGE_CHILDREN))
    }
    return {"seconds": seconds, **peak}


@contextmanager
def _quiet() -> Iterator[None]:
    """Send what libraries print to standard error."""
    kept, sys.stdout = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout = kept


def _digits() -> dict[str, float]:
    """A design folder: everything that ``fpgaq build`` does. Phases overlap."""
    from fpgaq.build import build_design

    progress = Progress()
    build_design(Path("designs/digits_mlp"), WORK / "digits_mlp", progress)
    return progress.seconds


def _int6() -> dict[str, float]:
    """The 6-bit MLP from its integer graph: no Keras model, no C++; phases one after the other."""
    from fpgaq.cosim import Simulation
    from fpgaq.rtl.hardware import make_hardware
    from fpgaq.synth import synthesize

    progress = Progress()
    layers = network.make_layers("int6")
    x = network.stimuli(SAMPLES)
    with progress.phase("hardware", "adder graphs, registers, text"):
        hardware = make_hardware(network.make_graph(layers), 5.0, "xc7")
        sources = hardware.write(WORK / "int6_mlp" / "rtl")
    top = hardware.graph.name
    simulation = Simulation(sources, top, WORK / "int6_mlp" / "sim" / str(os.getpid()))
    with progress.phase("compile", "Verilator model"):
        simulation.build()
    width = network.INPUT.width
    words = [sum((int(v) & (1 << width) - 1) << (width * i) for i, v in enumerate(row)) for row in x]
    with progress.phase("simulate", "SystemVerilog = reference"):
        found = simulation.run({"s_axis": words}, ["m_axis"], seed=1, span=len(words) // 2).stream
        _compare(found.words["m_axis"], hardware.outputs[0].width, network.reference(layers, x).tolist())
    with progress.phase("synth", "yosys"):
        names = [block.hardware.name for block in hardware.blocks]
        synthesize(sources, top, names, work=WORK / "int6_mlp" / "synth")
    return progress.seconds


def _compare(words: list[int], width: int, want: list[list[int]]) -> None:
    for word, row in zip(words, want, strict=True):
        if [(word >> (width * i)) & ((1 << width) - 1) for i in range(len(row))] != [
            v & ((1 << width) - 1) for v in row
        ]:
            raise RuntimeError("the SystemVerilog does not compute the reference")


if __name__ == "__main__":
    sys.exit(main())
