"""Operations on single elements: rectifier, clipping, casts and thresholds. All are monotone or exact on intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds, frozen_array
from fpgaq.ir.types import INT64_LIMIT, IntArray, Overflow, Rounding, cast, shift_round


@dataclass(frozen=True, eq=False, kw_only=True)
class Relu(Node):
    """``max(x, 0)`` without a cast."""

    op = "relu"

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if x.type.frac != self.type.frac:
            raise self.fail("a rectifier keeps the fraction bits")
        return checked_bounds(self, np.maximum(x.bounds.lo, 0), np.maximum(x.bounds.hi, 0))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        return np.maximum(values[0], 0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Clip(Node):
    """Clamp codes to ``[least, most]`` (units of the result, whose fraction bits are those of the input)."""

    least: int
    most: int
    op = "clip"

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if x.type.frac != self.type.frac or self.least > self.most:
            raise self.fail(f"cannot clip {x.type} to [{self.least}, {self.most}]")
        return checked_bounds(self, *(np.clip(b, self.least, self.most) for b in x.bounds))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        return np.clip(values[0], self.least, self.most)

    def describe(self) -> str:
        return f"[{self.least}, {self.most}]"


@dataclass(frozen=True, eq=False, kw_only=True)
class Requantize(Node):
    """Cast to the type of the result: the only operation that may lose information.

    Parameters
    ----------
    source_frac : int
        Fraction bits of the input; the result loses ``source_frac - type.frac`` of them.
    """

    source_frac: int
    rounding: Rounding
    overflow: Overflow
    op = "requantize"

    @property
    def shift(self) -> int:
        """Fraction bits that are lost (negative: gained)."""
        return self.source_frac - self.type.frac

    def keeps(self, lo: int, hi: int) -> bool:
        """Whether rounded values between `lo` and `hi` stay as they are; SAT_SYM has no use for the least code."""
        symmetric = self.overflow is Overflow.SAT_SYM and self.type.signed
        return self.type.covers(lo, hi) and not (symmetric and lo < -self.type.max)

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if x.type.frac != self.source_frac:
            raise self.fail(f"expects {self.source_frac} fraction bits, its input has {x.type.frac}")
        shifted = max(map(abs, x.bounds.hull)) << max(-self.shift, 0)
        if shifted > INT64_LIMIT or self.type.width > 62 or self.shift > 62:
            raise self.fail(f"casting {x.type} to {self.type} does not fit 63 bits; use a type with fewer bits")
        if self.type.width == self.type.signed and self.overflow is Overflow.SAT_SYM:
            raise self.fail(f"{self.type} with SAT_SYM holds nothing but 0; use at least 2 bits or another mode")
        rounded = [shift_round(b, self.shift, self.rounding) for b in x.bounds]
        inside = (rounded[0] >= self.type.min) & (rounded[1] <= self.type.max)
        if self.overflow is Overflow.WRAP or self.overflow is Overflow.SAT_ZERO:
            lo = np.where(inside, rounded[0], self.type.min)
            hi = np.where(inside, rounded[1], self.type.max)
            if self.overflow is Overflow.SAT_ZERO:
                lo, hi = np.where(inside, lo, np.minimum(lo, 0)), np.where(inside, hi, np.maximum(hi, 0))
            return checked_bounds(self, lo, hi)
        lo, hi = (cast(b, self.source_frac, self.type, self.rounding, self.overflow) for b in x.bounds)
        return checked_bounds(self, lo, hi)

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        return cast(values[0], self.source_frac, self.type, self.rounding, self.overflow)

    def describe(self) -> str:
        return f"shift={self.shift} {self.rounding.value} {self.overflow.value}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Thresholds(Node):
    """Staircase: ``codes[number of thresholds t with x >= t]``, one shared staircase.

    Parameters
    ----------
    thresholds : int array, shape (n,)
        Strictly ascending, in units of the input.
    codes : int array, shape (n + 1,)
        Codes of the result below, between and above the thresholds, ascending.
    """

    thresholds: IntArray
    codes: IntArray
    op = "thresholds"

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", frozen_array(self.thresholds))
        object.__setattr__(self, "codes", frozen_array(self.codes))
        if self.codes.size != self.thresholds.size + 1:
            raise self.fail(f"{self.thresholds.size} thresholds need {self.thresholds.size + 1} codes")
        if np.any(np.diff(self.thresholds) <= 0):
            raise self.fail(f"thresholds must ascend: {self.thresholds.tolist()}")
        if np.any(np.diff(self.codes) < 0):
            raise self.fail(f"the codes of a staircase must ascend: {self.codes.tolist()}")

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        return checked_bounds(self, *(self.evaluate([b]) for b in operands[0].bounds))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        return self.codes[np.searchsorted(self.thresholds, values[0], side="right")]

    def describe(self) -> str:
        return f"{self.thresholds.tolist()} -> {self.codes.tolist()}"
