"""Drop channels between two matrices that the second one does not read, or that never change."""

from __future__ import annotations

import dataclasses

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Affine, Clip, LeakyRelu, MatMul, Relu, Requantize, Staircases, Thresholds
from fpgaq.ir.types import IntArray

_ELEMENTWISE = (Affine, Clip, LeakyRelu, Relu, Requantize, Staircases, Thresholds)


def drop_dead_channels(graph: Graph) -> Graph:
    """Return the graph with narrower unrolled matrices; constant channels move into the next bias."""
    nodes = dict(graph.nodes)
    for node in graph.nodes.values():
        between = _between(graph, node)
        if between is None:
            continue
        second = nodes[node.name]
        assert isinstance(second, MatMul)
        alive, bias = _alive(graph, second)
        if alive.all() or second.reuse != 1:
            continue
        kept = alive.copy()
        kept[0] |= not alive.any()  # a vector needs an element; its weights are then zero
        weight = np.where(alive[:, None], second.weight, 0)[kept]
        present = second.present[kept] if second.present.size else second.present
        nodes[node.name] = second.with_weights(weight, second.unit, bias=bias, present=present)
        for name in between:
            nodes[name] = _narrowed(nodes[name], kept)
    return Graph(graph.name, nodes.values(), graph.outputs)


def _between(graph: Graph, node: Node) -> list[str] | None:
    """Return the nodes from the unrolled matrix in front of a matrix up to it; None if there is none."""
    if not isinstance(node, MatMul):
        return None
    names: list[str] = []
    name = node.inputs[0]
    while True:
        previous = graph.nodes[name]
        if len(graph.consumers(name)) != 1 or name in graph.outputs:
            return None
        names.append(name)
        if isinstance(previous, MatMul):
            return names if previous.reuse == 1 else None
        if not isinstance(previous, _ELEMENTWISE):
            return None
        name = previous.inputs[0]


def _alive(graph: Graph, matrix: MatMul) -> tuple[np.ndarray, IntArray]:
    """Return which inputs of a matrix matter, and its bias with those that are constant."""
    x = graph.bounds[matrix.inputs[0]].channels
    constant = x.lo == x.hi
    bias = matrix.bias + x.lo[constant] @ matrix.weight[constant]
    return np.any(matrix.weight != 0, axis=1) & ~constant, bias


def _narrowed(node: Node, alive: np.ndarray) -> Node:
    """Return a node for the channels that are left."""
    if isinstance(node, MatMul):
        unit = node.unit if node.format is None else node.unit[alive]
        present = node.present[:, alive] if node.present.size else node.present
        return dataclasses.replace(
            node, weight=node.weight[:, alive], bias=node.bias[alive], unit=unit, present=present
        )
    if isinstance(node, Affine):
        return dataclasses.replace(node, scale=node.scale[alive], bias=node.bias[alive])
    if isinstance(node, LeakyRelu):
        return dataclasses.replace(node, slope=node.slope[alive])
    if isinstance(node, Staircases):
        return dataclasses.replace(node, thresholds=node.thresholds[alive], codes=node.codes[alive])
    return node
