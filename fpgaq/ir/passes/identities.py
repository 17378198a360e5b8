"""Drop operations that change nothing, and casts that lose nothing in front of another cast."""

from __future__ import annotations

import dataclasses

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Clip, Crop, Pad, Permute, Relu, Repeat, Requantize, Reshape, WindowAverage, WindowMax, Windows
from fpgaq.ir.types import FixedType


def drop_identities(graph: Graph) -> Graph:
    """Return the graph without identities; outputs keep their node, and so does what gives a tensor its type."""
    renamed: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes.values():
        node = dataclasses.replace(node, inputs=tuple(renamed.get(i, i) for i in node.inputs))
        if node.name not in graph.outputs and _is_identity(graph, node):
            renamed[node.name] = node.inputs[0]
            continue
        nodes.append(_merged(graph, node, {n.name: n for n in nodes}))
    return _without_unused(Graph(graph.name, nodes, graph.outputs))


def _is_identity(graph: Graph, node: Node) -> bool:
    if not node.inputs or graph.nodes[node.inputs[0]].type != node.type:
        return False
    x = graph.bounds[node.inputs[0]]
    lo, hi = x.hull
    if isinstance(node, Reshape):
        return x.lo.shape == graph.bounds[node.name].lo.shape
    if isinstance(node, Relu):
        return lo >= 0
    if isinstance(node, Clip):
        return node.least <= lo and hi <= node.most
    if isinstance(node, (Crop, Pad)):
        return not any((*node.before, *node.after))
    if isinstance(node, Repeat):
        return max(node.times) == 1
    if isinstance(node, Windows):
        return node.positions == max(node.stride) == 1
    if isinstance(node, WindowMax):
        return node.positions == 1
    if isinstance(node, WindowAverage):
        return node.positions == 1 and bool(np.all(node.divisors == 1))
    return isinstance(node, Requantize) and node.shift == 0 and node.keeps(lo, hi)


def _merged(graph: Graph, node: Node, before: dict[str, Node]) -> Node:
    """Let a cast read what an exact cast in front of it reads; make axes of one element a change of shape."""
    if isinstance(node, Permute) and _keeps_order(node, graph.operand(node.inputs[0]).shape):
        shape = graph.operand(node.name).shape
        return Reshape(name=node.name, inputs=node.inputs, type=node.type, layer=node.layer, shape=shape)
    if not isinstance(node, Requantize):
        return node
    inner = before[node.inputs[0]]
    if not isinstance(inner, Requantize) or inner.shift > 0:
        return node
    lo, hi = graph.bounds[inner.inputs[0]].hull
    wide = FixedType.from_interval(lo << -inner.shift, hi << -inner.shift, inner.type.frac)
    if not inner.keeps(lo << -inner.shift, hi << -inner.shift) or wide.width > 62:
        return node
    return dataclasses.replace(node, inputs=inner.inputs, source_frac=inner.source_frac)


def _keeps_order(node: Permute, shape: tuple[int, ...]) -> bool:
    """Whether the axes that are longer than one element stay in their order."""
    long = [axis for axis in node.axes if shape[axis] > 1]
    return long == sorted(long)


def _without_unused(graph: Graph) -> Graph:
    needed = set(graph.outputs) | {n.name for n in graph.inputs}
    for node in reversed(list(graph.nodes.values())):
        if node.name in needed:
            needed.update(node.inputs)
    return Graph(graph.name, [n for n in graph.nodes.values() if n.name in needed], graph.outputs)
