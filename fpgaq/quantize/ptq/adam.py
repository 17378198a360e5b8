"""Adam (Kingma and Ba, arXiv 1412.6980) on one array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]


class Adam:
    """Steps down a gradient, of a length that does not depend on the gradient's."""

    def __init__(self) -> None:
        self._mean: Real | float = 0.0
        self._square: Real | float = 0.0
        self._steps = 0

    def step(self, gradient: Real, rate: float) -> Real:
        """Return what is added to the parameters; `rate` is about the most of it."""
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * gradient
        self._square = 0.999 * self._square + 0.001 * gradient**2
        mean, square = self._mean / (1 - 0.9**self._steps), self._square / (1 - 0.999**self._steps)
        return -rate * mean / (np.sqrt(square) + 1e-12)
