"""A compiled Verilator model and the cocotb bench around it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpgaq import resources, toolchain
from fpgaq.compiled import compiled
from fpgaq.errors import ToolError
from fpgaq.processes import run_logged
from fpgaq.verilator import FLAGS, MAKE_FLAGS, compile_model, tools

if TYPE_CHECKING:
    from fpgaq.cosim.bulk import BulkResult

#: Samples that are also sent under random stalls, and again after a reset in mid-stream.
STALLED_SAMPLES = 100


@dataclass(frozen=True)
class Violation:
    """The first violation of the AXI-Stream protocol at an output.

    Parameters
    ----------
    port : str
        Prefix of the port.
    beat : int
        Number of the result that was due.
    cycle : int
        Clock of the simulation.
    text : str
        What was violated.
    """

    port: str
    beat: int
    cycle: int
    text: str

    def __str__(self) -> str:
        return f"{self.port}, beat {self.beat} (cycle {self.cycle}): {self.text}"


@dataclass(frozen=True)
class Observation:
    """What was seen in one pass over the streams; ports go by their prefix.

    Parameters
    ----------
    words : mapping of list of int
        Words of every output in order; more than went in where results were surplus.
    cycles : mapping of list of int
        Clocks of the transfers at every output.
    accepted : mapping of list of int
        Clocks of the transfers at every input.
    violation : Violation or None
        None means that every output kept the protocol, and gave every beat of every result with the right tlast.
    probes : list of list of int
        Words of the streams inside the top: its inputs first, then what each block gives.
    """

    words: Mapping[str, list[int]]
    cycles: Mapping[str, list[int]]
    accepted: Mapping[str, list[int]]
    violation: Violation | None
    probes: list[list[int]]

    def latency(self, port: str) -> int | None:
        """Cycles from the first beat accepted to the first one at an output."""
        starts = [cycles[0] for cycles in self.accepted.values() if cycles]
        return self.cycles[port][0] - min(starts) if self.cycles[port] and starts else None

    def complete(self, port: str, beats: int) -> int | None:
        """Cycles from the first beat accepted to the last one of the first result, which has so many."""
        first = self.latency(port)
        cycles = self.cycles[port]
        return None if first is None or len(cycles) < beats else first + cycles[beats - 1] - cycles[0]

    def ii(self, port: str, beats: int = 1) -> int | None:
        """Cycles between results of so many beats when inputs wait; None for a single one."""
        cycles = self.cycles[port][beats - 1 :: beats]
        gaps = {b - a for a, b in itertools.pairwise(cycles)}
        return max(gaps) if gaps else None


@dataclass(frozen=True)
class SimulationResult:
    """The passes of one simulation.

    Parameters
    ----------
    passes : mapping of Observation
        In order, by what is special about them, for example "under stalls".
    stale : int
        Cycles after a reset in mid-stream in which results were offered that should have been dropped.
    bulk : BulkResult, optional
        All samples, where they are more than go through the bench.
    """

    passes: Mapping[str, Observation]
    stale: int
    bulk: BulkResult | None = None

    @property
    def stream(self) -> Observation:
        """The pass back to back."""
        return self.passes[STREAM]


#: Names of the passes; they read like the beginning of a sentence about what went wrong there.
STREAM, STALLED, AFTER_RESET = "back to back", "under stalls", "after a reset"


class Simulation:
    """A design compiled for simulation.

    Parameters
    ----------
    sources : sequence of Path
        SystemVerilog files.
    top : str
        Top module with AXI-Stream ports, ``aclk`` and ``aresetn``.
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
        control.write_text(self._control())
        compiled(
            "verilator-models",
            key,
            self.work / self.top,
            lambda: compile_model(self.top, self.sources, control, self.work),
        )
        stamp.write_text(key)

    def _control(self) -> str:
        return f'`verilator_config\npublic_flat_rw -module "{self.top}" -var "*"\n'

    def _key(self) -> str:
        """Digest of everything that the compiled model depends on: a model of other tools is compiled again."""
        facts = (self.top, self._control(), sys.prefix, *tools(), *FLAGS, *MAKE_FLAGS)
        digest = hashlib.sha256("\0".join(facts).encode())
        for source in self.sources:
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
        return digest.hexdigest()

    def run(
        self,
        inputs: Mapping[str, Sequence[int]],
        outputs: Sequence[str],
        *,
        seed: int,
        span: int,
        probes: int = 0,
        stalled_samples: int = STALLED_SAMPLES,
        beats: Mapping[str, int] | None = None,
    ) -> SimulationResult:
        """Simulate.

        Parameters
        ----------
        inputs : mapping of sequence of int
            Beats for every input, of as many samples for each; ports go by their prefix.
        outputs : sequence of str
            Prefixes of the outputs.
        seed : int
            Of stalls, tlast and the initial state of registers.
        span : int
            Cycles in which everything that is under way has come out. So long the design is filled before a reset in
            mid-stream, and watched for surplus results at the end of a pass.
        probes : int
            Number of ``valid_k/ready_k/data_k`` triples of the top to record.
        stalled_samples : int
            How many samples are also sent under stalls and after a reset.
        beats : mapping of int, optional
            Beats of a sample, by port, inputs and outputs; 1 for those that are not there. Where a port has several,
            every sample ends with tlast.

        Raises
        ------
        ToolError
            If a tool is missing or dies. A design that violates the protocol of its outputs is an observation.
        """
        self.build()
        beats = {port: (beats or {}).get(port, 1) for port in (*inputs, *outputs)}
        samples = min(len(words) // beats[port] for port, words in inputs.items())
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.work) as folder:
            job, result = Path(folder, "job.json"), Path(folder, "result.json")
            job.write_text(
                json.dumps(
                    {
                        "inputs": {port: [format(w, "x") for w in words] for port, words in inputs.items()},
                        "outputs": list(outputs),
                        "beats": beats,
                        "seed": seed,
                        "probes": probes,
                        "passes": _passes(samples, min(stalled_samples, samples), outputs),
                        "span": span,
                        "patience": 1000 + 20 * span,
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


def _passes(samples: int, stalled: int, outputs: Sequence[str]) -> list[dict[str, Any]]:
    """Return the passes of a job; with several outputs each one also stalls alone."""

    def one(
        name: str, count: int, idle: float, stalls: Mapping[str, float], after_reset: bool = False
    ) -> dict[str, Any]:
        return {"name": name, "samples": count, "idle": idle, "stalls": dict(stalls), "after_reset": after_reset}

    never = dict.fromkeys(outputs, 0.0)
    passes = [one(STREAM, samples, 0.0, never)]
    if stalled:
        passes.append(one(STALLED, stalled, 0.4, dict.fromkeys(outputs, 0.4)))
        if len(outputs) > 1:
            passes += [one(f"under stalls at {port} only", stalled, 0.0, {**never, port: 0.8}) for port in outputs]
        passes.append(one(AFTER_RESET, stalled, 0.2, dict.fromkeys(outputs, 0.2), after_reset=True))
    return passes


def _result(data: dict[str, Any]) -> SimulationResult:
    def observation(raw: dict[str, Any]) -> Observation:
        return Observation(
            words={port: [int(w, 16) for w in words] for port, words in raw["words"].items()},
            cycles=raw["cycles"],
            accepted=raw["accepted"],
            violation=None if raw["violation"] is None else Violation(**raw["violation"]),
            probes=[[int(w, 16) for w in record] for record in raw["probes"]],
        )

    return SimulationResult({name: observation(raw) for name, raw in data["passes"].items()}, data["stale"])
