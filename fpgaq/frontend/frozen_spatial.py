"""Frozen layers on images and series, computed by Keras: its own padding, strides and windows on the frozen numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import WindowAverage

Step = Callable[[Any], Any]


def convolution_step(layer: Any, kernel: np.ndarray, bias: np.ndarray) -> Step:
    """Return a convolution of all channels as a function on tensors; kernel and bias have the type of its sums."""
    from keras import ops

    options = {"strides": tuple(layer.strides), "dilation_rate": tuple(layer.dilation_rate)}
    padding = layer.padding.lower()
    if padding != "causal":
        return lambda x: ops.conv(x, kernel, padding=padding, **options) + bias
    margin = (layer.kernel_size[0] - 1) * layer.dilation_rate[0]
    return lambda x: ops.conv(ops.pad(x, [[0, 0], [margin, 0], [0, 0]]), kernel, padding="valid", **options) + bias


def depthwise_step(layer: Any, kernel: np.ndarray, bias: np.ndarray) -> Step:
    """Return a convolution of every channel with a filter of its own as a function on tensors.

    Channel by channel: TensorFlow's own depthwise convolution does not have all strides in all types.
    """
    from keras import ops

    options = {"strides": tuple(layer.strides), "dilation_rate": tuple(layer.dilation_rate)}
    filters = np.split(kernel, kernel.shape[-2], axis=-2)

    def apply(x: Any) -> Any:
        channels = zip(ops.split(x, x.shape[-1], axis=-1), filters, strict=True)
        parts = [ops.conv(c, f, padding=layer.padding.lower(), **options) for c, f in channels]
        return ops.concatenate(parts, axis=-1) + bias

    return apply


def average_step(layer: Any, name: str, graph: Graph, dtype: str) -> Step:
    """Return an average as a function on tensors.

    The sum of a window is a convolution with ones, and so is the number of positions that it is divided by. Sums are
    exact in the float type, and so is the cut behind the division: a quotient of integers that have fewer bits than
    the mantissa is never rounded up to the next integer.
    """
    from keras import ops

    node = next(n for n in graph.nodes.values() if isinstance(n, WindowAverage) and n.layer == name)
    image = tuple(layer.input.shape[1:-1])
    size = tuple(getattr(layer, "pool_size", image))
    stride = tuple(getattr(layer, "strides", size))
    padding = getattr(layer, "padding", "valid").lower()
    flat = hasattr(layer, "keepdims") and not layer.keepdims
    step = np.asarray(2.0**-node.type.frac, dtype)

    def summed(x: Any) -> Any:
        # Channel by channel: TensorFlow's own depthwise convolution does not have all strides in all types.
        channels = ops.split(x, x.shape[-1], axis=-1)
        ones = np.ones((*size, 1, 1), dtype)
        return ops.concatenate([ops.conv(c, ones, strides=stride, padding=padding) for c in channels], axis=-1)

    def apply(x: Any) -> Any:
        quotient = summed(x) / step / summed(ops.ones_like(x[:1]))
        average = ops.sign(quotient) * ops.floor(ops.abs(quotient)) * step
        return ops.reshape(average, (-1, x.shape[-1])) if flat else average

    return apply
