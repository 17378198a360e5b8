"""A rectifier that lets negative values through with a slope, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds, frozen_array
from fpgaq.ir.types import IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class LeakyRelu(Node):
    """``x`` where it is not negative, ``x * slope`` elsewhere, with one slope per channel (last axis).

    Parameters
    ----------
    slope : int array, shape (channels,)
        Codes with `slope_frac` fraction bits; they may be negative.
    slope_frac : int
        Not negative; the result has as many fraction bits more than the input.
    """

    slope: IntArray
    slope_frac: int
    op = "leaky_relu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "slope", frozen_array(self.slope))

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if not x.shape or self.slope.shape != (x.shape[-1],) or self.slope_frac < 0:
            raise self.fail(
                f"{self.slope.size} slopes of {self.slope_frac} fraction bits for an input of shape {list(x.shape)}"
            )
        if self.type.frac != x.type.frac + self.slope_frac:
            raise self.fail(f"result with {self.type.frac} fraction bits, {x.type.frac + self.slope_frac} are exact")
        # Python integers where a bound may not fit int64: it must then be reported.
        lo, hi = (self.evaluate([bound.astype(object)]) for bound in x.bounds)
        least, most = np.minimum(lo, hi), np.maximum(lo, hi)
        through_zero = (x.bounds.lo <= 0) & (x.bounds.hi >= 0)  # of negative slopes the turning point
        return checked_bounds(self, np.where(through_zero, np.minimum(least, 0), least), most)

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        (x,) = values
        return np.where(x >= 0, x * (1 << self.slope_frac), x * self.slope)

    def describe(self) -> str:
        return f"channels={self.slope.size} slope_frac={self.slope_frac}"
