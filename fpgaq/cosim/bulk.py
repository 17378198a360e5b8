"""Simulation of many samples: a compiled C++ driver around the Verilator model, threads over samples.

cocotb stays the bench that tests protocols; here nothing stalls, and what is checked is every result and its tlast.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgaq import resources
from fpgaq.ir.types import FixedType, IntArray
from fpgaq.processes import run_logged
from fpgaq.verilator import BULK_FLAGS, BULK_MAKE_FLAGS, compile_bulk, tools

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Port:
    """An AXI-Stream of the design.

    Parameters
    ----------
    prefix : str
        Of its signals.
    bytes : int
        Of a beat.
    beats : int
        Of a sample.
    """

    prefix: str
    bytes: int
    beats: int = 1


class BulkSimulation:
    """A design compiled for many samples.

    Parameters
    ----------
    sources : sequence of Path
        SystemVerilog files.
    top : str
        Top module with AXI-Stream ports, ``aclk`` and ``aresetn``.
    inputs, outputs : sequence of Port
    work : Path
        Folder for the compiled model; reused when nothing has changed.
    """

    def __init__(
        self, sources: Sequence[Path], top: str, inputs: Sequence[Port], outputs: Sequence[Port], work: Path
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
        compile_bulk(self.top, self.sources, self._driver, self.work)
        stamp.write_text(key)

    @property
    def _driver(self) -> Path:
        return resources.benches() / "bulk.cpp"

    def _ports(self) -> str:
        lines = ["// The streams of the design: prefix and bytes of a beat."]
        for name, ports in (("INPUTS", self.inputs), ("OUTPUTS", self.outputs)):
            lines.append(f"#define {name}(X) {' '.join(f'X({port.prefix}, {port.bytes})' for port in ports)}")
        return "\n".join([*lines, ""])

    def _key(self) -> str:
        facts = (self.top, self._ports(), *tools(), *BULK_FLAGS, *BULK_MAKE_FLAGS, self._driver.read_text())
        digest = hashlib.sha256("\0".join(facts).encode())
        for source in self.sources:
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
        return digest.hexdigest()

    def run(
        self, words: Mapping[str, Bytes], *, patience: int, threads: int | None = None
    ) -> tuple[dict[str, Bytes], int]:
        """Simulate.

        Parameters
        ----------
        words : mapping of uint8 array, shape (samples * beats, bytes)
            What goes in at every input, by prefix.
        patience : int
            Clocks without a result after which the design counts as hanging.
        threads : int, optional
            One for each processor by default.

        Returns
        -------
        dict of uint8 array, shape (samples * beats, bytes)
            What every output gave.
        int
            Clocks of all threads together.

        Raises
        ------
        ToolError
            If a tool dies, the design hangs, gives too much or the wrong tlast.
        """
        self.build()
        samples = min(len(words[port.prefix]) // port.beats for port in self.inputs)
        threads = max(min(threads or len(os.sched_getaffinity(0)), samples), 1)
        with tempfile.TemporaryDirectory(prefix="bulk-", dir=self.work) as folder:
            arguments = [str(samples), str(threads), str(patience)]
            for port in self.inputs:
                path = Path(folder, f"{port.prefix}.in")
                np.ascontiguousarray(words[port.prefix][: samples * port.beats]).tofile(path)
                arguments += [str(path), str(port.beats)]
            found = {port: Path(folder, f"{port.prefix}.out") for port in self.outputs}
            for port, path in found.items():
                with path.open("wb") as file:
                    file.truncate(samples * port.beats * port.bytes)
                arguments += [str(path), str(port.beats)]
            log = Path(folder, "bulk.log")
            run_logged([str(self.work / self.top), *arguments], log, f"the bulk simulation of {self.top}")
            results = {
                port.prefix: np.fromfile(path, np.uint8).reshape(samples * port.beats, port.bytes)
                for port, path in found.items()
            }
            return results, int(log.read_text())


def packed(codes: IntArray, width: int) -> Bytes:
    """Return beats of bytes, shape (beats, bytes), for codes of shape (beats, elements); element 0 in the low bits."""
    parts = []
    for rows in np.array_split(codes, max(codes.size * width >> 24, 1)):  # a bit takes a byte for a moment
        bits = (rows[..., None] >> np.arange(width) & 1).astype(np.uint8)
        parts.append(np.packbits(bits.reshape(len(rows), -1), axis=1, bitorder="little"))
    return np.concatenate(parts)


def unpacked(words: Bytes, type_: FixedType, width: int, count: int) -> IntArray:
    """Return codes of shape (beats, count) from beats of `count` fields of `width` bits."""
    parts = []
    weights = 1 << np.arange(width, dtype=np.int64)
    if type_.signed:
        weights[-1] = -weights[-1]
    for rows in np.array_split(words, max(words.size >> 21, 1)):
        bits = np.unpackbits(rows, axis=1, count=width * count, bitorder="little")
        parts.append(bits.reshape(len(rows), count, width) @ weights)
    return np.concatenate(parts)
