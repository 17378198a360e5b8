"""Weights as a sum of scaled sign matrices (residual binarization)."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import FormatQuantizer, power_of_two, registered


@registered
class MultiBinary(FormatQuantizer):
    """Greedy residual binarization: each plane is the sign of what the planes before it leave.

    Parameters
    ----------
    planes : int
        Number of sign matrices, 1 to 4.
    scale_bits : int
        Bits of the largest scale, 4 to 12; all scales are integers of one unit, a power of two.
    """

    def __init__(self, planes: int = 2, scale_bits: int = 6) -> None:
        super().__init__()
        if not 1 <= planes <= 4 or not 4 <= scale_bits <= 12:
            raise ConfigError(f"MultiBinary: planes {planes} must lie in 1..4 and scale_bits {scale_bits} in 4..12")
        self.planes = planes
        self.scale_bits = scale_bits

    @property
    def bits(self) -> int:
        return self.planes

    def project(self, x: Any) -> tuple[Any, Any]:
        scales, unit = self._scales(x)
        total = ops.zeros_like(x)
        for scale in scales:
            total = total + unit * scale * _sign(x - total)
        return total, unit

    def _scales(self, x: Any) -> tuple[list[Any], Any]:
        """Return integer scales, each smaller than the one before, and their unit."""
        unit = power_of_two(ops.mean(ops.abs(x))) / 2 ** (self.scale_bits - 1)
        scales: list[Any] = []
        rest = x
        for remaining in range(self.planes, 0, -1):
            scale = ops.maximum(ops.round(ops.mean(ops.abs(rest)) / unit), float(remaining))
            scales.append(ops.minimum(scale, scales[-1] - 1) if scales else scale)
            rest = rest - unit * scales[-1] * _sign(rest)
        return scales, unit

    def format_of(self, x: Any, integers: np.ndarray) -> WeightFormat:
        return formats.MultiBinary(tuple(int(ops.convert_to_numpy(scale)) for scale in self._scales(x)[0]))

    def get_config(self) -> dict[str, Any]:
        return {"planes": self.planes, "scale_bits": self.scale_bits}


def _sign(x: Any) -> Any:
    return ops.where(x >= 0, 1.0, -1.0)
