"""What the data make of operations whose work depends on them: which gates are open, for which sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpgaq.ir import golden
from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import GatedMatMul
from fpgaq.ir.types import IntArray


def open_gates(graph: Graph, inputs: Sequence[IntArray]) -> dict[str, np.ndarray]:
    """Return the mask of every gated matrix by the name of its node: boolean, shape (samples, n_out).

    Parameters
    ----------
    graph : Graph
    inputs : sequence of int array
        As of `fpgaq.ir.golden.trace`.
    """
    gated = [node for node in graph.nodes.values() if isinstance(node, GatedMatMul)]
    if not gated:
        return {}
    values = golden.trace(graph, inputs)
    return {node.name: node.open_gates(values[node.inputs[0]]) for node in gated}
