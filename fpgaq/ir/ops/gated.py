"""A matrix product in two steps, of which the second is only taken where the first one is large (Precision Gating)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds, frozen_array
from fpgaq.ir.types import INT64_LIMIT, IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class GatedMatMul(Node):
    """``(h << low_bits) + (l if h > threshold else 0)`` with ``h = (x >> low_bits) @ weight`` and ``l`` of the rest.

    The high bits of every input predict the result. Where the prediction exceeds the threshold of the output, the low
    bits are added; where it does not, the gate is closed and they are not looked at.

    Source: Zhang et al., "Precision Gating", ICLR 2020 (arXiv 2002.07136); the thresholds here are the floor of theirs
    in units of ``h``, which is the same for integers.

    Parameters
    ----------
    weight : int array, shape (n_in, n_out)
        Codes with `weight_frac` fraction bits.
    low_bits : int
        Bits of an input that the prediction does not see, at least 1.
    thresholds : int array, shape (n_out,)
        In units of ``h``, which has `low_bits` fraction bits less than the result.
    reuse : int
        Reuse factor that the user asked for; 1 is fully parallel.
    """

    weight: IntArray
    weight_frac: int
    low_bits: int
    thresholds: IntArray
    reuse: int = 1
    op = "gated_matmul"

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", frozen_array(self.weight))
        object.__setattr__(self, "thresholds", frozen_array(self.thresholds))
        if self.low_bits < 1:
            raise self.fail(f"{self.low_bits} low bits; a gated matrix needs at least 1")
        if self.weight.ndim != 2 or self.thresholds.shape != (self.n_out,):
            raise self.fail(f"{self.thresholds.size} thresholds for a matrix of shape {list(self.weight.shape)}")

    @property
    def n_in(self) -> int:
        """Length of the input vector."""
        return int(self.weight.shape[0])

    @property
    def n_out(self) -> int:
        """Length of the output vector."""
        return int(self.weight.shape[-1])

    def parts(self, bounds: Bounds) -> tuple[Bounds, Bounds]:
        """Return the intervals of high and low bits for an interval of inputs."""
        high = Bounds(bounds.lo >> self.low_bits, bounds.hi >> self.low_bits)
        rest = (1 << self.low_bits) - 1
        # Between two inputs with other high bits, the low ones take every value.
        same = high.lo == high.hi
        return high, Bounds(np.where(same, bounds.lo & rest, 0), np.where(same, bounds.hi & rest, rest))

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        """Return bounds of the result; they enclose it, and are attained where the gate does not depend on it."""
        (x,) = operands
        if not x.shape or x.shape[-1] != self.n_in:
            raise self.fail(f"input of shape {list(x.shape)} does not fit a {self.n_in}x{self.n_out} matrix")
        if x.bounds.hull[0] < 0:
            raise self.fail(
                f"its input reaches {x.bounds.hull[0]} (units of 2^-{x.type.frac}); precision gating needs inputs that "
                "are never negative: put a rectifier in front of it"
            )
        if self.type.frac != x.type.frac + self.weight_frac:
            raise self.fail(f"result with {self.type.frac} fraction bits, {x.type.frac + self.weight_frac} are exact")
        self._require_int64(x.bounds)
        (h_lo, h_hi), (l_lo, l_hi) = (reach(self.weight, part) for part in self.parts(x.bounds))
        y_lo, y_hi = reach(self.weight, x.bounds)
        closed = h_lo << self.low_bits, np.minimum(h_hi, self.thresholds) << self.low_bits
        least_open = (np.maximum(h_lo, self.thresholds + 1) << self.low_bits) + l_lo
        opened = np.maximum(least_open, y_lo), np.minimum((h_hi << self.low_bits) + l_hi, y_hi)
        can_open, can_close = h_hi > self.thresholds, h_lo <= self.thresholds
        lo = np.where(can_open, np.where(can_close, np.minimum(closed[0], opened[0]), opened[0]), closed[0])
        hi = np.where(can_open, np.where(can_close, np.maximum(closed[1], opened[1]), opened[1]), closed[1])
        return checked_bounds(self, lo, hi)

    def _require_int64(self, bounds: Bounds) -> None:
        """Refuse partial sums and thresholds that int64 does not hold; in Python integers, which do."""
        most = self.largest_partial_sum(bounds)
        limits = [abs(int(t)) << self.low_bits for t in (self.thresholds.min(), self.thresholds.max())]
        if max(most, *limits) >= INT64_LIMIT:
            raise self.fail(
                f"sums of up to {most} and thresholds of up to {max(limits)} (units of 2^-{self.type.frac}) do not fit "
                "63 bits; use a lower input or weight precision"
            )

    def largest_partial_sum(self, bounds: Bounds) -> int:
        """Return a bound on any sum of a part of the products, in units of the result."""
        most = bounds.hi.reshape(-1, self.n_in).max(axis=0).astype(object)
        return int((most @ np.abs(self.weight.astype(object))).max())

    def open_gates(self, x: IntArray) -> np.ndarray:
        """Return where the low bits are added, for inputs of shape (samples, ..., n_in): boolean, (..., n_out)."""
        return self._times(x >> self.low_bits) > self.thresholds

    def _times(self, x: IntArray) -> IntArray:
        rows = x.reshape(-1, self.n_in)  # one product of two matrices, where numpy would make many
        return np.asarray((rows @ self.weight).reshape(*x.shape[:-1], self.n_out))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        (x,) = values
        high = self._times(x >> self.low_bits)
        low = self._times(x & ((1 << self.low_bits) - 1))
        return (high << self.low_bits) + np.where(high > self.thresholds, low, 0)

    def describe(self) -> str:
        return f"{self.n_in}x{self.n_out} weight_frac={self.weight_frac} low_bits={self.low_bits} reuse={self.reuse}"


def reach(weight: IntArray, x: Bounds) -> Bounds:
    """Return the exact interval of ``x @ weight`` over a box of inputs."""
    up, down = np.maximum(weight, 0), np.minimum(weight, 0)
    return Bounds(x.lo @ up + x.hi @ down, x.hi @ up + x.lo @ down)
