"""The frozen gated layers, computed by Keras: real activations, real thresholds, frozen weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fpgaq.frontend.dyadic import Dyadic


def gated_step(layer: Any, weight: Dyadic, dtype: str) -> Callable[[Any], Any]:
    """Return the layer as a function on tensors of a float type in which all its sums are exact.

    It knows nothing of integer thresholds: sums are compared with the trained ones.
    """
    from keras import ops

    weights = weight.values.astype(dtype).reshape(layer.kernel.shape)
    step = float(ops.convert_to_numpy(layer.activation_step()))
    coarse = step * 2**layer.low_bits
    largest = step * (2**layer.activation_bits - 1)
    thresholds = np.asarray(ops.convert_to_numpy(layer.threshold)).astype(dtype)

    def apply(x: Any) -> Any:
        x = ops.round(ops.clip(x, 0.0, largest) / step) * step
        high = ops.floor(x / coarse) * coarse
        predicted, update = layer.product(high, weights), layer.product(x - high, weights)
        return predicted + ops.where(predicted > thresholds, update, ops.zeros_like(update))

    return apply
