"""Simulation of many samples: a compiled C++ driver around the Verilator model, threads over parts of the samples.

cocotb stays the bench that tests protocols; here nothing stalls, and what is checked is every result and its tlast.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fpgaq import resources
from fpgaq.compiled import compiled
from fpgaq.cosim.packing import packed, unpacked
from fpgaq.cosim.verdict import Trouble
from fpgaq.ir.types import IntArray
from fpgaq.processes import run_logged
from fpgaq.verilator import BULK_FLAGS, MAKE_FLAGS, compile_bulk, tools

if TYPE_CHECKING:
    from fpgaq.rtl.top import Endpoint

#: Parts of the samples, each from a reset on: as many on every machine, so that no result depends on the threads.
_PARTS = 16


@dataclass(frozen=True)
class BulkResult:
    """What came out.

    Parameters
    ----------
    outputs : list of int array, shape (samples, size)
        Codes of every output; behind the trouble they are no results.
    trouble : Trouble or None
        The first violation of the protocol.
    clocks : int
        Of all parts together.
    seconds : float
        For packing, simulating and unpacking; not for compiling.
    """

    outputs: list[IntArray]
    trouble: Trouble | None
    clocks: int
    seconds: float


class BulkSimulation:
    """A design compiled for many samples.

    Parameters
    ----------
    sources : sequence of Path
        SystemVerilog files.
    top : str
        Top module with AXI-Stream ports, ``aclk`` and ``aresetn``.
    inputs, outputs : sequence of Endpoint
        Its ports.
    work : Path
        Folder for the compiled model; reused when nothing has changed.
    """

    def __init__(
        self, sources: Sequence[Path], top: str, inputs: Sequence[Endpoint], outputs: Sequence[Endpoint], work: Path
    ) -> None:
        self.sources = [Path(s) for s in sources]
        self.top = top
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.work = work

    def build(self) -> None:
        """Compile the model.

        Raises
        ------
        ToolError
            If Verilator or the C++ compiler fails; the message holds the end of the log.
        """
        stamp, key = self.work / "fpgaq.stamp", self._key()
        if stamp.is_file() and stamp.read_text() == key:
            return
        self.work.mkdir(parents=True, exist_ok=True)
        (self.work / "ports.h").write_text(self._ports())
        compiled(
            "verilator-models",
            key,
            self.work / self.top,
            lambda: compile_bulk(self.top, self.sources, self._driver, self.work),
        )
        stamp.write_text(key)

    @property
    def _driver(self) -> Path:
        return resources.benches() / "bulk.cpp"

    def _ports(self) -> str:
        lines = ["// The streams of the design: prefix and bytes of a beat."]
        for name, ends in (("INPUTS", self.inputs), ("OUTPUTS", self.outputs)):
            lines.append(f"#define {name}(X) {' '.join(f'X({end.prefix}, {end.bytes})' for end in ends)}")
        return "\n".join([*lines, ""])

    def _key(self) -> str:
        facts = (self.top, self._ports(), *tools(), *BULK_FLAGS, *MAKE_FLAGS, self._driver.read_text())
        digest = hashlib.sha256("\0".join(facts).encode())
        for source in self.sources:
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
        return digest.hexdigest()

    def run(self, codes: Sequence[IntArray], *, patience: int, span: int, threads: int | None = None) -> BulkResult:
        """Simulate.

        Parameters
        ----------
        codes : sequence of int array, shape (samples, ...)
            For every input.
        patience : int
            Clocks without a transfer after which the design counts as hanging.
        span : int
            Clocks in which everything that is under way has come out; so long the design is watched at the end.
        threads : int, optional
            One for each processor by default.

        Raises
        ------
        ToolError
            If a tool fails. A design that hangs, gives too much or the wrong tlast is an observation.
        """
        self.build()
        started = time.monotonic()
        samples = len(codes[0])
        threads = threads or len(os.sched_getaffinity(0))
        parts = max(min(_PARTS, samples), 1)
        with tempfile.TemporaryDirectory(prefix="bulk-", dir=self.work) as folder:
            arguments = [str(number) for number in (samples, parts, min(threads, parts), patience, span)]
            for end, values in zip(self.inputs, codes, strict=True):
                path = Path(folder, f"{end.prefix}.in")
                packed(values.reshape(samples * end.beats, end.count), end.width).tofile(path)
                arguments += [str(path), str(end.beats)]
            files = [Path(folder, f"{end.prefix}.out") for end in self.outputs]
            for end, path in zip(self.outputs, files, strict=True):
                with path.open("wb") as file:
                    file.truncate(samples * end.beats * end.bytes)
                arguments += [str(path), str(end.beats)]
            log = Path(folder, "bulk.log")
            run_logged([str(self.work / self.top), *arguments], log, f"the bulk simulation of {self.top}")
            outputs = [self._results(end, path) for end, path in zip(self.outputs, files, strict=True)]
            clocks, *said = log.read_text().splitlines()
        return BulkResult(outputs, _trouble(said), int(clocks), time.monotonic() - started)

    @staticmethod
    def _results(end: Endpoint, path: Path) -> IntArray:
        beats = np.fromfile(path, np.uint8).reshape(-1, end.bytes)
        return unpacked(beats, end.width, end.count, end.operand.type.signed).reshape(-1, end.beats * end.count)


def _trouble(said: Sequence[str]) -> Trouble | None:
    if not said:
        return None
    port, beat, text = said[0].split(" ", 2)
    return Trouble(port, int(beat), f"in bulk simulation, {port}, beat {beat}: {text}")
