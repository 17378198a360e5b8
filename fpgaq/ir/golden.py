"""The golden model: a vectorised int64 interpreter of the integer graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpgaq.errors import ConfigError
from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import Input
from fpgaq.ir.types import IntArray


def trace(graph: Graph, inputs: Sequence[IntArray]) -> dict[str, IntArray]:
    """Run the graph and keep every tensor.

    Parameters
    ----------
    graph : Graph
        What to run. That no intermediate result leaves int64 was proven from its bounds when it was built.
    inputs : sequence of int array, shape (samples, *shape)
        Codes of every graph input, in order.

    Returns
    -------
    dict
        Codes of every node by its name, each of shape (samples, *shape).

    Raises
    ------
    ConfigError
        If the number, shape or range of the inputs does not fit.
    """
    if len(inputs) != len(graph.inputs):
        raise ConfigError(f"the model has {len(graph.inputs)} inputs, {len(inputs)} arrays were given")
    values: dict[str, IntArray] = {}
    for source, array in zip(graph.inputs, inputs, strict=True):
        values[source.name] = _checked(source, np.asarray(array))
    for node in graph.nodes.values():
        if node.name not in values:
            values[node.name] = node.evaluate([values[i] for i in node.inputs])
    return values


def _checked(node: Input, x: np.ndarray) -> IntArray:
    if x.dtype.kind not in "iu":
        raise ConfigError(f"input {node.name!r}: integer codes are needed, not {x.dtype}")
    if x.shape[1:] != node.shape:
        raise ConfigError(f"input {node.name!r}: samples of shape {list(x.shape[1:])}, expected {list(node.shape)}")
    if x.size and not node.type.covers(int(x.min()), int(x.max())):
        raise ConfigError(f"input {node.name!r}: codes between {x.min()} and {x.max()} do not fit {node.type}")
    return x.astype(np.int64)


def run(graph: Graph, inputs: Sequence[IntArray]) -> list[IntArray]:
    """Return the codes of the graph outputs; see `trace`."""
    values = trace(graph, inputs)
    return [values[o] for o in graph.outputs]
