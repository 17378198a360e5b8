"""Entropy-constrained rounding: a weight may go to a number further away that is used more often, above all to zero.

Source: ECQx (arXiv 2109.04236), which trains between assignments, and whose relevances are from layer-wise relevance
propagation. Here weights are assigned once, and the relevance of a weight is its part in the highest output: weight
times gradient, which for rectifiers is what propagation without stabilizers gives. Own: what a bit costs falls with
the relevance, bounded, and zero is never dearer than other numbers, so that more weights are zero the more bits cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.reconstruction import Reconstruction

Real = NDArray[np.float64]

_BATCH = 256


def entropy_constrained(task: Reconstruction, grid: Grid, rng: np.random.Generator) -> Real:
    """Return the places of least squared error plus price of the bits that tell them.

    The price is in squares of the grid's unit. Without any, these are the nearest places.
    """
    assert task.bit_price is not None
    nearest = grid.nearest(task.weights)
    counts = np.bincount(nearest.astype(np.int64).reshape(-1), minlength=len(grid.integers))
    bits = np.log2((counts.sum() + len(counts)) / (counts + 1.0))
    bits[grid.integers == 0] = bits.min()
    price = task.bit_price * grid.unit**2
    best, least = nearest, (grid.values(nearest) - task.weights) ** 2 + price * bits[nearest.astype(np.int64)]
    for place, integer in enumerate(grid.integers):
        cost = (integer * grid.unit - task.weights) ** 2 + price * bits[place]
        best, least = np.where(cost < least, place, best), np.minimum(cost, least)
    found: Real = best.astype(np.float64)
    return found


def prices(relevance: Real, scale: float) -> Real:
    """Return what a bit of every weight costs: `scale` at the mean relevance, twice that at none, less with more."""
    mean = float(relevance.mean())
    if mean == 0:  # nothing depends on any weight of the layer
        return np.full(relevance.shape, 2 * scale)
    return 2 * scale * mean / (mean + relevance)


def relevances(model: Any, names: Sequence[str], data: Any) -> dict[str, Real]:
    """Return how much of the highest output comes through every weight: its mean magnitude over batches.

    Parameters
    ----------
    model : keras.Model
    names : sequence of str
        Layers with a matrix.
    data : float array, shape (samples, ...)
    """
    import tensorflow as tf

    kernels = [model.get_layer(name).weights[0] for name in names]
    sums = [np.zeros(tuple(kernel.shape)) for kernel in kernels]
    for start in range(0, len(data), _BATCH):
        with tf.GradientTape() as tape:
            outputs = tf.reshape(model(data[start : start + _BATCH], training=False), (len(data[start:][:_BATCH]), -1))
            highest = tf.reduce_sum(tf.reduce_max(outputs, axis=1))
        slopes = tape.gradient(highest, kernels, unconnected_gradients="zero")
        sums = [
            total + np.abs(np.asarray(k * g, np.float64)) for total, k, g in zip(sums, kernels, slopes, strict=True)
        ]
    return {name: total / len(data) for name, total in zip(names, sums, strict=True)}
