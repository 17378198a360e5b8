"""How far the resource estimate is from yosys, on networks that it was not fitted to.

    python -m benchmarks.estimator --families xc7 --json errors.json

Networks are random ones of the seeds from 1000 on, which `benchmarks.estimator_fit` does not use; what yosys made of
them is kept in benchmarks/data. Errors are mean absolute shares, of whole networks and of layers. Latency and II are
compared with a simulation in Verilator. `--rule4ml PYTHON` adds what rule4ml predicts of the dense networks, see
`benchmarks.estimator_rule4ml`; that Python must have it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import estimator_rule4ml, estimator_runs
from benchmarks.random_networks import random_network
from fpgaq.config import Options
from fpgaq.design import Design
from fpgaq.estimate.estimate import Estimate, estimate
from fpgaq.rtl.hardware import Hardware
from fpgaq.stimuli import random_codes

_FRAMES = 8
#: LUTs below which the error of a layer counts as one of so many.
_SMALL = 10


def measure(family: str, networks: int, jobs: int, rule4ml: Path | None = None) -> dict[str, Any]:
    """Return the errors of all networks, and the time that an estimate takes once adder graphs are known."""
    seeds = range(estimator_runs.HELD_OUT, estimator_runs.HELD_OUT + networks)
    predicted = estimator_rule4ml.predicted(rule4ml, map(random_network, seeds)) if rule4ml else None
    runs = estimator_runs.add_runs(family, seeds, jobs)
    rows, totals = [], {}
    for seed in (seed for seed in seeds if seed in runs):
        hardware = estimator_runs.hardware_of(seed, family)
        _ = hardware.ii
        estimate(hardware)  # pipelines are cut at their first use
        started = time.perf_counter()
        found = estimate(hardware)
        rows.append(_row(hardware, found, runs[seed], time.perf_counter() - started))
        totals[hardware.graph.name] = {"synthesized": runs[seed]["total"], "estimated": _total(found)}
    return {
        "family": family,
        "networks": len(rows),
        **{f"{name}_mape": _mean([row[name] for row in rows]) for name in ("lut", "ff", "dsp", "bram18")},
        "lut_layer_mape": _mean([error for row in rows for error in row["layers"]]),
        "latency_exact": all(row["exact"] for row in rows),
        "ms": round(1000 * float(np.median([row["seconds"] for row in rows])), 2),
        "largest_lut_error": round(max(row["lut"] for row in rows), 4),
        **({"rule4ml": estimator_rule4ml.beside(predicted, totals)} if predicted else {}),
    }


def _total(found: Estimate) -> dict[str, int]:
    resources = {name: round(figure.value) for name, figure in vars(found.total).items()}
    return {**resources, "latency": found.latency, "ii": found.ii}


def _row(hardware: Hardware, found: Estimate, run: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    total = {name: getattr(found.total, name).value for name in run["total"] if name != "carry"}
    by_layer: dict[str, float] = {}
    for block in hardware.blocks:
        by_layer[block.layer] = by_layer.get(block.layer, 0.0) + run["modules"][block.hardware.name]["lut"]
    layers = [_error(found.layers[layer].lut.value, lut, _SMALL) for layer, lut in by_layer.items()]
    errors = {name: _error(value, run["total"][name], 1) for name, value in total.items()}
    return {**errors, "layers": layers, "exact": (found.latency, found.ii) == _simulated(hardware), "seconds": seconds}


def _simulated(hardware: Hardware) -> tuple[int, int]:
    """Return latency and II in cycles, measured in a simulation of a few frames."""
    with tempfile.TemporaryDirectory() as folder:
        options = Options(family=hardware.family, clock_period=hardware.clock_period)
        design = Design(hardware.graph, options, Path(folder))
        design.write_hardware()
        seen = design.simulate(random_codes(hardware.graph, _FRAMES, 0)).stream
    ends = [(seen.complete(end.prefix, end.beats), seen.ii(end.prefix, end.beats)) for end in hardware.outputs]
    latencies, paces = zip(*ends, strict=True)
    return max(latencies), max(paces)


def _error(estimated: float, found: float, least: float) -> float:
    return abs(estimated - found) / max(found, least)


def _mean(shares: Sequence[float]) -> float:
    return round(float(np.mean(shares)), 4)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=["xc7"])
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rule4ml", type=Path, metavar="PYTHON", help="a Python that has rule4ml 0.2; xc7 only")
    parser.add_argument("--json", type=Path, help="file to write")
    given = parser.parse_args()
    if given.rule4ml and given.families != ["xc7"]:
        parser.error(f"--rule4ml: its board {estimator_rule4ml.TOLD['board']} is of xc7; give no other --families")
    found = [measure(family, given.networks, given.jobs, given.rule4ml) for family in given.families]
    print(json.dumps(found, indent=1))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
