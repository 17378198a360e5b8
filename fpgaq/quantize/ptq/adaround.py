"""AdaRound: every weight goes up or down, whichever is better for the outputs of the layer.

Source: Nagel et al., arXiv 2004.10568: rectified sigmoid and annealed regularizer, constants as in BRECQ's code. Own:
the error is told in units of that of plain rounding, and the regularizer per weight, so that one weight of the
regularizer does for all layers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from fpgaq.quantize.ptq.adam import Adam
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.reconstruction import Reconstruction

Real = NDArray[np.float64]

#: Limits that the sigmoid is stretched to before it is cut off at 0 and 1.
LOW, HIGH = -0.1, 1.1
_REGULARIZER = 0.5
_FIRST_POWER, _LAST_POWER = 20.0, 2.0
_WARM_UP = 0.2
_RATE = 2e-2
_ITERATIONS = 1500
_EVERY = 50


def adaround(task: Reconstruction, grid: Grid, rng: np.random.Generator) -> Real:
    """Return for every weight one of its two neighbours on the grid."""
    positions = grid.positions(task.weights)
    below = np.floor(positions)
    low, gap = grid.values(below), grid.values(below + 1) - grid.values(below)
    part = positions - below
    logits = -np.log((HIGH - LOW) / (part - LOW) - 1)
    adam = Adam()
    best = grid.nearest(task.weights)
    least = task.error(grid.values(best))
    unit = 1 / max(least, np.finfo(float).tiny)
    for iteration in range(1, _ITERATIONS + 1):
        soft = expit(logits)
        wide = LOW + (HIGH - LOW) * soft
        up = np.clip(wide, 0, 1)
        slope = unit * gap * task.gradient(low + up * gap)
        slope += regularizer_slope(up, iteration / _ITERATIONS)
        inner = np.where((wide > 0) & (wide < 1), (HIGH - LOW) * soft * (1 - soft), 0.0)
        logits += adam.step(slope * inner, _RATE)
        if iteration % _EVERY == 0:
            places = grid.clipped(below + (logits >= 0))
            error = task.error(grid.values(places))
            if error < least:
                best, least = places, error
    return best


def regularizer_slope(up: Real, done: float) -> Real | float:
    """Return the derivative of the mean of 1 - |2h - 1|^power; the power falls, so that at last all h are 0 or 1."""
    if done < _WARM_UP:
        return 0.0
    left = 1 - (done - _WARM_UP) / (1 - _WARM_UP)
    power = _LAST_POWER + (_FIRST_POWER - _LAST_POWER) * left
    centred = 2 * up - 1
    found: Real = -_REGULARIZER / up.size * 2 * power * np.sign(centred) * np.abs(centred) ** (power - 1)
    return found
