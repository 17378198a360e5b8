"""Piecewise linear weights (PWLQ, arXiv 2002.00104): fine steps around zero, coarse ones in the tails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats.base import IntArray, Planes, WeightFormat


@dataclass(frozen=True)
class PiecewiseLinear(WeightFormat):
    """Integers of `width` bits in the centre, and ``+-(breakpoint + k * 2**shift)`` in the tails.

    The unified form: the step of the tails is a power of two times that of the centre and the breakpoint a multiple
    of it, so that one integer format holds both.

    Parameters
    ----------
    width : int
        Bits of a region's code, 2 to 8. A region bit comes on top.
    breakpoint : int
        Where the tails start, in steps of the centre.
    shift : int
        Step of the tails is ``2**shift`` steps of the centre.
    """

    width: int
    breakpoint: int
    shift: int
    name = "pwlq"

    def __post_init__(self) -> None:
        if not 2 <= self.width <= 8:
            raise ConfigError(f"piecewise linear weights have 2 to 8 bits, not {self.width}")
        if self.breakpoint < 1 << (self.width - 1) or not 0 <= self.shift <= 8:
            raise ConfigError(
                f"piecewise linear weights: breakpoint {self.breakpoint} must be beyond the centre (at least "
                f"{1 << (self.width - 1)}) and shift {self.shift} between 0 and 8"
            )

    @property
    def bits(self) -> int:
        return self.width + 1

    @property
    def table_bits(self) -> int:
        return self.breakpoint.bit_length() + self.shift.bit_length()

    def table(self) -> dict[int, int]:
        half, tail = 1 << (self.width - 1), 1 << self.width
        centre = {value & (2 * half - 1): value for value in range(-half, half)}
        for k in range(half):
            centre[tail | k] = self.breakpoint + (k << self.shift)
            centre[tail | half | k] = -centre[tail | k]
        return centre

    def planes(self, values: IntArray) -> Planes:
        """Three accumulators: centre codes, tail codes, and signs of the tails."""
        tail = np.abs(values) >= self.breakpoint
        # -2^(width-1) may equal the breakpoint's mirror; either reading gives the same number.
        sign = np.sign(values) * tail
        steps = (np.abs(values) - self.breakpoint) >> self.shift
        matrices = np.stack([values * ~tail, sign * steps, sign])
        return Planes("three accumulators", np.array([1, 1 << self.shift, self.breakpoint]), matrices)
