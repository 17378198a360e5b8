"""The integer graph cut into hardware layers: a matrix with the elementwise operations that only it feeds is one.

So is an operation of several tensors with those that follow it.

A tensor travels as one vector. In a design with operations on images or series, tensors of several axes travel pixel by
pixel instead, and a layer is what happens to any one pixel; see `fpgaq.rtl.frames`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from fpgaq.errors import ModelError
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node, Operand
from fpgaq.ir.ops import (
    ArgMax,
    Concatenate,
    Crop,
    GatedMatMul,
    Input,
    MatMul,
    Merge,
    Pad,
    Permute,
    Repeat,
    Reshape,
    Scan,
    Slice,
    Softmax,
    Windows,
)
from fpgaq.rtl.frames import beats, in_pixels, pixel
from fpgaq.rtl.verilog import identifiers

#: Operations on whole vectors, and on the order of pixels, which are layers of their own.
_HEADS = (ArgMax, Scan, Softmax, Pad, Windows, Reshape)
#: Those that are blocks for pixels, and wires in a vector.
_ARRANGING = (Crop, Repeat)
#: Operations that a layer starts with; what is elementwise may follow them.
_FIRST = (Concatenate, GatedMatMul, MatMul, Merge, Permute, Slice, *_ARRANGING)


@dataclass(frozen=True)
class Layer:
    """A hardware layer.

    Parameters
    ----------
    name : str
        Legal identifier, after the layer of the model.
    nodes : tuple of Node
        Operations in order: at most one matrix or merge, in front, then elementwise ones; or a head alone. A reshape
        alone puts several beats into one, or takes one apart. Where the first one has several inputs, they
        are named after their streams.
    sources : tuple of Operand
        Type and bounds of a beat of every stream that goes in; for what arranges pixels of the whole tensor. A tensor
        smaller than the result of a merge is repeated for all its pixels.
    result : Operand
        Type and bounds of a beat that comes out.
    inputs : tuple of str
        Streams that it reads, each once but where they are taken in turns: names of graph inputs or of outputs of other
        layers.
    output : str
        Name of the node whose value leaves; the stream is called so.
    beats : int
        Beats that a result is.
    """

    name: str
    nodes: tuple[Node, ...]
    sources: tuple[Operand, ...]
    result: Operand
    inputs: tuple[str, ...]
    output: str
    beats: int

    @property
    def matrix(self) -> MatMul | None:
        """The matrix of this layer."""
        first = self.nodes[0]
        return first if isinstance(first, MatMul) else None

    @property
    def source(self) -> Operand:
        """What goes in where only one stream does."""
        (source,) = self.sources
        return source

    @property
    def n_in(self) -> int:
        """Elements of all that goes in."""
        return sum(source.bounds.lo.size for source in self.sources)

    @property
    def n_out(self) -> int:
        """Elements of the output vector."""
        return int(self.result.bounds.lo.size)


def streams(graph: Graph) -> dict[str, str]:
    """Return the node that makes the stream of each node: itself, but for reshapes that only rename it."""
    made: dict[str, str] = {}
    for node in graph.nodes.values():
        made[node.name] = made[node.inputs[0]] if _renames(graph, node) else node.name
    return made


def _renames(graph: Graph, node: Node) -> bool:
    """Whether a node is a reshape that keeps the beats.

    Raises
    ------
    ModelError
        If it is one that neither puts whole beats into one nor takes them apart.
    """
    if not isinstance(node, Reshape):
        return False
    before, after = (beats(graph, name) for name in (node.inputs[0], node.name))
    if before % after and after % before:
        shapes = [list(graph.operand(name).shape) for name in (node.inputs[0], node.name)]
        raise node.fail(
            f"hardware that reshapes {shapes[0]} to {shapes[1]} is not available yet, because of {before} and "
            f"{after} beats none is a multiple of the other; reshape to a vector first"
        )
    return before == after


def split(graph: Graph) -> list[Layer]:
    """Cut a graph into hardware layers, in topological order.

    Raises
    ------
    ModelError
        If it computes nothing, or an input is read by nothing.
    """
    made = streams(graph)
    computed = [n for n in _needed(graph) if made[n.name] == n.name and not isinstance(n, Input)]
    read = [stream for node in computed for stream in dict.fromkeys(made[i] for i in node.inputs)]
    readers = Counter([*read, *(made[o] for o in graph.outputs)])
    for source in graph.inputs:
        if not readers[source.name]:
            raise ModelError(f"input {source.layer!r}: no output depends on it; take it out of the model")
    heads = (*_HEADS, *_ARRANGING) if in_pixels(graph) else _HEADS
    groups: list[list[Node]] = []
    ends: dict[str, list[Node]] = {}
    for node in computed:
        before = made[node.inputs[0]]
        group = ends.get(before)
        if group is None or readers[before] > 1 or isinstance(node, (*_FIRST, *_HEADS)):
            group = []
            groups.append(group)
        group.append(node)
        if not isinstance(node, heads):
            ends[node.name] = group
    if not groups:
        raise ModelError(f"design {graph.name!r}: it computes nothing; give a model with at least one layer")
    parts = Counter(group[0].layer for group in groups)
    names = identifiers(f"{graph.name}_{_title(graph, group[0], parts)}" for group in groups)
    return [_layer(graph, group, name, made) for group, name in zip(groups, names, strict=True)]


def _title(graph: Graph, first: Node, parts: Mapping[str, int]) -> str:
    """Return the name of a hardware layer: the model's layer, and what in it arranges pixels for the rest."""
    arranging = {Pad: "pad", Windows: "window", Reshape: "collect", Scan: "loop"}.get(type(first))
    if arranging == "collect" and beats(graph, first.name) > beats(graph, first.inputs[0]):
        arranging = "split"
    return f"{first.layer}_{arranging}" if arranging and parts[first.layer] > 1 else first.layer


