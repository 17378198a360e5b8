"""Plain rounding: every weight for itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.reconstruction import Reconstruction

Real = NDArray[np.float64]


def nearest(task: Reconstruction, grid: Grid, rng: np.random.Generator) -> Real:
    """Return the nearest integers, half to even; what they do to the outputs is not looked at."""
    return grid.nearest(task.weights)
