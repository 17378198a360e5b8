"""Let activations with few levels travel as 0, 1, 2, ...: -1 and +1 are one bit then, and a sum of them a popcount."""

from __future__ import annotations

import dataclasses

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import MatMul, Staircases, Thresholds
from fpgaq.ir.types import FixedType


def number_levels(graph: Graph) -> Graph:
    """Return the graph with evenly spaced levels counted from zero, and the matrices behind them adapted."""
    nodes = dict(graph.nodes)
    for node in graph.nodes.values():
        if not isinstance(node, (Staircases, Thresholds)) or not _feeds_unrolled_matrices(graph, node):
            continue
        least, step = int(node.codes.min()), int(np.gcd.reduce(np.diff(node.codes.reshape(-1))))
        if (least, step) == (0, 1) or step == 0:
            continue
        codes = (node.codes - least) // step
        kind = FixedType.from_interval(0, int(codes.max()), node.type.frac)
        nodes[node.name] = dataclasses.replace(node, codes=codes, type=kind)
        for consumer in graph.consumers(node.name):
            matrix = nodes[consumer.name]
            assert isinstance(matrix, MatMul)
            nodes[matrix.name] = matrix.with_weights(
                matrix.weight * step, matrix.unit * step, bias=matrix.bias + least * matrix.weight.sum(axis=0)
            )
    return Graph(graph.name, nodes.values(), graph.outputs)


def _feeds_unrolled_matrices(graph: Graph, node: Node) -> bool:
    consumers = graph.consumers(node.name)
    unrolled = all(isinstance(c, MatMul) and c.reuse == 1 for c in consumers)
    return bool(consumers) and unrolled and node.name not in graph.outputs
