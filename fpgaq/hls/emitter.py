"""Integer nodes in the order in which they are made, each with the narrowest type that holds its exact result."""

from __future__ import annotations

import dataclasses

from fpgaq.ir.node import Node, Operand
from fpgaq.ir.types import FixedType

#: Width of the type of a node while its exact bounds are computed.
_ANY = 64


class Emitter:
    """Nodes of a graph that is being built."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.operands: dict[str, Operand] = {}

    def emit(self, node: Node) -> Node:
        """Append a node after giving it the narrowest type that holds its exact result."""
        operands = [self.operands[i] for i in node.inputs]
        bounds = node.infer(operands)
        if node.type.width == _ANY:
            node = dataclasses.replace(node, type=FixedType.from_interval(*bounds.hull, node.type.frac))
        self.nodes.append(node)
        self.operands[node.name] = Operand(node.type, bounds)
        return node

    @staticmethod
    def any_type(frac: int) -> FixedType:
        """Return the type of a node whose width `emit` will find."""
        return FixedType(_ANY, frac, True)