def _needed(graph: Graph) -> list[Node]:
    """Return the nodes that an output depends on."""
    needed = set(graph.outputs)
    for node in reversed(list(graph.nodes.values())):
        if node.name in needed:
            needed.update(node.inputs)
    return [node for node in graph.nodes.values() if node.name in needed]


def _layer(graph: Graph, group: list[Node], name: str, made: Mapping[str, str]) -> Layer:
    first, last = group[0], group[-1]
    if len(first.inputs) > 1:
        first = dataclasses.replace(first, inputs=tuple(made[i] for i in first.inputs))
    read = [(made[i], graph.operand(i)) for i in group[0].inputs]
    if not takes_turns(graph, group[0]):  # a beat is for all places at which its stream is read
        read = list(dict(read).items())
    inputs, sources = zip(*read, strict=True)
    result = graph.operand(last.name)
    if in_pixels(graph):
        result = pixel(result)
        whole = isinstance(first, (Pad, Windows, Reshape, *_ARRANGING)) or takes_turns(graph, group[0])
        sources = sources if whole else tuple(map(pixel, sources))
        _require_pixels(graph, group[0])
    return Layer(name, (first, *group[1:]), sources, result, inputs, last.name, beats(graph, last.name))


def takes_turns(graph: Graph, node: Node) -> bool:
    """Whether a node puts pixels of its tensors behind each other, so that each beat comes from one of them."""
    axes = len(graph.operand(node.name).shape)
    return isinstance(node, Concatenate) and in_pixels(graph) and node.axis < axes - 1


def _require_pixels(graph: Graph, node: Node) -> None:
    """Refuse operations that cannot be done pixel by pixel."""
    if isinstance(node, Permute):
        raise node.fail(
            f"hardware that puts the pixels of {list(graph.operand(node.inputs[0]).shape)} in the order of the axes "
            f"{[axis + 1 for axis in node.axes]} is not available yet: it takes a whole frame; give the model an input "
            "of that order. Golden model and C++ work"
        )
