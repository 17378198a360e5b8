"""Fit the fast estimate, which knows no adder graphs, to the one that does; writes the coefficients into the package.

    python -m benchmarks.estimator_predicted --families xc7

Takes some minutes a family: the matrices of random networks are searched, with one attempt each. Every fifth network is
left out of the fit, and tells the errors.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from unittest.mock import patch

import numpy as np

from benchmarks import random_networks
from benchmarks.estimator_runs import CLOCK_PERIOD
from fpgaq.errors import ModelError
from fpgaq.estimate.block_counts import count_block
from fpgaq.estimate.coefficients import FILE, coefficients
from fpgaq.estimate.counts import DEVICES
from fpgaq.estimate.predicted import Prediction, Real, figures, is_predicted, rest_of
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.unrolled_layer import UnrolledLayer

_FIRST, _HELD_OUT = 3000, 5
#: LUTs of matrices that are left out, and flip-flops below which an error counts as one of so many.
_SMALL = 30


def layers(family: str, networks: int) -> Iterator[tuple[int, UnrolledLayer]]:
    """Give the unrolled matrices of networks that are larger than those of the other fit, with their seeds."""
    size = random_networks._Network._size

    def larger(network: random_networks._Network, least: int, most: int) -> int:
        return size(network, least, 2 * most)

    # One attempt at each matrix finds what forty do within a few percent.
    with patch("fpgaq.cmvm._search.DIGIT_BUDGET", 1), patch.object(random_networks._Network, "_size", larger):
        for seed in range(_FIRST, _FIRST + networks):
            try:
                blocks = make_hardware(random_networks.random_network(seed), CLOCK_PERIOD, family).blocks
            except ModelError:
                continue  # numbers that do not fit together
            for block in blocks:
                if isinstance(block.hardware, UnrolledLayer) and is_predicted(block.hardware):
                    yield seed, block.hardware


def samples(family: str, networks: int) -> tuple[Real, Real, Real]:
    """Return seeds, figures, and of every layer LUTs of the matrix, registers, and cycles of the matrix."""
    device, kinds = DEVICES[family], coefficients(family)
    rows: list[tuple[int, Real, list[float]]] = []
    for seed, layer in layers(family, networks):
        whole, rest = count_block(layer, device), rest_of(layer)
        lut, latency = kinds[whole.kind].lut(whole), layer.latency
        if rest is not None:
            after = count_block(rest, device)
            lut, latency = lut - kinds[after.kind].lut(after), latency - rest.latency
        if lut >= _SMALL:
            rows.append((seed, figures(layer), [lut, max(whole.ff, 1), latency]))
    return tuple(np.array(column, np.float64) for column in zip(*rows, strict=True))  # type: ignore[return-value]


def fit(known: Real, found: Real) -> Prediction:
    """Return the least squares of the logarithms."""
    empty = Prediction(known.min(axis=0).tolist(), known.max(axis=0).tolist(), (), (), (), 0, 0)
    terms = np.array([empty.terms(row) for row in known])
    targets = [np.log(found[:, 0]) - known[:, 0], np.log(found[:, 1]) - known[:, 0], found[:, 2]]
    # A little of the ridge: terms that the data hardly tell apart stay small.
    ridge = np.vstack([terms, 0.05 * np.eye(terms.shape[1])])
    solved = [
        np.linalg.lstsq(ridge, np.append(target, np.zeros(terms.shape[1])), rcond=None)[0].round(5).tolist()
        for target in targets
    ]
    return Prediction(empty.low, empty.high, *solved, 0, 0)


def errors(fitted: Prediction, known: Real, found: Real) -> Real:
    """Return the errors of LUTs and registers, as shares."""
    terms = np.array([fitted.terms(row) for row in known])
    told = np.stack([np.exp(terms @ np.array(c) + known[:, 0]) for c in (fitted.lut, fitted.ff)], axis=1)
    return np.asarray(np.abs(told - found[:, :2]) / np.maximum(found[:, :2], _SMALL))


def fitted_family(family: str, networks: int) -> dict[str, float | Sequence[float]]:
    """Return what the package keeps of a family; errors are those of networks that were not fitted."""
    seeds, known, found = samples(family, networks)
    others = seeds % _HELD_OUT == 0
    off = errors(fit(known[~others], found[~others]), known[others], found[others])
    print(f"{family}: {(~others).sum()} layers fitted, {others.sum()} others: mean errors of LUT and FF {off.mean(0)}")
    ninth = [round(float(e), 4) for e in np.quantile(off, 0.9, axis=0)]
    return {**vars(fit(known, found)), "lut_error": ninth[0], "ff_error": ninth[1]}


def main() -> None:
    """Fit, and write the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="+", choices=list(DEVICES), default=["xc7"])
    parser.add_argument("--networks", type=int, default=400)
    given = parser.parse_args()
    for family in given.families:
        predicted = fitted_family(family, given.networks)
        document = json.loads(FILE.read_text())
        document["families"][family]["predicted"] = predicted
        FILE.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
