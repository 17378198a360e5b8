"""How good the policies and searches of `fpgaq search` are: ``python -m benchmarks.search --json FILE``.

Every allocation of {2, 3, 4, 5} bits to the five layers of a digits MLP is measured on test images. A policy's
percentile is the share of the allocations that use at least 95 % of the budget (3 bits in the mean, by weights) with
less accuracy than its choice, ties counted half. Calibration has 256 training images and their labels.
The second part asks how many LUTs, by the estimate, reach the training loss that uniform integers have.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fpgaq import toolchain
from fpgaq.config import Options, make_options
from fpgaq.explore.candidates import label
from fpgaq.explore.costs import whole_cost
from fpgaq.explore.network import Data, Network, Rounded
from fpgaq.explore.policies import POLICIES
from fpgaq.explore.problem import Allocation, Problem, whole_damage
from fpgaq.explore.searches import SEARCHES, Ledger
from fpgaq.explore.searches.random_draws import draws
from fpgaq.explore.solvers import SOLVERS
from fpgaq.explore.solvers.clusters import solve_clusters
from fpgaq.explore.space import Space, measured_space
from fpgaq.quantize.requantize import Choice, matrices, requantized

_SIZES = (48, 32, 32, 24)
_BITS = (2, 3, 4, 5)
_ACTIVATIONS = 6
_MEAN_BITS = 3
_USED = 0.95
_CALIBRATION = 256
_TOP = 10
#: Measurements of every search; of `_TOP` candidates are chosen from by loss where a policy is "re-scored".
_EVALUATIONS = 50
#: What LUTs are compared of: uniform integers, against these choices.
_UNIFORM = (3, 4, 5)
_LUT_CHOICES = (*(("int", bits) for bits in (2, 3, 4, 5, 6)), ("pot", 3), ("pot", 4), ("ternary", 2))
_LUT_ACTIVATIONS = (4, 5, 6)
_SHARES = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)

Row = dict[str, Any]


def trained(seed: int) -> tuple[Any, Data, Data]:
    """Return a trained MLP, training data and test data."""
    import keras
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x, x_test, y, y_test = train_test_split(
        digits.data / 16, digits.target, test_size=597, random_state=seed, stratify=digits.target
    )
    keras.utils.set_random_seed(seed)
    hidden = [keras.layers.Dense(size, activation="relu", name=f"fc{k}") for k, size in enumerate(_SIZES, 1)]
    model = keras.Sequential([keras.Input((64,), name="pixels"), *hidden, keras.layers.Dense(10, name="scores")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(x, y, epochs=30, batch_size=64, verbose=0)
    return model, Data(x, y), Data(x_test, y_test)


def percentiles(seed: int) -> dict[str, Row]:
    """Return accuracy, percentile and measured networks of every policy and search."""
    model, training, test = trained(seed)
    calibration = training.first(_CALIBRATION)
    choices = [Choice("int", bits, _ACTIVATIONS) for bits in _BITS]
    copies = [requantized(model, choice, calibration.x) for choice in choices]
    network = Network(model, Rounded.of(choices, copies), choices, calibration)
    counts = [network.floats[name].size for name in matrices(model)]
    costs = {"size": [count * np.array(_BITS) for count in counts]}
    limits = {"size": _MEAN_BITS * sum(counts)}
    space = Space(network, costs)
    free = Problem([np.zeros(len(_BITS), np.int64) for _ in counts], costs, limits)
    every = [a for a in itertools.product(range(len(_BITS)), repeat=len(counts)) if free.fits(a)]
    accuracy = {a: space.accuracy(a, test) for a in every}
    near = [accuracy[a] for a in every if free.cost(a)["size"] >= _USED * limits["size"]]

    def row(allocation: Allocation, evaluations: int) -> Row:
        found = accuracy[allocation]
        rank = np.mean([(other < found) + (other == found) / 2 for other in near])
        bits = [_BITS[choice] for choice in allocation]
        return {"accuracy": found, "percentile": 100 * float(rank), "evaluations": evaluations, "bits": bits}

    rows: dict[str, Row] = {}
    scan = len(counts) * len(_BITS)
    for policy, function in POLICIES.items():
        candidates = {name: _solved(table, costs, limits) for name, table in function(network).items()}
        for name, allocations in candidates.items():
            rows[f"{policy} {name}".strip()] = row(allocations[0], scan if policy in ("kl", "ce") else 0)
        swept = min(candidates.values(), key=lambda allocations: space.loss(allocations[0]))
        best = min(swept, key=space.loss)
        measured = _TOP + len(candidates) * (len(candidates) > 1) + scan * (policy in ("kl", "ce"))
        rows[f"{policy}, re-scored"] = row(best, measured)
    problem = Problem(whole_damage(POLICIES["kl"](network)[""]), costs, limits)
    for name, search in SEARCHES.items():
        ledger = Ledger(problem, space.loss, _EVALUATIONS, seed)
        search(problem, ledger)
        more = scan if name == "evolution" else 0  # its table is the scan
        rows[name] = row(ledger.solution(1).allocations[0], len(ledger.losses) + more)
    clustered = solve_clusters(problem, network, _TOP).allocations
    rows["lossy-coding-length clusters, re-scored"] = row(min(clustered, key=space.loss), len(clustered))
    random = draws(problem, _EVALUATIONS, seed)
    rows["random, best of 50 by loss"] = row(min(random, key=space.loss), len(random))
    rows["uniform 3 bits"] = row((_BITS.index(_MEAN_BITS),) * len(counts), 0)
    rows["least loss of all"] = row(min(every, key=space.loss), len(every))
    rows["random, in the mean"] = {"accuracy": float(np.mean(near)), "percentile": 50.0, "evaluations": 0}
    rows["float"] = {"accuracy": network.accuracy([None] * len(counts), test), "percentile": None, "evaluations": 0}
    return rows


def _solved(table: Sequence[Any], costs: Any, limits: Mapping[str, int]) -> Sequence[Allocation]:
    return SOLVERS["milp"](Problem(whole_damage(table), costs, limits), _TOP).allocations


def luts(seed: int) -> list[Row]:
    """Return for uniform bits the fewest LUTs with no more training loss, by what may be chosen."""
    model, training, test = trained(seed)
    options = make_options({"input_precision": "ufixed<5,1>"})
    choices = [Choice(*choice, width) for width in _LUT_ACTIVATIONS for choice in _LUT_CHOICES]
    space = measured_space(model, choices, training, options, fast=True)
    spaces = [(part, part.tables("kl")[""]) for part in (space, *(space.at(width) for width in _LUT_ACTIVATIONS))]
    uniform = dict(zip(choices, space.uniform, strict=True))
    rows = []
    for bits in _UNIFORM:
        plain = uniform[Choice("int", bits, _ACTIVATIONS)]
        lut = _whole(model, space, plain, training, options)
        loss = space.loss(plain)
        row: Row = {"uniform": bits, "lut": lut, "accuracy": space.accuracy(plain, test)}
        for name, allowed in _ALLOWED.items():
            found = [
                (_lut(part, allocation), k, allocation)
                for k, (part, table) in enumerate(spaces)
                for allocation in _near(part, table, allowed, lut)
                if part.loss(allocation) <= loss
            ]
            _, k, best = min(found)
            part = spaces[k][0]
            whole = _whole(model, part, best, training, options)
            row[name] = {
                "lut": whole,
                "ratio": whole / lut,
                "accuracy": part.accuracy(best, test),
                "layers": {name: f"{label(c)}/{c.activations}" for name, c in part.layers(best).items()},
            }
        rows.append(row)
    return rows


#: What may be chosen, by its name.
_ALLOWED: dict[str, Callable[[Choice], bool]] = {
    "bits": lambda choice: choice.format == "int" and choice.activations == _ACTIVATIONS,
    "bits and formats": lambda choice: choice.activations == _ACTIVATIONS,
    "bits, formats and activations": lambda choice: True,
}


def _near(space: Space, table: Sequence[Any], allowed: Callable[[Choice], bool], lut: int) -> set[Allocation]:
    """Return the best allocations of allowed choices within shares of so many LUTs."""
    columns = [[k for k, choice in enumerate(of) if allowed(choice)] for of in space.network.choices.values()]
    if not all(columns):
        return set()
    damage = [layer[k] for layer, k in zip(table, columns, strict=True)]
    costs = {"lut": [layer[k] for layer, k in zip(space.costs["lut"], columns, strict=True)]}
    return {
        tuple(k[c] for k, c in zip(columns, allocation, strict=True))
        for share in _SHARES
        for allocation in SOLVERS["dp"](Problem(damage, costs, {"lut": int(share * lut)}), _TOP).allocations
    }


def _lut(space: Space, allocation: Allocation) -> int:
    return space.free({}).cost(allocation)["lut"]


def _whole(model: Any, space: Space, allocation: Allocation, training: Data, options: Options) -> int:
    """Return the LUTs of the whole network, by the estimate with its adder graphs."""
    return whole_cost(requantized(model, space.layers(allocation), training.x), options, 0).value["lut"]


def _means(runs: Sequence[Mapping[str, Row]]) -> dict[str, Row]:
    """Return the means over the seeds."""
    found = {}
    for name, first in runs[0].items():
        rows = [run[name] for run in runs]
        found[name] = {key: None if first[key] is None else float(np.mean([row[key] for row in rows])) for key in _KEYS}
    return found


_KEYS = ("accuracy", "percentile", "evaluations")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--seeds", type=int, default=5, help="networks of the percentiles")
    parser.add_argument("--lut-seeds", type=int, default=2, help="networks whose LUTs are estimated, minutes each")
    given = parser.parse_args()
    result: dict[str, Any] = {"versions": toolchain.versions(), "seeds": given.seeds}
    result["runs"] = [percentiles(seed) for seed in range(given.seeds)]
    result["means"] = _means(result["runs"]) if result["runs"] else {}
    for name, row in sorted(result["means"].items(), key=lambda item: -item[1]["accuracy"]):
        percentile = "" if row["percentile"] is None else f"{row['percentile']:.0f}"
        print(f"{name:40} {100 * row['accuracy']:6.2f} % {percentile:>4} {row['evaluations']:6.0f}", flush=True)
    result["luts"] = {}
    for seed in range(given.lut_seeds):
        result["luts"][seed] = luts(seed)
        print(f"LUTs, seed {seed}: {json.dumps(result['luts'][seed], indent=1)}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
