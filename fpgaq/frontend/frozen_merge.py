"""Frozen merging layers, computed by Keras: its own functions on the frozen numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import Merge

Step = Callable[[Any], Any]


def merge_step(layer: Any, name: str, graph: Graph, dtype: str) -> Step:
    """Return a merging layer as a function on the list of its tensors.

    All of Keras' functions are exact on numbers whose sums and products fit the mantissa, but for an average of a
    number of tensors that is no power of two: that one is cut towards zero, as `average_step` does it.
    """
    from keras import layers, ops

    count = len(layer.input)
    if type(layer).__name__ != "Average" or count & (count - 1) == 0:
        return lambda tensors: layer.call(tensors)
    node = next(n for n in graph.nodes.values() if isinstance(n, Merge) and n.layer == name)
    step = np.asarray(2.0**-node.type.frac, dtype)
    adder = layers.Add()
    adder.build([tensor.shape for tensor in layer.input])

    def apply(tensors: Any) -> Any:
        quotient = adder.call(tensors) / step / count
        return ops.sign(quotient) * ops.floor(ops.abs(quotient)) * step

    return apply
