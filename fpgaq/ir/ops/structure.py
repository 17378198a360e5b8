"""Operations that move or select elements: graph inputs, reshapes, the index of the maximum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds
from fpgaq.ir.types import IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Input(Node):
    """A graph input of the given shape (without the batch)."""

    shape: tuple[int, ...]
    op = "input"

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        # Python integers: the range of a type may not fit int64, and must then be reported.
        return checked_bounds(self, *(np.full(self.shape, end, object) for end in (self.type.min, self.type.max)))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        raise self.fail("an input has no operands to compute from")

    def describe(self) -> str:
        return f"shape={list(self.shape)}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Node):
    """The same elements, row major, in another shape."""

    shape: tuple[int, ...]
    op = "reshape"

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if math.prod(x.shape) != math.prod(self.shape) or x.type != self.type:
            raise self.fail(f"cannot reshape {list(x.shape)} of {x.type} to {list(self.shape)} of {self.type}")
        return Bounds(x.bounds.lo.reshape(self.shape), x.bounds.hi.reshape(self.shape))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        return values[0].reshape(-1, *self.shape)

    def describe(self) -> str:
        return f"shape={list(self.shape)}"


@dataclass(frozen=True, eq=False, kw_only=True)
class ArgMax(Node):
    """Index of the largest element of a vector; of equal ones the first."""

    op = "argmax"

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if len(x.shape) != 1:
            raise self.fail(f"argmax needs a vector, not shape {list(x.shape)}")
        return checked_bounds(self, np.zeros(1, np.int64), np.full(1, x.shape[0] - 1))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        return np.argmax(values[0], axis=1, keepdims=True)
