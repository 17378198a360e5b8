"""The integer graph cut into hardware layers: each matrix with what follows it elementwise is one layer."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.errors import ModelError
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node, Operand
from fpgaq.ir.ops import ArgMax, Input, MatMul, Reshape, Softmax
from fpgaq.rtl.verilog import identifiers

#: Operations on whole vectors, which are layers of their own.
_HEADS = (ArgMax, Softmax)


@dataclass(frozen=True)
class Layer:
    """A hardware layer.

    Parameters
    ----------
    name : str
        Legal identifier, after the layer of the model.
    nodes : tuple of Node
        Operations in order: at most one matrix, in front, then elementwise ones; or a head alone.
    source, result : Operand
        Type and bounds of what goes in and comes out, as vectors.
    output : str
        Name of the node whose value leaves.
    """

    name: str
    nodes: tuple[Node, ...]
    source: Operand
    result: Operand
    output: str

    @property
    def matrix(self) -> MatMul | None:
        """The matrix of this layer."""
        first = self.nodes[0]
        return first if isinstance(first, MatMul) else None

    @property
    def n_in(self) -> int:
        """Elements of the input vector."""
        return int(self.source.bounds.lo.size)

    @property
    def n_out(self) -> int:
        """Elements of the output vector."""
        return int(self.result.bounds.lo.size)


def split(graph: Graph) -> list[Layer]:
    """Cut a graph into hardware layers.

    Raises
    ------
    ModelError
        If the graph is not a chain from one input to one output.
    """
    groups: list[list[Node]] = []
    previous: Node | None = None
    for node in graph.nodes.values():
        _require_chain(graph, node, previous)
        previous = node
        if isinstance(node, (Input, Reshape)):
            continue
        if isinstance(node, (MatMul, *_HEADS)) or not groups or isinstance(groups[-1][-1], _HEADS):
            groups.append([])
        groups[-1].append(node)
    if not groups:
        raise ModelError(f"design {graph.name!r}: it computes nothing; give a model with at least one layer")
    names = identifiers(f"{graph.name}_{group[0].layer}" for group in groups)
    return [_layer(graph, group, name) for group, name in zip(groups, names, strict=True)]


def _layer(graph: Graph, group: list[Node], name: str) -> Layer:
    last = group[-1]
    return Layer(name, tuple(group), graph.operand(group[0].inputs[0]), graph.operand(last.name), last.name)


def _require_chain(graph: Graph, node: Node, previous: Node | None) -> None:
    chained = not node.inputs if previous is None else node.inputs == (previous.name,)
    if not chained or len(graph.outputs) != 1:
        raise ModelError(
            f"layer {node.layer!r}: hardware is generated for networks that are one chain from one input to one "
            "output; "
            "branches are not available yet (golden model and C++ simulation work)"
        )
