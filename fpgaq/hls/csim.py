"""The C++ simulation: the written HLS project compiled by g++ and run in a subprocess."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from fpgaq import toolchain
from fpgaq.bundles import Bundle, unbundled
from fpgaq.compiled import compiled
from fpgaq.errors import GateError, ToolError
from fpgaq.hls import compilable as compilable_module
from fpgaq.hls.compilable import compilable
from fpgaq.ir.graph import Graph
from fpgaq.ir.types import IntArray
from fpgaq.processes import Logged, end_group, run_logged, start_logged

_FLAGS = ("-std=c++17", "-O1", "-fPIC", "-w")
#: Passes of GCC 12 and later that look for warnings about accesses, also under -w. Their time is quadratic in the
#: length of a function.
_ACCESS_ANALYSIS = tuple(f"-fdisable-tree-waccess{k}" for k in (1, 2, 3))

#: Samples for which another process is started: it takes as long as hundreds of samples of a small network.
_WORTH_A_PROCESS = 500


@lru_cache
def _without_access_analysis() -> tuple[str, ...]:
    """Return the flags that switch the analysis off, where the compiler knows them."""
    probe = [str(toolchain.gxx()), *_ACCESS_ANALYSIS, "-x", "c++", "-fsyntax-only", os.devnull]
    known = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    return _ACCESS_ANALYSIS if known else ()


def _require_balanced_streams(log: str) -> None:
    """Refuse streams that were read while empty or not to their end: the hardware would wait for ever."""
    trouble = next((line for line in log.splitlines() if "Hls::stream" in line), None)
    if trouble is not None:
        raise GateError(f"the C++ simulation does not read what it writes: {trouble}")


@dataclass(frozen=True)
class Csim:
    """A compiled HLS project.

    Parameters
    ----------
    project : Path
        The HLS project folder.
    library : Path
        Shared library to build or run.
    graph : Graph
        The integer graph, for types and shapes.
    traced : tuple of str
        Layers whose results the library can report.
    """

    project: Path
    library: Path
    graph: Graph
    traced: tuple[str, ...]

    def build(self) -> None:
        """Compile the project with g++, both files at once, unless that was done before.

        Raises
        ------
        ToolError
            With the end of the compiler's output, or if there is no project.
        """
        if not self.project.is_dir():
            raise ToolError(f"{self.project} does not exist; build the design first")
        self.library.parent.mkdir(parents=True, exist_ok=True)
        compiled("csim", self._key(), self.library, self._compile)

    def _key(self) -> str:
        """Digest of everything that the library depends on."""
        facts = (self.graph.name, toolchain.versions()["g++"], *_FLAGS, inspect.getsource(compilable_module))
        digest = hashlib.sha256("\0".join(facts).encode())
        firmware = self.project / "firmware"
        for path in (self.project / f"{self.graph.name}_bridge.cpp", *sorted(firmware.rglob("*"))):
            if path.is_file():
                digest.update(path.relative_to(self.project).as_posix().encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    def _compile(self) -> None:
        include = f"-I{(self.project / 'firmware' / 'ap_types').resolve()}"
        base = [str(toolchain.gxx()), *_FLAGS, *_without_access_analysis(), include]
        with tempfile.TemporaryDirectory(prefix="compile-", dir=self.library.parent) as folder:
            sources = compilable(self.project, Path(folder), self.graph.name)
            objects = [source.with_suffix(".o") for source in sources]
            what = "compiling the HLS C++"
            running = [
                start_logged(
                    [*base, "-c", str(source), "-o", str(made)], self.library.with_name(f"{made.stem}.log"), what
                )
                for source, made in zip(sources, objects, strict=True)
            ]
            for process in running:
                process.wait()
            partial = self.library.with_suffix(".part")
            link = [str(toolchain.gxx()), "-shared", *map(str, objects), "-o", str(partial)]
            run_logged(link, self.library.with_name("link.log"), "linking the HLS C++")
        partial.rename(self.library)

    def run(self, codes: Bundle, *, trace: bool = False) -> Mapping[str, IntArray]:
        """Simulate input codes of shape (samples, ...); with several inputs a list of them.

        Returns
        -------
        mapping
            Codes by node name: the outputs, and with `trace` every layer; shape (samples, size).

        Raises
        ------
        ToolError
            If the library is missing or the C++ code aborts.
        GateError
            If a value is not on the grid of its type.
        """
        if not self.library.is_file():
            raise ToolError(f"{self.library} does not exist; build the design first")
        traced = self.traced if trace else ()
        values = self._values(codes)
        samples = len(values[0])
        workers = max(min(len(os.sched_getaffinity(0)), samples // _WORTH_A_PROCESS), 1)
        bounds = [samples * k // workers for k in range(workers + 1)]
        with tempfile.TemporaryDirectory(prefix="fpgaq-csim-") as folder:
            parts = [Path(folder, str(k)) for k in range(workers)]
            running = [
                self._start(part, [x[start:stop] for x in values], traced)
                for part, start, stop in zip(parts, bounds, bounds[1:], strict=False)
            ]
            try:
                for process in running:
                    process.wait()
            except BaseException:
                for process in running:
                    end_group(process.process)
                raise
            for process in running:
                _require_balanced_streams(process.log.read_text(errors="replace"))
            found = [self._results(part / "y.npz", traced) for part in parts]
        return {name: self._codes(name, np.concatenate([part[name] for part in found])) for name in found[0]}

    def _start(self, folder: Path, values: Sequence[np.ndarray], traced: Sequence[str]) -> Logged:
        """Start the simulation of some samples in a process of its own."""
        folder.mkdir()
        inputs, job = folder / "x.npz", folder / "job.json"
        np.savez(inputs, *values)
        sizes = {name: int(self.graph.bounds[name].lo.size) for name in (*self.graph.outputs, *traced)}
        job.write_text(
            json.dumps(
                {
                    "name": self.graph.name,
                    "inputs": str(inputs),
                    "outputs": [sizes[name] for name in self.graph.outputs],
                    "trace": {name: sizes[name] for name in traced},
                    "result": str(folder / "y.npz"),
                }
            )
        )
        command = [sys.executable, "-m", "fpgaq.hls._csim_worker", str(self.library.resolve()), str(job)]
        return start_logged(command, folder / "csim.log", "the C++ simulation")

    def _results(self, path: Path, traced: Sequence[str]) -> dict[str, np.ndarray]:
        with np.load(path) as data:
            outputs = {name: data[f"y_{k}"] for k, name in enumerate(self.graph.outputs)}
            return outputs | {name: data[f"trace_{name}"] for name in traced}

    def _values(self, codes: Bundle) -> list[np.ndarray]:
        arrays = unbundled(codes, [node.name for node in self.graph.inputs], "inputs")
        return [
            np.ldexp(np.asarray(array).astype(np.float64), -node.type.frac)
            for node, array in zip(self.graph.inputs, arrays, strict=True)
        ]

    def _codes(self, name: str, values: np.ndarray) -> IntArray:
        scaled = np.ldexp(values, self.graph.nodes[name].type.frac)
        if not np.isfinite(scaled).all() or np.any(scaled != np.rint(scaled)):
            raise GateError(
                f"layer {name!r}: the C++ simulation returned values off the grid of {self.graph.nodes[name].type}"
            )
        return scaled.astype(np.int64)
