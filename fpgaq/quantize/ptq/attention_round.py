"""Attention Round: weights may go to any number of the grid, the rarer the further it is.

Source: arXiv 2207.03088, a reconstruction: that the chance of a number decays as a Gaussian of its distance is the
paper's; the gradient below and every constant are from memory and from trials [M], not checked against the paper. Own:
gradients of all calibration data at once, and steps that become shorter, without which too many weights move together.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from fpgaq.quantize.ptq.adam import Adam
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.reconstruction import Reconstruction

Real = NDArray[np.float64]

#: Width of the Gaussian that damps, and of the one that moves begin with, in steps of the grid.
_WIDTH, _START = 0.5, 0.1
_RATE = 1e-2
_ITERATIONS = 1500
_EVERY = 10


def attention_round(task: Reconstruction, grid: Grid, rng: np.random.Generator) -> Real:
    """Return the places of least error that the descent passes.

    Every weight has a move, in gaps of the grid, that is added before it is rounded. The gradient of the move is that
    of the weight, damped by the tail of the Gaussian where it leads further away; how wide the gap is does not matter
    to Adam.
    """
    base = grid.positions(task.weights)
    moves = rng.normal(0, _START, base.shape)
    adam = Adam()
    best = grid.nearest(task.weights)
    least = task.error(grid.values(best))
    for iteration in range(1, _ITERATIONS + 1):
        gradient = task.gradient(grid.values(np.rint(base + moves)))
        tail = 0.5 * erf(moves / (math.sqrt(2) * _WIDTH))
        damped = gradient * np.where(gradient > 0, 0.5 + tail, 0.5 - tail)
        moves += adam.step(damped, _RATE * (1 - (iteration - 1) / _ITERATIONS))
        if iteration % _EVERY == 0:
            places = grid.clipped(np.rint(base + moves))
            error = task.error(grid.values(places))
            if error < least:
                best, least = places, error
    return best
