"""A compiled Verilator model and the cocotb bench around it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpgaq import cache, resources, toolchain
from fpgaq.errors import ToolError
from fpgaq.processes import run_logged

#: Samples that are also sent under random stalls, and again after a reset in mid-stream.
STALLED_SAMPLES = 100
_COMPILE_FLAGS = ("-CFLAGS", "-O1")


@dataclass(frozen=True)
class Observation:
    """What came out of one pass over the stream.

    Parameters
    ----------
    words : list of int
        Output words in order.
    complete : bool
        Whether as many came out as went in.
    lasts_equal : bool
        Whether tlast stayed with its vector.
    accepted, cycles : list of int
        Clock of every transfer at the input and at the output.
    probes : list of list of int
        Words that flowed into each block of the chain, and out of the last one.
    """

    words: list[int]
    complete: bool
    lasts_equal: bool
    accepted: list[int]
    cycles: list[int]
    probes: list[list[int]]

    @property
    def latency(self) -> int | None:
        """Cycles from the first vector accepted to its result."""
        return self.cycles[0] - self.accepted[0] if self.cycles else None

    @property
    def ii(self) -> int | None:
        """Cycles between results when vectors wait at the input; None for a single one."""
        gaps = {b - a for a, b in zip(self.cycles, self.cycles[1:], strict=False)}
        return max(gaps) if gaps else None


@dataclass(frozen=True)
class SimulationResult:
    """The passes of one simulation.

    `stream` is back to back; `stalled` under random stalls on both sides; `after_reset` follows a reset in mid-stream,
    after which `stale` results were offered that should have been dropped.
    """

    stream: Observation
    stalled: Observation | None
    after_reset: Observation | None
    stale: int


class _Runtime:
    """Object files that are the same for every design, compiled once per version of the tools.

    They take three quarters of the compile time of a small design.
    """

    # Not verilator.o: cocotb's main program is compiled against the model's own class.
    _OBJECTS = ("verilated.o", "verilated_dpi.o", "verilated_threads.o", "verilated_vpi.o")

    def __init__(self) -> None:
        versions = toolchain.versions()
        facts = "-".join(versions[tool] for tool in ("verilator", "cocotb", "g++"))
        flags = hashlib.sha256(" ".join(_COMPILE_FLAGS).encode()).hexdigest()[:8]
        self.folder = cache.folder(f"verilator-runtime/{facts}-{flags}")

    def provide(self, work: Path) -> None:
        """Put cached objects where make finds them up to date."""
        for name in self._OBJECTS:
            if (self.folder / name).is_file():
                shutil.copy(self.folder / name, work / name)

    def keep(self, work: Path) -> None:
        """Store objects that were compiled; another process may do the same at the same time."""
        for name in self._OBJECTS:
            if not (self.folder / name).is_file():
                partial = self.folder / f"{name}.{os.getpid()}"
                shutil.copy(work / name, partial)
                partial.rename(self.folder / name)


class Simulation:
    """A design compiled for simulation.

    Parameters
    ----------
    sources : sequence of Path
        SystemVerilog files.
    top : str
        Top module with the AXI-Stream ports of a fpgaq design.
    work : Path
        Folder for the compiled model; reused when the sources have not changed.
    """

    def __init__(self, sources: Sequence[Path], top: str, work: Path) -> None:
        self.sources = [Path(s) for s in sources]
        self.top = top
        self.work = work

    def build(self) -> None:
        """Compile the model.

        Raises
        ------
        ToolError
            If Verilator or the C++ compiler fails; the message holds the end of the log.
        """
        stamp = self.work / "fpgaq.stamp"
        key = self._key()
        if stamp.is_file() and stamp.read_text() == key:
            return
        self.work.mkdir(parents=True, exist_ok=True)
        control = self.work / "public.vlt"
        # Only the top's own signals are visible to the bench; making everything public costs minutes on large designs.
        control.write_text(f'`verilator_config\npublic_flat_rw -module "{self.top}" -var "*"\n')
        import cocotb_tools.config

        libs = cocotb_tools.config.libs_dir
        command = [
            str(toolchain.verilator()),
            *("-cc", "--exe", "--vpi", "--prefix", "Vtop", "-o", self.top, "--top-module", self.top),
            *("-Mdir", str(self.work), "-Wno-fatal", "--timescale", "1ns/1ps", "-O3", "--x-assign", "fast"),
            *("--x-initial", "unique", "--output-split", "20000", "--output-split-cfuncs", "2000"),
            *_COMPILE_FLAGS,
            *("-LDFLAGS", f"-Wl,-rpath,{libs} -L{libs} -lcocotbvpi_verilator"),
            str(control),
            str(cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"),
            *map(str, self.sources),
        ]
        environment = toolchain.environment()
        run_logged(command, self.work / "verilate.log", "Verilator", env=environment)
        runtime = _Runtime()
        runtime.provide(self.work)
        make = [str(toolchain.make()), "-j2", "-C", str(self.work), "-f", "Vtop.mk"]
        run_logged(make, self.work / "compile.log", "the C++ build of the Verilator model", env=environment)
        runtime.keep(self.work)
        stamp.write_text(key)

    def _key(self) -> str:
        digest = hashlib.sha256(self.top.encode())
        for source in self.sources:
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
        return digest.hexdigest()

    def run(
        self,
        words: Sequence[int],
        *,
        seed: int,
        reset_after: int,
        probes: int = 0,
        stalled_samples: int = STALLED_SAMPLES,
    ) -> SimulationResult:
        """Simulate.

        Parameters
        ----------
        words : sequence of int
            Input beats.
        seed : int
            Of stalls, tlast and the initial state of registers.
        reset_after : int
            Cycles after which the stream is abandoned by a reset.
        probes : int
            Number of ``valid_k/ready_k/data_k`` triples of the top to record.
        stalled_samples : int
            How many words are also sent under stalls and after a reset.

        Raises
        ------
        ToolError
            If the simulator dies or the bench finds the protocol of the output violated.
        """
        self.build()
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.work) as folder:
            job, result = Path(folder, "job.json"), Path(folder, "result.json")
            job.write_text(
                json.dumps(
                    {
                        "words": [format(w, "x") for w in words],
                        "seed": seed,
                        "probes": probes,
                        "stalled_samples": min(stalled_samples, len(words)),
                        "reset_after": reset_after,
                        "result": str(result),
                    }
                )
            )
            log = self.work / "simulate.log"
            arguments = [str(self.work / self.top), f"+verilator+seed+{seed + 1}", "+verilator+rand+reset+2"]
            run_logged(arguments, log, "the simulation", env=self._environment(job, Path(folder)), cwd=Path(folder))
            if not result.is_file():
                raise ToolError(f"the simulation of {self.top} stopped early; the end of {log}:\n{_failure(log)}")
            return _result(json.loads(result.read_text()))

    def _environment(self, job: Path, folder: Path) -> dict[str, str]:
        # What cocotb's own runner sets; it cannot be used as it is because it makes every signal of the design public.
        import cocotb_tools.config
        import find_libpython

        env = toolchain.environment()
        python_path = [str(resources.benches()), *filter(None, sys.path)]
        users = (find_libpython.find_libpython(), cocotb_tools.config.pygpi_entry_point())
        env |= {
            "FPGAQ_JOB": str(job),
            "PYTHONPATH": os.pathsep.join(python_path),
            "COCOTB_TEST_MODULES": "axis_stream",
            "COCOTB_TOPLEVEL": self.top,
            "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
            "COCOTB_TRUST_INERTIAL_WRITES": "1",
            "COCOTB_ANSI_OUTPUT": "0",
            "TOPLEVEL_LANG": "verilog",
            "GPI_USERS": ";".join(map(str, users)),
            "PYGPI_PYTHON_BIN": sys.executable,
        }
        return env


def _failure(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    marked = [line.strip() for line in lines if "AssertionError" in line or "Error" in line]
    return "\n".join(marked[-3:] or lines[-15:])


def _result(data: dict[str, Any]) -> SimulationResult:
    def observation(name: str) -> Observation | None:
        raw = data.get(name)
        if raw is None:
            return None
        return Observation(
            words=[int(w, 16) for w in raw["words"]],
            complete=raw["complete"],
            lasts_equal=raw["lasts_equal"],
            accepted=raw["accepted"],
            cycles=raw["cycles"],
            probes=[[int(w, 16) for w in record] for record in raw["probes"]],
        )

    stream = observation("stream")
    assert stream is not None
    return SimulationResult(stream, observation("stalled"), observation("after_reset"), data.get("stale", 0))
