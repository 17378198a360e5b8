"""``fpgaq estimate``: what a model, a design folder or a built folder will take, without any tool."""

from __future__ import annotations

import json
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fpgaq.config import Options, load_trained_design
from fpgaq.design import Design
from fpgaq.estimate.estimate import Estimate, Figure, Resources, estimate

_COLUMNS = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM18": "bram18", "LUTRAM": "lutram"}


def show_estimate(
    target: Path, weights: Path | None, options: Options, console: Console, *, fast: bool, as_json: bool
) -> int:
    """Print the estimate of a model file, a design folder or a built folder; options are for a model file.

    A fast one searches no adder graphs, see `estimate`.
    """
    design = _design(target, weights, options)
    started = time.perf_counter()
    hardware = design.hardware
    found = estimate(hardware, fast=fast)  # adder graphs are searched, or found in the cache
    seconds = time.perf_counter() - started
    if as_json:
        console.print(json.dumps(found.to_json(), indent=1), highlight=False, markup=False)
        return 0
    console.print(_table(found, hardware.clock_period))
    console.print(
        f"{design.name} on {found.family}, estimated in {seconds:.2f} s. Nine in ten designs were within the errors; "
        f"{'latency is told, II exact' if fast else 'latency and II are exact'}. `fpgaq build` or `fpgaq synth` gives "
        "what yosys makes of it.",
        highlight=False,
    )
    return 0


def _design(target: Path, weights: Path | None, options: Options) -> Design:
    from fpgaq.conversion import lower
    from fpgaq.frontend.load import load_model

    if not target.is_dir():
        return lower(load_model(target, weights), target.stem, options, Path("unused"))
    if not (target / "design.yaml").is_file():
        return Design.load(target)
    config = load_trained_design(target)
    return lower(load_model(config.model), config.name or target.resolve().name, config.options, Path("unused"))


def _table(found: Estimate, clock_period: float) -> Table:
    table = Table("layer", *_COLUMNS, "latency", "II")
    for column in table.columns[1:]:
        column.justify = "right"
    timing: dict[str, list[int]] = {}
    for module in found.modules:
        latency, ii = timing.setdefault(module.layer, [0, 1])
        timing[module.layer] = [latency + module.latency, max(ii, module.ii)]
    for layer, resources in found.layers.items():
        table.add_row(layer, *_cells(resources), *map(str, timing[layer]))
    table.add_section()
    total = f"{found.latency} ({found.latency * clock_period:g} ns)"
    table.add_row("total", *_cells(found.total), total, str(found.ii))
    return table


def _cells(resources: Resources) -> list[str]:
    return [_text(getattr(resources, name)) for name in _COLUMNS.values()]


def _text(figure: Figure) -> str:
    error = figure.to_json()["error"]
    return f"{figure.value:.0f} ± {error}" if error else f"{figure.value:.0f}"
