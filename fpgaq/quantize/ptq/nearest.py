"""Plain rounding: every weight for itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.reconstruction import Reconstruction

Real = NDArray[np.float64]


def nearest(task: Reconstruction, grid: Grid, rng: np.random.Generator) -> Real:
    """Return the nearest places, half to even; what they do to the outputs is not looked at."""
    return grid.nearest(task.weights)


def stochastic(task: Reconstruction, grid: Grid, rng: np.random.Generator) -> Real:
    """Return one of the two neighbours of every weight, the nearer the likelier; a baseline of the searches."""
    positions = grid.positions(task.weights)
    return grid.clipped(np.floor(positions + rng.uniform(size=positions.shape)))
