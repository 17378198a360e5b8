"""Fit the resource estimate to what yosys made of random networks; writes the coefficients into the package.

    python -m benchmarks.estimator_fit --families xc7

What yosys made of them is kept in benchmarks/data; `--networks 120` first synthesizes those of the first 120 seeds that
are missing there, which takes about a quarter of a minute each. Every fifth network is left out of the fit, and tells
the errors; those of the seeds from 1000 on are for `benchmarks.estimator`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import nnls

import fpgaq.estimate.coefficients as package
from benchmarks import estimator_runs
from benchmarks.estimator_blocks import blocks
from benchmarks.estimator_runs import within
from fpgaq.estimate.block_counts import count_block, count_blocks, count_connections
from fpgaq.estimate.coefficients import PREDICTED, UNKNOWN
from fpgaq.estimate.counts import DEVICES, Counts
from fpgaq.synth.resources import Resources

_HELD_OUT = 5
#: LUTs below which an error counts as one of so many.
_SMALL = 30


class Sample(NamedTuple):
    """A module and its LUTs and flip-flops by yosys."""

    counts: Counts
    lut: float
    ff: float


class Design(NamedTuple):
    """Modules of a network, what is left of them in the whole, what connects them, and the whole by yosys."""

    seed: int
    modules: Sequence[Sample]
    parts: Sequence[Counts]
    connections: Sequence[Counts]
    total: Resources


def load_designs(family: str, runs: Mapping[int, dict[str, Any]]) -> list[Design]:
    """Count the parts of every network that was synthesized."""
    device, designs = DEVICES[family], []
    for seed, run in sorted(runs.items()):
        if seed == estimator_runs.BLOCKS:
            continue
        hardware = estimator_runs.hardware_of(seed, family)
        samples = []
        for block in hardware.blocks:
            found = run["modules"][block.hardware.name]
            samples.append(Sample(count_block(block.hardware, device), found["lut"], found["ff"]))
        parts, connections = count_blocks(hardware.flow, device), count_connections(hardware.flow, device)
        designs.append(Design(seed, samples, parts, connections, Resources.from_json(run["total"])))
    return designs


def load_blocks(family: str, run: Mapping[str, Any]) -> list[Sample]:
    """Count the parts of single blocks; of a loop that is what its step does not have."""
    found, samples = run["modules"], []
    for block in blocks():
        lut, ff = (found[block.name][kind] - sum(found[name][kind] for name in within(block)) for kind in ("lut", "ff"))
        samples.append(Sample(count_block(block, DEVICES[family]), lut, ff))
    return samples


def fit(designs: Sequence[Design], blocks: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """Return LUTs a unit of logic, by kind of module."""
    samples = [*blocks, *(sample for design in designs for sample in design.modules)]
    fitted = {
        kind: _least_squares([(s.counts.logic, s.lut) for s in samples if s.counts.kind == kind])
        for kind in sorted({s.counts.kind for s in samples})
    }
    # What lies between the modules is what the whole has more than they have.
    rows = []
    for design in designs:
        if any(part.kind == "folded" for part in design.parts):
            continue  # of which synthesis of the whole drops more or less
        logic: dict[str, float] = {}
        for part in design.connections:
            for name, amount in part.logic.items():
                logic[f"{part.kind} {name}"] = logic.get(f"{part.kind} {name}", 0.0) + amount
        rows.append((logic, max(design.total.lut - sum(s.lut for s in design.modules), 0.0)))
    for name, value in _least_squares(rows, least=float("inf")).items():
        kind, unit = name.split(" ")
        fitted.setdefault(kind, {})[unit] = value
    return fitted


def errors(designs: Sequence[Design], fitted: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return the errors of every kind of module and of whole networks, as shares."""
    by_kind: dict[str, list[float]] = {}
    for sample in (s for d in designs for s in d.modules):
        by_kind.setdefault(sample.counts.kind, []).append(_error(_luts([sample.counts], fitted), sample.lut))
    parts = [[*design.parts, *design.connections] for design in designs]
    lut = [_error(_luts(part, fitted), d.total.lut) for part, d in zip(parts, designs, strict=True)]
    ff = [_error(sum(p.ff for p in part), d.total.ff) for part, d in zip(parts, designs, strict=True)]
    return {"kinds": by_kind, "lut": lut, "ff": ff}


def _error(estimated: float, found: float) -> float:
    return abs(estimated - found) / max(found, _SMALL)


def _luts(parts: Sequence[Counts], fitted: Mapping[str, Mapping[str, float]]) -> float:
    return sum(fitted.get(p.kind, {}).get(name, UNKNOWN) * amount for p in parts for name, amount in p.logic.items())


def _least_squares(rows: Sequence[tuple[Mapping[str, float], float]], least: float = _SMALL) -> dict[str, float]:
    """Return coefficients that are not negative, for the least squares of errors relative to at least so many LUTs."""
    names = sorted({name for logic, _ in rows for name in logic})
    amounts = np.array([[logic.get(name, 0.0) for name in names] for logic, _ in rows])
    wanted = np.array([lut for _, lut in rows])
    weight = 1 / np.maximum(wanted, least) if np.isfinite(least) else np.ones(len(wanted))
    found, _ = nnls(amounts * weight[:, None], wanted * weight)
    return {name: round(float(value), 4) for name, value in zip(names, found, strict=True)}


def fitted_family(family: str, designs: Sequence[Design], blocks: Sequence[Sample]) -> dict[str, Any]:
    """Return what the package keeps of a family; errors are those of networks that were not fitted."""
    known = [design for design in designs if design.seed % _HELD_OUT]
    others = [design for design in designs if not design.seed % _HELD_OUT]
    found = errors(others, fit(known, blocks))
    print(
        f"{family}: {len(known)} networks fitted, {len(others)} others: mean errors of LUT {np.mean(found['lut']):.3f}"
    )
    print(
        f"    FF {np.mean(found['ff']):.4f}, of modules "
        + ", ".join(f"{kind} {np.mean(e):.3f} ({len(e)})" for kind, e in found["kinds"].items())
    )
    fitted = fit(designs, blocks)
    every = [e for e_ in found["kinds"].values() for e in e_]
    return {
        "networks": len(designs),
        "total_error": _ninth(found["lut"]),
        "ff_error": _ninth(found["ff"]),
        "kinds": {
            kind: {"luts": luts, "error": _ninth(found["kinds"].get(kind, every))} for kind, luts in fitted.items()
        },
    }


def _ninth(shares: Sequence[float]) -> float:
    """Return what nine in ten errors are at most."""
    return round(float(np.quantile(shares, 0.9)), 4)


def main() -> None:
    """Synthesize what is missing, fit, and write the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="+", choices=list(DEVICES), default=["xc7"])
    parser.add_argument("--networks", type=int, default=0, help="seeds from 0 that are synthesized if they are missing")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    path = Path(package.__file__).with_name("coefficients.json")
    document = json.loads(path.read_text()) if path.is_file() else {"families": {}}
    for family in given.families:
        estimator_runs.add_blocks(family, given.jobs)
        runs = estimator_runs.add_runs(family, range(given.networks), given.jobs)
        runs = {seed: run for seed, run in runs.items() if seed < estimator_runs.HELD_OUT}
        single = load_blocks(family, runs[estimator_runs.BLOCKS])
        kept = {key: value for key, value in document["families"].get(family, {}).items() if key == PREDICTED}
        document["families"][family] = fitted_family(family, load_designs(family, runs), single) | kept
    document |= {"version": package.VERSION, "yosys": importlib.metadata.version("pyosys")}
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
