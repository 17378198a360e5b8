"""What yosys makes of random networks, a file a family: what the resource estimate is fitted to and measured against.

A run can be stopped at any time and goes on where it was.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.estimator_blocks import blocks
from benchmarks.random_networks import random_network
from fpgaq.errors import ModelError
from fpgaq.rtl.dataflow import LayerHardware
from fpgaq.rtl.hardware import Hardware, library_blocks, make_hardware
from fpgaq.rtl.scan_loop import ScanLoop
from fpgaq.synth import synthesize

FOLDER = Path(__file__).parent / "data"
CLOCK_PERIOD = 5.0

#: First of the seeds that nothing is fitted to.
HELD_OUT = 1000
#: Number of the run with single blocks.
BLOCKS = -1

Runs = dict[int, dict[str, Any]]


def path_of(family: str) -> Path:
    """Return the file with the runs of a family."""
    return FOLDER / f"synthesis_{family}.json"


def load(family: str) -> Runs:
    """Return the runs that are there, by seed."""
    path = path_of(family)
    return {int(seed): run for seed, run in json.loads(path.read_text()).items()} if path.is_file() else {}


def hardware_of(seed: int, family: str) -> Hardware:
    """Return the hardware of a random network."""
    return make_hardware(random_network(seed), CLOCK_PERIOD, family)


def add_runs(family: str, seeds: Iterable[int], jobs: int = 2) -> Runs:
    """Synthesize the networks that are missing, and keep what was found."""
    runs = load(family)
    for seed in seeds:
        if seed not in runs:
            try:
                hardware = hardware_of(seed, family)
                _ = hardware.blocks
            except ModelError:
                continue  # numbers that do not fit together
            runs[seed] = synthesized(hardware, family, jobs)
            _keep(runs, family)
            print(f"{family} {seed}: {runs[seed]['total']}", flush=True)
    return runs


def add_blocks(family: str, jobs: int = 2) -> Runs:
    """Synthesize the blocks of `benchmarks.estimator_blocks`, and keep what was found under a number of its own."""
    runs = load(family)
    if BLOCKS not in runs:
        with tempfile.TemporaryDirectory() as folder:
            top, *others = (name for block in blocks() for name in (block.name, *within(block)))
            sources = _write_blocks(Path(folder))
            found = synthesize(sources, top, others, family=family, work=Path(folder) / "synth", jobs=jobs)
        modules = {top: found.total, **found.layers}
        runs[BLOCKS] = {"modules": {name: resources.to_json() for name, resources in modules.items()}}
        _keep(runs, family)
    return runs


def within(block: LayerHardware) -> list[str]:
    """Return the names of the modules of a step, if a block is a loop."""
    return [inner.hardware.name for inner in block.flow.blocks] if isinstance(block, ScanLoop) else []


def _write_blocks(folder: Path) -> list[Path]:
    modules = [module for block in blocks() for module in block.modules()]
    texts = {module.name: str(module) for module in modules}
    for name, text in texts.items():
        (folder / f"{name}.sv").write_text(text)
    return [*library_blocks(texts.values()), *(folder / f"{name}.sv" for name in texts)]


def synthesized(hardware: Hardware, family: str, jobs: int) -> dict[str, Any]:
    """Return the resources of every module, and of the whole."""
    with tempfile.TemporaryDirectory() as folder:
        sources = hardware.write(Path(folder) / "rtl")
        modules = [block.hardware.name for block in hardware.blocks if block.hardware.summary]
        found = synthesize(sources, hardware.graph.name, modules, family=family, work=Path(folder) / "synth", jobs=jobs)
    return {
        "total": found.total.to_json(),
        "modules": {name: resources.to_json() for name, resources in found.layers.items()},
    }


def _keep(runs: Runs, family: str) -> None:
    path = path_of(family)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".part")
    lines = [f'"{seed}": {json.dumps(runs[seed], separators=(",", ":"))}' for seed in sorted(runs)]
    partial.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    partial.rename(path)
