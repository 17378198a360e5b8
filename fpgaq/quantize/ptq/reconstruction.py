"""What rounding a kernel does to the outputs of its layer.

The mean squared error of a layer's outputs is a quadratic function of its weights, so that two moments of the
calibration data say everything about it: the searches below need no samples, and their gradients have no noise.

The inputs are those of the layer in the network that is quantized up to it, the outputs wanted are those of the float
network: a layer makes up for errors of those before it (as in BRECQ, arXiv 2102.05426, and its code).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The outputs that a layer should have, and what it makes them of.

    Parameters
    ----------
    weights : float array, shape (groups, inputs, outputs)
        Of the float network.
    products : float array, shape (groups, inputs, inputs)
        Mean products of two inputs.
    wanted : float array, shape (groups, inputs, outputs)
        Mean products of inputs and the outputs wanted.
    power : float
        Mean square of the outputs wanted, summed over them.
    shift : tuple of float arrays, shapes (groups, inputs) and (groups, outputs), or None
        Means of inputs and of outputs wanted, which were subtracted: a bias will make up for them. None without a bias.
    bit_price : float array, shape (groups, inputs, outputs), or None
        What telling a weight costs per bit, see `fpgaq.quantize.ptq.entropy`; None for methods that do not ask.
    """

    weights: Real
    products: Real
    wanted: Real
    power: float
    shift: tuple[Real, Real] | None
    bit_price: Real | None = None

    @classmethod
    def of(cls, weights: Real, batches: Iterable[tuple[Real, Real]], *, biased: bool) -> Reconstruction:
        """Gather the moments of a layer.

        Parameters
        ----------
        weights : float array, shape (groups, inputs, outputs)
        batches : iterable of pairs of float arrays, shape (groups, rows, inputs)
            What the quantized layer reads, and the float layer in the same place.
        biased : bool
            Whether a bias takes up the mean error.
        """
        groups, inputs, outputs = weights.shape
        products, wanted, power = np.zeros((groups, inputs, inputs)), np.zeros((groups, inputs, outputs)), 0.0
        inputs_sum, outputs_sum, count = np.zeros((groups, inputs)), np.zeros((groups, outputs)), 0
        for quantized, original in batches:
            y = original @ weights
            products += np.stack([rows.T @ rows for rows in quantized])  # BLAS knows that these are symmetric
            wanted += quantized.transpose(0, 2, 1) @ y
            power += float(np.sum(y * y))
            inputs_sum += quantized.sum(1)
            outputs_sum += y.sum(1)
            count += y.shape[1]
        products, wanted, power = products / count, wanted / count, power / count
        if not biased:
            return cls(weights, products, wanted, power, None)
        x, y = inputs_sum / count, outputs_sum / count
        products = products - x[:, :, None] * x[:, None, :]
        wanted = wanted - x[:, :, None] * y[:, None, :]
        return cls(weights, products, wanted, power - float(np.sum(y * y)), (x, y))

    def error(self, weights: Real) -> float:
        """Return the mean squared error of the outputs, summed over them, with other weights."""
        moved = self.products @ weights
        return max(0.0, float(np.sum(weights * (moved - 2 * self.wanted))) + self.power)

    def gradient(self, weights: Real) -> Real:
        """Return the derivative of the error by the weights."""
        return 2 * (self.products @ weights - self.wanted)
