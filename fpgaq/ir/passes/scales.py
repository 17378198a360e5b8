"""Fold per-channel scales that are powers of two into the matrix in front of them: in hardware they are wires."""

from __future__ import annotations

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Affine, MatMul
from fpgaq.ir.types import INT64_LIMIT, IntArray


def fold_scales(graph: Graph) -> Graph:
    """Return the graph with unrolled ``matmul -> affine`` pairs merged where every scale is 0 or a power of two."""
    nodes: dict[str, Node] = {}
    for node in graph.nodes.values():
        matrix = nodes.get(node.inputs[0]) if node.inputs else None
        if isinstance(node, Affine) and isinstance(matrix, MatMul) and _foldable(graph, matrix, node):
            del nodes[matrix.name]
            nodes[node.name] = _folded(matrix, node)
        else:
            nodes[node.name] = node
    return Graph(graph.name, nodes.values(), graph.outputs)


def _foldable(graph: Graph, matrix: MatMul, affine: Affine) -> bool:
    alone = len(graph.consumers(matrix.name)) == 1 and matrix.name not in graph.outputs
    most = int(np.abs(matrix.weight).max(initial=0)) * int(np.abs(affine.scale).max(initial=0))
    return alone and matrix.reuse == 1 and _are_powers(affine.scale) and most < INT64_LIMIT


def _are_powers(scale: IntArray) -> bool:
    """Whether every scale is 0 or plus or minus a power of two times the same odd number, which is 1."""
    magnitude = np.abs(scale)
    return bool(np.all(magnitude & (magnitude - 1) == 0))


def _folded(matrix: MatMul, affine: Affine) -> MatMul:
    return matrix.with_weights(
        matrix.weight * affine.scale,
        matrix.unit if matrix.format is None else matrix.unit * affine.scale,
        name=affine.name,
        type=affine.type,
        weight_frac=matrix.weight_frac + affine.scale_frac,
        bias=matrix.bias * affine.scale + affine.bias,
    )
