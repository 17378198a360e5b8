"""Weights as a sum of scaled binary matrices (residual binarization, ABC-Net; piecewise masks)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats.base import IntArray, Planes, WeightFormat


@dataclass(frozen=True)
class MultiBinary(WeightFormat):
    """``sum(scales[k] * b_k)`` with ``b_k`` in {-1, +1} (residual form), or one of the scales or zero (piecewise form).

    Parameters
    ----------
    scales : tuple of int
        Residual form: positive. Piecewise form: any, distinct and not zero.
    piecewise : bool
        The masks are disjoint: a weight is one scale, or zero.
    """

    scales: tuple[int, ...]
    piecewise: bool = False
    name = "multi_binary"

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(map(int, self.scales)))
        if not 1 <= len(self.scales) <= 8:
            raise ConfigError(f"multi-binary weights have 1 to 8 planes, not {len(self.scales)}")
        if (
            0 in self.scales
            or (not self.piecewise and min(self.scales) < 0)
            or len(set(self.scales)) < len(self.scales)
        ):
            sign = "distinct and not zero" if self.piecewise else "distinct and positive"
            raise ConfigError(f"multi-binary scales must be {sign}, not {list(self.scales)}")

    @property
    def bits(self) -> int:
        return len(self.scales)

    @property
    def table_bits(self) -> int:
        return sum(abs(s).bit_length() for s in self.scales)

    def table(self) -> dict[int, int]:
        if self.piecewise:
            return {0: 0} | {1 << k: scale for k, scale in enumerate(self.scales)}
        table = {}
        for signs in product((0, 1), repeat=len(self.scales)):
            code = sum(bit << k for k, bit in enumerate(signs))
            table[code] = sum((2 * bit - 1) * scale for bit, scale in zip(signs, self.scales, strict=True))
        return table

    def planes(self, values: IntArray) -> Planes:
        """One binary matrix a scale."""
        codes = self.encode(values)
        bits = np.stack([(codes >> k) & 1 for k in range(len(self.scales))])
        return Planes("binary planes", np.array(self.scales), bits if self.piecewise else 2 * bits - 1)
