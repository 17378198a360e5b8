"""The integer graph: nodes in topological order, with exact bounds of every tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from fpgaq.errors import ModelError
from fpgaq.ir.node import Bounds, Node, Operand

if TYPE_CHECKING:
    from fpgaq.ir.ops import Input


class Graph:
    """An immutable graph of integer operations.

    Parameters
    ----------
    name : str
        Name of the design; the top-level module is called so.
    nodes : iterable of Node
        In topological order.
    outputs : tuple of str
        Nodes whose results leave the graph.

    Raises
    ------
    ModelError
        If a name is missing or used twice, or an operation does not fit its operands.
    """

    def __init__(self, name: str, nodes: Iterable[Node], outputs: tuple[str, ...]) -> None:
        self.name = name
        self.outputs = outputs
        by_name: dict[str, Node] = {}
        for node in nodes:
            if node.name in by_name:
                raise ModelError(f"layer {node.layer!r}: the name {node.name!r} is used twice")
            missing = [i for i in node.inputs if i not in by_name]
            if missing:
                raise ModelError(f"layer {node.layer!r}: its input {missing[0]!r} is not computed before it")
            by_name[node.name] = node
        for output in outputs:
            if output not in by_name:
                raise ModelError(f"the output {output!r} is not a node of the graph")
        self.nodes: Mapping[str, Node] = MappingProxyType(by_name)
        self.bounds  # noqa: B018  checks every node now, not at first use

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The input nodes, in order."""
        from fpgaq.ir.ops import Input  # which has an operation that holds a graph

        return tuple(n for n in self.nodes.values() if isinstance(n, Input))

    @cached_property
    def bounds(self) -> Mapping[str, Bounds]:
        """Exact interval of every element of every tensor."""
        bounds: dict[str, Bounds] = {}
        for node in self.nodes.values():
            operands = [Operand(self.nodes[i].type, bounds[i]) for i in node.inputs]
            bounds[node.name] = node.infer(operands)
        return MappingProxyType(bounds)

    def operand(self, name: str) -> Operand:
        """Return type and bounds of a tensor."""
        return Operand(self.nodes[name].type, self.bounds[name])

    def consumers(self, name: str) -> tuple[Node, ...]:
        """Return the nodes that read a tensor."""
        return tuple(n for n in self.nodes.values() if name in n.inputs)

    def __str__(self) -> str:
        lines = [f"graph {self.name} -> {', '.join(self.outputs)}"]
        for node in self.nodes.values():
            shape = "x".join(map(str, self.bounds[node.name].lo.shape))
            lo, hi = self.bounds[node.name].hull
            lines.append(
                f"  {node.name:24} {node.op:11} ({', '.join(node.inputs)}) "
                f"{shape}:{node.type} in [{lo}, {hi}] {node.describe()}".rstrip()
            )
        return "\n".join(lines)
