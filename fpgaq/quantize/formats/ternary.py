"""Three values a weight: -1, 0, +1, or with a magnitude of its own on each side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats.base import IntArray, Planes, WeightFormat


@dataclass(frozen=True)
class Ternary(WeightFormat):
    """-1, 0 and +1 in two's complement (TWN; QKeras ``ternary``)."""

    name = "ternary"

    @property
    def bits(self) -> int:
        return 2

    def table(self) -> dict[int, int]:
        return {0: 0, 1: 1, 3: -1}


@dataclass(frozen=True)
class TwoScaleTernary(WeightFormat):
    """-n, 0 and +p with trained magnitudes (TTQ, arXiv 1612.01064).

    Parameters
    ----------
    negative, positive : int
        The two magnitudes, different from each other; equal ones are the ternary format.
    """

    negative: int
    positive: int
    name = "ternary_two_scale"

    def __post_init__(self) -> None:
        if min(self.negative, self.positive) < 1:
            raise ConfigError(f"TTQ magnitudes are positive, not {self.negative} and {self.positive}")
        if self.negative == self.positive:
            raise ConfigError(f"TTQ with equal scales ({self.positive}) is the ternary format with one scale; use that")

    @property
    def bits(self) -> int:
        return 2

    @property
    def table_bits(self) -> int:
        return self.negative.bit_length() + self.positive.bit_length()

    def table(self) -> dict[int, int]:
        return {0: 0, 1: self.positive, 3: -self.negative}

    def planes(self, values: IntArray) -> Planes:
        """One sum for the positive and one for the negative weights."""
        sides = np.stack([values > 0, values < 0]).astype(np.int64)
        return Planes("two accumulators", np.array([self.positive, -self.negative]), sides)
