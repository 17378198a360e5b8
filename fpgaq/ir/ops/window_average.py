"""The average over the positions of a window, with the division of hls4ml's C++."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds, frozen_array
from fpgaq.ir.ops.spatial import by_position
from fpgaq.ir.types import INT64_LIMIT, IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowAverage(Node):
    """Sum of every channel over the positions of a window, divided; the quotient is cut towards zero.

    It is exact where the result has fraction bits enough, which takes divisors that are powers of two.

    Parameters
    ----------
    positions : int
        Positions in a window, as `Windows` lays them out.
    divisors : int array, shaped like the tensor without its channels
        What every window is divided by: its positions that do not lie in a margin.
    source_frac : int
        Fraction bits of the input; the result has ``type.frac - source_frac`` more, never less.
    """

    positions: int
    divisors: IntArray
    source_frac: int
    op = "window_average"

    def __post_init__(self) -> None:
        object.__setattr__(self, "divisors", frozen_array(self.divisors))

    @property
    def shift(self) -> int:
        """Fraction bits that are gained."""
        return self.type.frac - self.source_frac

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if not x.shape or self.positions < 1 or x.shape[-1] % self.positions:
            raise self.fail(f"windows of {self.positions} positions in a tensor of shape {list(x.shape)}")
        if self.divisors.shape != x.shape[:-1] or np.any(self.divisors < 1):
            raise self.fail(f"divisors {self.divisors.tolist()} for a tensor of shape {list(x.shape)}")
        if x.type.frac != self.source_frac or self.shift < 0:
            raise self.fail(
                f"an average with {self.type.frac} fraction bits of values with {self.source_frac}, its input has "
                f"{x.type.frac}"
            )
        if self.largest_sum(x.bounds) > INT64_LIMIT:
            raise self.fail("the sum of a window does not fit 63 bits; use fewer bits for its input or its average")
        return checked_bounds(self, *(self.evaluate([bound[None]])[0] for bound in x.bounds))

    def largest_sum(self, x: Bounds) -> int:
        """Bound on any sum of a part of a window, in units of the result."""
        return (max(map(abs, x.hull)) * self.positions) << self.shift

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        (x,) = values
        total = by_position(x, self.positions).sum(axis=-2) << self.shift
        return np.asarray(np.sign(total) * (np.abs(total) // self.divisors[..., None]))

    def describe(self) -> str:
        divisors = "/".join(map(str, np.unique(self.divisors).tolist()))
        return f"positions={self.positions} divisors={divisors} shift={self.shift}"
