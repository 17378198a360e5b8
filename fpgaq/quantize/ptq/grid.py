"""The numbers that the weights of a layer may become."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Integers of two's complement times a power of two.

    Parameters
    ----------
    bits : int
    step : float
        A power of two, so that every value is a float32 exactly.
    """

    bits: int
    step: float

    @property
    def lowest(self) -> int:
        """The least integer."""
        return -(2 ** (self.bits - 1))

    @property
    def highest(self) -> int:
        """The largest integer."""
        return 2 ** (self.bits - 1) - 1

    def clipped(self, codes: Real) -> Real:
        """Return integers that are on the grid."""
        return np.clip(codes, self.lowest, self.highest)

    def nearest(self, values: Real) -> Real:
        """Return the integers next to some values, half to even."""
        return self.clipped(np.rint(values / self.step))
