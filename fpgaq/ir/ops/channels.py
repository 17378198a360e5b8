"""Some channels of a tensor: the operands of several operations that one matrix computes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fpgaq.ir.node import Bounds, Node, Operand
from fpgaq.ir.types import IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Slice(Node):
    """The channels (last axis) from `start` on, up to `stop`, which is not one of them."""

    start: int
    stop: int
    op = "slice"

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if not x.shape or not 0 <= self.start < self.stop <= x.shape[-1] or x.type != self.type:
            raise self.fail(
                f"channels {self.start} to {self.stop} as {self.type} of a tensor of shape {list(x.shape)} of {x.type}"
            )
        return Bounds(*(bound[..., self.start : self.stop] for bound in x.bounds))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        return values[0][..., self.start : self.stop]

    def describe(self) -> str:
        return f"[{self.start}, {self.stop})"
