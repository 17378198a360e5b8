"""Operations of several tensors: one element of each becomes one, or the tensors are put behind each other.

Operands of different types are brought to a common one first, the finest step of all of them; that loses nothing.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds
from fpgaq.ir.types import INT64_LIMIT, IntArray


class Function(enum.Enum):
    """What becomes of one element of each tensor."""

    ADD = "add"
    SUBTRACT = "subtract"  #: the first one minus all others
    MULTIPLY = "multiply"
    AVERAGE = "average"  #: the quotient is cut towards zero, as in `WindowAverage`
    MAXIMUM = "maximum"
    MINIMUM = "minimum"


@dataclass(frozen=True, eq=False, kw_only=True)
class Merge(Node):
    """One element of each tensor becomes one element.

    A tensor may be smaller than the result: it is then repeated as a whole, so that its shape, but for ones in front,
    must be the end of the result's.

    Parameters
    ----------
    function : Function
    source_fracs : tuple of int
        Fraction bits of every operand. Those of the result are their sum for a product and the largest of them else;
        an average may have more.
    """

    function: Function
    source_fracs: tuple[int, ...]
    op = "merge"

    @property
    def frac(self) -> int:
        """Fraction bits of the operands after they are aligned; of a product their sum."""
        return sum(self.source_fracs) if self.function is Function.MULTIPLY else max(self.source_fracs)

    @property
    def shifts(self) -> tuple[int, ...]:
        """By how many bits the codes of every operand are shifted to be aligned."""
        if self.function is Function.MULTIPLY:
            return (0,) * len(self.source_fracs)
        return tuple(self.frac - frac for frac in self.source_fracs)

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        """Return bounds of the result, exact where no two operands depend on each other."""
        if len(operands) < 2:
            raise self.fail(f"{self.function.value} of {len(operands)} tensor; it needs at least 2")
        shape = self.merged_shape([x.shape for x in operands])
        fracs = tuple(x.type.frac for x in operands)
        gained = self.type.frac - self.frac
        if fracs != self.source_fracs or (gained and (gained < 0 or self.function is not Function.AVERAGE)):
            raise self.fail(
                f"{self.function.value} with {self.type.frac} fraction bits of values with {list(self.source_fracs)}, "
                f"its inputs have {list(fracs)}"
            )
        most = self.largest_partial_result([x.bounds for x in operands])
        if most > INT64_LIMIT:
            raise self.fail(
                f"its intermediate results of up to {most} do not fit 63 bits; use fewer bits for its inputs"
            )
        ends = [tuple(np.broadcast_to(end, shape) for end in x.bounds) for x in operands]
        return checked_bounds(self, *self._reach(ends))

    def merged_shape(self, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        """Return the shape of the result.

        Raises
        ------
        ModelError
            If an operand is not the end of the largest one.
        """
        shape = max(shapes, key=lambda s: (math.prod(s), len(s)))
        for other in shapes:
            inner = other[next((k for k, n in enumerate(other) if n != 1), len(other)) :]
            if len(other) > len(shape) or inner != shape[len(shape) - len(inner) :]:
                raise self.fail(
                    f"shapes {', '.join(str(list(s)) for s in shapes)}: a smaller tensor must be the end of the "
                    f"largest one, {list(shape)}, as the C++ repeats it whole; reshape it, or repeat its elements in "
                    "the model"
                )
        return shape

    def largest_partial_result(self, bounds: Sequence[Bounds]) -> int:
        """Bound on any sum or product of a part of the operands, in units of the result."""
        reach = [max(map(abs, b.hull)) << shift for b, shift in zip(bounds, self.shifts, strict=True)]
        if self.function is Function.MULTIPLY:
            return math.prod(max(most, 1) for most in reach)
        if self.function in (Function.MAXIMUM, Function.MINIMUM):
            return max(reach)
        return sum(reach) << (self.type.frac - self.frac)

    def _reach(self, ends: Sequence[tuple[Any, ...]]) -> tuple[IntArray, IntArray]:
        """Return both ends of the result from those of the operands."""
        lows, highs = zip(*ends, strict=True)
        if self.function is Function.SUBTRACT:
            return self._merged([lows[0], *highs[1:]]), self._merged([highs[0], *lows[1:]])
        if self.function is not Function.MULTIPLY:
            return self._merged(lows), self._merged(highs)
        lo, hi = ends[0]
        for other in ends[1:]:
            corners = [a * b for a in (lo, hi) for b in other]
            lo, hi = reduce(np.minimum, corners), reduce(np.maximum, corners)
        return lo, hi

    def _merged(self, values: Sequence[IntArray]) -> IntArray:
        first, *others = (x << shift for x, shift in zip(values, self.shifts, strict=True))
        if self.function is Function.AVERAGE:
            total = sum(others, first) << (self.type.frac - self.frac)
            return np.asarray(np.sign(total) * (np.abs(total) // len(values)))
        return np.asarray(reduce(_MERGES[self.function], others, first))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        axes = max(x.ndim for x in values)
        return self._merged([x.reshape(len(x), *(1,) * (axes - x.ndim), *x.shape[1:]) for x in values])

    def describe(self) -> str:
        return f"{self.function.value} shifts={list(self.shifts)}"


_MERGES = {
    Function.ADD: np.add,
    Function.SUBTRACT: np.subtract,
    Function.MULTIPLY: np.multiply,
    Function.MAXIMUM: np.maximum,
    Function.MINIMUM: np.minimum,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Concatenate(Node):
    """The tensors behind each other.

    Parameters
    ----------
    axis : int
        Along which axis of a sample, at least 0.
    source_fracs : tuple of int
        Fraction bits of every operand; the result has the largest of them.
    """

    axis: int
    source_fracs: tuple[int, ...]
    op = "concatenate"

    @property
    def shifts(self) -> tuple[int, ...]:
        """By how many bits the codes of every operand are shifted to be aligned."""
        return tuple(max(self.source_fracs) - frac for frac in self.source_fracs)

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        shapes = [list(x.shape) for x in operands]
        if len(operands) < 2 or not 0 <= self.axis < min(map(len, shapes)):
            raise self.fail(f"cannot put {len(operands)} tensors of shapes {shapes} behind each other")
        if len({(len(s), *s[: self.axis], -1, *s[self.axis + 1 :]) for s in shapes}) > 1:
            raise self.fail(f"shapes {shapes} differ in other axes than axis {self.axis}")
        fracs = tuple(x.type.frac for x in operands)
        if fracs != self.source_fracs or self.type.frac != max(fracs):
            raise self.fail(f"result with {self.type.frac} fraction bits, its inputs have {list(fracs)}")
        reach = [max(map(abs, x.bounds.hull)) << shift for x, shift in zip(operands, self.shifts, strict=True)]
        if max(reach) > INT64_LIMIT:
            raise self.fail(f"aligned values of up to {max(reach)} do not fit 63 bits; use fewer bits for its inputs")
        bounds = [x.bounds for x in operands]
        return checked_bounds(
            self, *(self.evaluate([end[None] for end in ends])[0] for ends in zip(*bounds, strict=True))
        )

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        aligned = [x << shift for x, shift in zip(values, self.shifts, strict=True)]
        return np.concatenate(aligned, axis=self.axis + 1)

    def describe(self) -> str:
        return f"axis={self.axis} shifts={list(self.shifts)}"
