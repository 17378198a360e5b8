"""The numbers that the weights of a layer may become."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgaq.quantize.formats import WeightFormat

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """Integers of a format times powers of two; a number is told by its place among them, lowest first.

    Values are those of a matrix, (groups, inputs, outputs), where there are units by channel.

    Parameters
    ----------
    format : WeightFormat
        How they are stored.
    unit : float or float array, shape (groups, 1, outputs)
        A power of two, or one for every output channel, so that every value is a float32 exactly.
    only : int array or None
        The integers that are used, ascending, at least two; all of the format by default.
    """

    format: WeightFormat
    unit: float | Real
    only: NDArray[np.int64] | None = None

    @property
    def bits(self) -> int:
        """Stored bits of a weight."""
        return self.format.bits

    @property
    def integers(self) -> NDArray[np.int64]:
        """What values are in units."""
        return self.format.levels if self.only is None else self.only

    def positions(self, values: Real) -> Real:
        """Return where values lie: a place, and the share of the gap behind it; beyond the ends the last gap recurs."""
        integers = self.integers.astype(np.float64)
        scaled: Real = values / self.unit
        below = np.clip(np.searchsorted(integers, scaled, "right") - 1, 0, len(integers) - 2)
        low, high = integers[below], integers[below + 1]
        found: Real = below + (scaled - low) / (high - low)
        return found

    def clipped(self, places: Real) -> Real:
        """Return places that exist."""
        return np.clip(places, 0.0, float(len(self.integers) - 1))

    def values(self, places: Real) -> Real:
        """Return the values at whole places; beyond the ends those of the ends."""
        return self.integers[self.clipped(places).astype(np.int64)].astype(np.float64) * self.unit

    def nearest(self, values: Real) -> Real:
        """Return the places next to some values, half to even."""
        return self.clipped(np.rint(self.positions(values)))
