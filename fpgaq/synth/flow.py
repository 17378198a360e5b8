"""Synthesis with yosys: resources per layer and of the whole, and netlists that can be simulated."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpgaq.errors import ToolError
from fpgaq.synth import _log, _processes
from fpgaq.synth._sources import Sources, fingerprint
from fpgaq.synth.families import Family
from fpgaq.synth.families import family as family_of
from fpgaq.synth.resources import Resources

_HERE = Path(__file__).parent
_RECIPE = (
    _HERE / "_recipe.py",
    _HERE / "families.py",
    _HERE / "_depth.py",
)  # a change in one of them can change a result: part of every cache key


@dataclass(frozen=True)
class Synthesis:
    """What `synthesize` found.

    Attributes
    ----------
    total
        Resources of the whole design.
    layers
        Resources of each layer, synthesized alone with everything below it.
    total_is_sum
        The flat run took too long: `total` is the sum of the layers and of what lies between them.
    logic_depth
        Most LUTs and carry chains in a row between registers, see `fpgaq.synth._depth`; None where the whole design
        was not synthesized flat.
    family
        Name of the FPGA family.
    seconds
        Wall-clock time of the call; short when the cache had the answers.
    """

    total: Resources
    layers: Mapping[str, Resources]
    total_is_sum: bool
    logic_depth: int | None
    family: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the object as JSON-ready values."""
        return {
            "family": self.family,
            "total": self.total.to_json(),
            "total_is_sum": self.total_is_sum,
            "logic_depth": self.logic_depth,
            "layers": {name: resources.to_json() for name, resources in self.layers.items()},
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Netlist:
    """A synthesized design as a file: Verilog to be simulated in place of its sources, or JSON for place and route.

    Attributes
    ----------
    path
        The netlist; its top module has the name and ports of the design's.
    models
        Simulation models of the family's cells, from yosys.
    resources
        What the netlist occupies.
    """

    path: Path
    models: tuple[Path, ...]
    resources: Resources


def synthesize(
    sources: Sequence[Path],
    top: str,
    layers: Sequence[str],
    *,
    family: str = "xc7",
    work: Path,
    jobs: int = 2,
    flat_limit: float = 300.0,
    cache: Path | None = None,
    data_files: Sequence[Path] = (),
    carry_chains: bool = True,
) -> Synthesis:
    """Synthesize a design as a whole and layer by layer.

    Parameters
    ----------
    sources
        SystemVerilog files, library blocks and generated ones, in any order.
    top
        Module that is the whole design.
    layers
        Modules to synthesize by themselves, with everything below them. They take their parameters' default values.
    family
        FPGA family, see `fpgaq.synth.FAMILIES`.
    work
        Folder for logs and intermediate files; made if missing.
    jobs
        yosys processes at a time.
    flat_limit
        Seconds after which the run of `top` is given up; the total is then the sum of the layers and of what lies
        between them.
    cache
        Folder of earlier results, keyed by content; None keeps no results.
    data_files
        Files that the sources read with ``$readmemh`` or ``$readmemb`` by their bare names.
    carry_chains
        One carry chain per adder, and hand-mapped library modules; False gives yosys' own result to compare with.

    Raises
    ------
    ConfigError
        Unknown family, missing file, or a module that no file defines.
    ToolError
        yosys failed or warned, a latch or a combinational loop was found, or a module came out without a cell.
    """
    started = time.monotonic()
    flow = _Flow(family_of(family), Sources(sources, data_files), work, carry_chains)
    limits: dict[str, float | None] = {top: flat_limit, **dict.fromkeys(layers)}
    known = _counted(flow, [flow.prepare(module, limit) for module, limit in limits.items()], jobs, cache)
    by_layer = {layer: known[layer].resources for layer in layers}
    if top in known:
        whole = known[top]
        return Synthesis(whole.resources, by_layer, False, whole.depth, family, time.monotonic() - started)
    if not by_layer:
        raise ToolError(
            f"Synthesis of '{top}' took more than {flat_limit:g} s, and there are no layers to add up instead:"
            " raise the limit."
        )
    between = _counted(flow, [flow.prepare(top, None, boxes=layers)], jobs, cache)[top]
    total = sum(by_layer.values(), between.resources)
    return Synthesis(total, by_layer, True, None, family, time.monotonic() - started)


def _counted(flow: _Flow, runs: Sequence[_Run], jobs: int, cache: Path | None) -> dict[str, _Found]:
    """Return what was found of modules, from the cache or from yosys; what met its time limit is left out."""
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
    known: dict[str, _Found] = {}
    missing: list[_Run] = []
    for run in runs:
        entry = cache and cache / f"{run.key}.json"
        if entry and entry.is_file():
            known[run.module] = flow.found(run, json.loads(entry.read_text()))
        else:
            missing.append(run)

    def collect(run: _Run, result: dict[str, Any]) -> None:
        known[run.module] = flow.found(run, result)
        if cache is not None:
            _write(cache / f"{run.key}.json", json.dumps(result, indent=1, sort_keys=True))

    flow.execute(missing, jobs, collect)
    return known


def netlist(
    sources: Sequence[Path],
    top: str,
    *,
    family: str = "xc7",
    work: Path,
    data_files: Sequence[Path] = (),
) -> Netlist:
    """Synthesize one module and write the result as Verilog for post-synthesis simulation.

    Parameters, and errors, are those of `synthesize`.
    """
    made = _netlist(sources, top, family, work, data_files, ".v", None)
    assert made is not None  # without a limit
    return made


def placeable(
    sources: Sequence[Path], top: str, *, family: str, work: Path, limit: float, data_files: Sequence[Path] = ()
) -> Netlist | None:
    """Synthesize one module and write the result as yosys' JSON for place and route; None if `limit` seconds were over.

    Other parameters, and errors, are those of `synthesize`.
    """
    return _netlist(sources, top, family, work, data_files, ".json", limit)


def _netlist(
    sources: Sequence[Path],
    top: str,
    family: str,
    work: Path,
    data_files: Sequence[Path],
    suffix: str,
    limit: float | None,
) -> Netlist | None:
    flow = _Flow(family_of(family), Sources(sources, data_files), work, carry_chains=True)
    run = flow.prepare(top, limit, netlist=suffix)
    made: list[_Found] = []
    flow.execute([run], 1, lambda _, result: made.append(flow.found(run, result)))
    return Netlist(run.netlist, cell_models(family), made[0].resources) if made else None


def cell_models(family: str) -> tuple[Path, ...]:
    """Return the simulation models of a family's cells, from yosys' share folder (found without loading yosys)."""
    spec = importlib.util.find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise ToolError("pyosys is missing: 'pip install pyosys' brings yosys.")
    return tuple(Path(spec.origin).parent / "share" / name for name in family_of(family).models)


@dataclass(frozen=True)
class _Run:
    """One module to synthesize, its job file written."""

    module: str
    key: str
    job: _processes.Job
    result: Path
    netlist: Path
    boxes: Sequence[str]


@dataclass(frozen=True)
class _Found:
    """What one run found."""

    resources: Resources
    depth: int | None


class _Flow:
    """What the runs of one call have in common."""

    def __init__(self, family: Family, sources: Sources, work: Path, carry_chains: bool) -> None:
        self.family = family
        self.sources = sources
        self.work = work.resolve()
        self.carry_chains = carry_chains

    def prepare(
        self, module: str, limit: float | None, *, netlist: str | None = None, boxes: Sequence[str] = ()
    ) -> _Run:
        """Write the job file of one run into a fresh folder of its own.

        With a netlist where `netlist` is ``.v`` or ``.json``. Nothing is built of the modules in `boxes`.
        """
        files = self.sources.reachable(module)
        data = self.sources.data_of(files)
        paths = [file.path for file in files]
        defined = {name for file in files for name in file.modules}
        mapped = [path for path in self.family.replacements() if self.carry_chains and path.stem in defined]
        folder = self.work / f"{module}.{self.family.name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, path in data.items():
            shutil.copyfile(path, folder / name)
        result, written = folder / "cells.json", folder / f"{module}{netlist}"
        job = {
            "family": self.family.name,
            "sources": [str(path) for path in paths],
            "replacements": [str(path) for path in mapped],
            "top": module,
            "carry_chains": self.carry_chains,
            "boxes": list(boxes),
            "result": str(result),
            "netlist": str(written) if netlist else None,
        }
        _write(folder / "job.json", json.dumps(job, indent=1))
        facts = (module, self.family.name, str(self.carry_chains), importlib.metadata.version("pyosys"), *boxes)
        key = fingerprint((*paths, *mapped, *_RECIPE), data.values(), *facts)
        weight = sum(len(file.text) for file in files)
        process = _processes.Job(module, "fpgaq.synth._worker", "job.json", folder, weight, limit)
        return _Run(module, key, process, result, written, boxes)

    def execute(self, runs: Sequence[_Run], jobs: int, collect: Callable[[_Run, dict[str, Any]], None]) -> None:
        """Run yosys; hand the result of every run to `collect`. A run that met its time limit is left out."""
        by_job = {run.job: run for run in runs}

        def finished(job: _processes.Job) -> None:
            if job.timed_out:
                return
            if job.code:
                raise _log.failure(job.log, self._called(job.name), job.code)
            _log.check(job.log, self._called(job.name))
            collect(by_job[job], json.loads(by_job[job].result.read_text()))

        _processes.run(list(by_job), jobs, finished)

    def found(self, run: _Run, result: dict[str, Any]) -> _Found:
        """Return resources and depth of a netlist, which must not be empty where nothing was left out."""
        counts: dict[str, int] = result["cells"]
        found = self.family.resources({cell: count for cell, count in counts.items() if cell not in run.boxes})
        if found == Resources() and not run.boxes:
            raise ToolError(
                f"Synthesis of {self._called(run.module)} left no cell at all: its outputs are constant, or plain wires"
                " of its inputs. Look for outputs that nothing drives; do not list a layer that only renames wires."
            )
        return _Found(found, result["logic_depth"])

    def _called(self, module: str) -> str:
        return f"module '{module}' for {self.family.name}"


def _write(path: Path, text: str) -> None:
    """Write a file that other processes see complete or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_text(text)
    os.replace(partial, path)
