"""The numbers that the weights of a layer may become."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fpgaq.quantize.formats import WeightFormat

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """Integers of a format times a power of two; a number is told by its place among them, lowest first.

    Parameters
    ----------
    format : WeightFormat
        How they are stored.
    unit : float
        A power of two, so that every value is a float32 exactly.
    only : int array or None
        The integers that are used, ascending, at least two; all of the format by default.
    """

    format: WeightFormat
    unit: float
    only: NDArray[np.int64] | None = None

    @property
    def bits(self) -> int:
        """Stored bits of a weight."""
        return self.format.bits

    @property
    def integers(self) -> NDArray[np.int64]:
        """What values are in units."""
        return self.format.levels if self.only is None else self.only

    @cached_property
    def levels(self) -> Real:
        """The values, ascending."""
        return self.integers.astype(np.float64) * self.unit

    def positions(self, values: Real) -> Real:
        """Return where values lie: a place, and the share of the gap behind it; beyond the ends the last gap recurs."""
        below = np.clip(np.searchsorted(self.levels, values, "right") - 1, 0, len(self.levels) - 2)
        low, high = self.levels[below], self.levels[below + 1]
        found: Real = below + (values - low) / (high - low)
        return found

    def clipped(self, places: Real) -> Real:
        """Return places that exist."""
        return np.clip(places, 0.0, float(len(self.levels) - 1))

    def values(self, places: Real) -> Real:
        """Return the values at whole places; beyond the ends those of the ends."""
        return self.levels[self.clipped(places).astype(np.int64)]

    def nearest(self, values: Real) -> Real:
        """Return the places next to some values, half to even."""
        return self.clipped(np.rint(self.positions(values)))
