"""Let activations with few levels travel as 0, 1, 2, ...: -1 and +1 are one bit then, and a sum of them a popcount."""

from __future__ import annotations

import dataclasses

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import MatMul, Pad, Reshape, Staircases, Thresholds, WindowMax, Windows
from fpgaq.ir.types import FixedType

#: Operations that move levels, or choose among them by their order.
_MOVES = (Pad, Reshape, WindowMax, Windows)


def number_levels(graph: Graph) -> Graph:
    """Return the graph with evenly spaced levels counted from zero, and the matrices behind them adapted."""
    nodes = dict(graph.nodes)
    for node in graph.nodes.values():
        if not isinstance(node, (Staircases, Thresholds)):
            continue
        least, step = int(node.codes.min()), int(np.gcd.reduce(np.diff(node.codes.reshape(-1))))
        behind = _behind(graph, node)
        if (least, step) == (0, 1) or step == 0 or not _all_read_indices(graph, [node, *behind], least, step):
            continue
        codes = (node.codes - least) // step
        margins = [(n.value - least) // step for n in behind if isinstance(n, Pad)]  # which may be above all levels
        kind = FixedType.from_interval(0, max(int(codes.max()), *margins, 0), node.type.frac)
        nodes[node.name] = dataclasses.replace(node, codes=codes, type=kind)
        for reader in behind:
            nodes[reader.name] = _of_indices(nodes[reader.name], kind, least, step)
    return Graph(graph.name, nodes.values(), graph.outputs)


def _behind(graph: Graph, node: Node) -> list[Node]:
    """Return what reads the levels of a node, also where they have been moved."""
    found: list[Node] = []
    for reader in graph.consumers(node.name):
        found += [reader, *(_behind(graph, reader) if isinstance(reader, _MOVES) else [])]
    return found


def _all_read_indices(graph: Graph, nodes: list[Node], least: int, step: int) -> bool:
    """Whether levels end in unrolled matrices only, and every margin is one of them."""
    matrices = [n for n in nodes if isinstance(n, MatMul)]
    levels = [n for n in nodes if not isinstance(n, MatMul)]
    return (
        all(isinstance(n, _MOVES) for n in levels[1:])
        and all(graph.consumers(n.name) and n.name not in graph.outputs for n in levels)
        and all(n.reuse == 1 for n in matrices)
        and all(n.value >= least and (n.value - least) % step == 0 for n in levels if isinstance(n, Pad))
    )


def _of_indices(node: Node, kind: FixedType, least: int, step: int) -> Node:
    """Return an operation for indices instead of levels."""
    if isinstance(node, MatMul):
        bias = node.bias + least * node.weight.sum(axis=0)
        return node.with_weights(node.weight * step, node.unit * step, bias=bias)
    if isinstance(node, Pad):
        return dataclasses.replace(node, type=kind, value=(node.value - least) // step)
    return dataclasses.replace(node, type=kind)
