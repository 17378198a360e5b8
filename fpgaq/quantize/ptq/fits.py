"""Grids for given weights: of every format the power of two, and what else it has, of least squared error."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ranges import least_error

Real = NDArray[np.float64]

#: Powers of two below the one that holds the largest weight that are tried, without and with coarse tails.
_UNITS, _FINE_UNITS = 5, 9
_MOST_SHIFT = 8
#: Of the unit of a layer, what that of a channel has at least.
_LEAST_SHARE = 2.0**-16
#: Places of the breakpoint that are tried between the end of the centre and one coarse step behind it.
_BREAKPOINTS = 8


@dataclass(frozen=True)
class Fit:
    """A format of weights.

    Parameters
    ----------
    name : str
    least, most : int
        Bits that a weight may be stored in.
    grid : callable
        From weights and bits to a grid with one unit.
    shared : str
        What beside the unit follows from the weights; nothing where the bits say it all.
    """

    name: str
    least: int
    most: int
    grid: Callable[[Real, int], Grid]
    shared: str = ""

    def by_channel(self, weights: Real, bits: int) -> Grid:
        """Return the grid with a unit for every output channel, fitted to that channel alone.

        Of equal errors, as all are of zeros, the layer's unit remains. Channels that training has made next to nothing
        get no unit of that size: all sums of the layer would have its fraction bits.

        Parameters
        ----------
        weights : float array, shape (groups, inputs, outputs)
        bits : int
        """
        layer = self.grid(weights, bits)
        groups, _, outputs = weights.shape
        own = [[self.grid(weights[g, :, k], bits).unit for k in range(outputs)] for g in range(groups)]
        found = replace(layer, unit=np.maximum(np.array(own)[:, np.newaxis], layer.unit * _LEAST_SHARE))
        better = _by_channel(weights, found) < _by_channel(weights, layer)
        return replace(layer, unit=np.where(better, found.unit, layer.unit))


def _by_channel(weights: Real, grid: Grid) -> Real:
    """Return the squared error of every channel, shape (groups, 1, outputs)."""
    found: Real = np.sum((grid.values(grid.nearest(weights)) - weights) ** 2, axis=1, keepdims=True)
    return found


class _Errors:
    """Squared errors that grids have on weights, by sums over sorted weights."""

    def __init__(self, weights: Real) -> None:
        self._sorted = np.sort(weights.reshape(-1))
        self._sums = np.concatenate([[0.0], np.cumsum(self._sorted)])
        self.most = float(np.max(np.abs(weights), initial=0.0))

    def of(self, grid: Grid) -> float:
        """Return the sum of squared errors, less the sum of squares of the weights, which all grids have."""
        levels = grid.integers * grid.unit
        ends = np.searchsorted(self._sorted, (levels[1:] + levels[:-1]) / 2)
        ends = np.concatenate([[0], ends, [len(self._sorted)]])
        return float(np.sum(levels**2 * np.diff(ends) - 2 * levels * np.diff(self._sums[ends])))


def _best(weights: Real, candidates: Callable[[float], Iterable[Grid]]) -> Grid:
    """Return the grid of least error among those for weights of some largest magnitude; the first of equal ones."""
    errors = _Errors(weights)
    return min(candidates(errors.most), key=errors.of)


def _units(most: float, top: int, count: int) -> Iterator[float]:
    """Give powers of two, from the one by which `top` holds the largest weight downwards."""
    exponent = math.ceil(math.log2(most / top)) if most > 0 else 0
    return (2.0 ** (exponent - k) for k in range(count))


def _integers(weights: Real, bits: int) -> Grid:
    return Grid(formats.Integer(bits), 2.0 ** (least_error(weights, bits - 1, -1) + 1 - bits))


def _scaled(make: Callable[[int], WeightFormat]) -> Callable[[Real, int], Grid]:
    """Return the fit of a format that its bits say everything about."""

    def fit(weights: Real, bits: int) -> Grid:
        format_ = make(bits)
        top = int(np.abs(format_.levels).max())
        return _best(weights, lambda most: (Grid(format_, unit) for unit in _units(most, top, _UNITS)))

    return fit


def _piecewise(weights: Real, bits: int) -> Grid:
    """Search unit, step of the tails and breakpoint; the first try has equal steps everywhere."""
    half = 1 << (bits - 2)

    def candidates(most: float) -> Iterator[Grid]:
        for unit, shift in itertools.product(_units(most, 2 * half, _FINE_UNITS), range(_MOST_SHIFT + 1)):
            for behind in range(0, (1 << shift) + 1, max(1, (1 << shift) // _BREAKPOINTS)):
                yield Grid(formats.PiecewiseLinear(bits - 1, half + behind, shift), unit)

    return _best(weights, candidates)


def _two_scales(weights: Real, bits: int) -> Grid:
    """Search two scales of the same integers, without the least one in the coarse scale."""
    half = 1 << (bits - 2)

    def candidates(most: float) -> Iterator[Grid]:
        for unit, shift in itertools.product(_units(most, 2 * half, _FINE_UNITS), range(1, _MOST_SHIFT + 1)):
            coarse = np.arange(1 - half, half) << shift
            only = np.union1d(np.arange(-half, half), coarse)
            yield Grid(formats.PiecewiseLinear(bits - 1, max(half, 1 << shift), shift), unit, only)

    return _best(weights, candidates)


def _shared(weights: Real, bits: int) -> Grid:
    from fpgaq.quantize.quantizers import Codebook

    quantizer = Codebook.from_weights(weights, bits)
    return Grid(quantizer.format, quantizer.unit)


FITS = {
    fit.name: fit
    for fit in (
        Fit("int", 2, 16, _integers),
        Fit("pot", 2, 5, _scaled(formats.PowerOfTwo)),
        Fit("apot", 3, 7, _scaled(formats.AdditivePowerOfTwo)),
        Fit("ternary", 2, 2, _scaled(lambda bits: formats.Ternary())),
        Fit("tapered", 3, 7, _scaled(formats.Tapered)),
        Fit("pwlq", 3, 9, _piecewise, "a breakpoint"),
        Fit("cfws", 3, 9, _two_scales, "a second scale"),
        Fit("codebook", 1, 8, _shared, "a table"),
    )
}
"""By name."""
