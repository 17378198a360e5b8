"""The integer graph cut into hardware layers: a matrix with the elementwise operations that only it feeds is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from fpgaq.errors import ModelError
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node, Operand
from fpgaq.ir.ops import ArgMax, GatedMatMul, Input, MatMul, Reshape, Softmax
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
    inputs : tuple of str
        Streams that it reads: names of graph inputs or of outputs of other layers.
    output : str
        Name of the node whose value leaves; the stream is called so.
    """

    name: str
    nodes: tuple[Node, ...]
    source: Operand
    result: Operand
    inputs: tuple[str, ...]
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


def streams(graph: Graph) -> dict[str, str]:
    """Return the node that makes the vector of each node: itself, but for reshapes, which only rename it."""
    made: dict[str, str] = {}
    for node in graph.nodes.values():
        made[node.name] = made[node.inputs[0]] if isinstance(node, Reshape) else node.name
    return made


def split(graph: Graph) -> list[Layer]:
    """Cut a graph into hardware layers, in topological order.

    Raises
    ------
    ModelError
        If it computes nothing, or an input is read by nothing.
    """
    made = streams(graph)
    computed = [n for n in _needed(graph) if not isinstance(n, (Input, Reshape))]
    readers = Counter([*(made[i] for n in computed for i in n.inputs), *(made[o] for o in graph.outputs)])
    for source in graph.inputs:
        if not readers[source.name]:
            raise ModelError(f"input {source.layer!r}: no output depends on it; take it out of the model")
    groups: list[list[Node]] = []
    ends: dict[str, list[Node]] = {}
    for node in computed:
        source_name = _only_input(node, made)
        group = ends.get(source_name)
        if group is None or readers[source_name] > 1 or isinstance(node, (MatMul, GatedMatMul, *_HEADS)):
            group = []
            groups.append(group)
        group.append(node)
        if not isinstance(node, _HEADS):
            ends[node.name] = group
    if not groups:
        raise ModelError(f"design {graph.name!r}: it computes nothing; give a model with at least one layer")
    names = identifiers(f"{graph.name}_{group[0].layer}" for group in groups)
    return [_layer(graph, group, name, made) for group, name in zip(groups, names, strict=True)]


def _needed(graph: Graph) -> list[Node]:
    """Return the nodes that an output depends on."""
    needed = set(graph.outputs)
    for node in reversed(list(graph.nodes.values())):
        if node.name in needed:
            needed.update(node.inputs)
    return [node for node in graph.nodes.values() if node.name in needed]


def _only_input(node: Node, made: Mapping[str, str]) -> str:
    if len(node.inputs) != 1:
        raise ModelError(
            f"layer {node.layer!r}: hardware for {node.op} of {len(node.inputs)} tensors is not available yet; golden "
            "model and C++ simulation work"
        )
    return made[node.inputs[0]]


def _layer(graph: Graph, group: list[Node], name: str, made: Mapping[str, str]) -> Layer:
    first, last = group[0], group[-1]
    inputs = tuple(made[i] for i in first.inputs)
    return Layer(name, tuple(group), graph.operand(first.inputs[0]), graph.operand(last.name), inputs, last.name)
