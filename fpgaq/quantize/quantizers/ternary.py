"""Ternary weights with a scale (TWN, arXiv 1605.04711) and with two scales (TTQ, arXiv 1612.01064)."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import FormatQuantizer, power_of_two, registered


def mean_where(x: Any, mask: Any) -> Any:
    """Return the mean magnitude of the masked elements, 0 where there is none."""
    return ops.sum(ops.abs(x) * mask) / ops.maximum(ops.sum(mask), 1.0)


def two_scale_format(integers: np.ndarray) -> WeightFormat:
    """Return the format of integers that are 0 or one magnitude on each side."""
    plus, minus = int(max(integers.max(), 0)), int(max(-integers.min(), 0))
    if plus == minus or not plus or not minus:  # one magnitude: a format with one is enough
        return formats.Codebook((0, *sorted({plus, -minus} - {0})), 2)
    return formats.TwoScaleTernary(minus, plus)


@registered
class TernaryWeights(FormatQuantizer):
    """-1, 0, +1 times a power of two: what exceeds 0.7 times the mean magnitude is kept (TWN).

    Parameters
    ----------
    threshold : float
        Factor of the mean magnitude.
    """

    def __init__(self, threshold: float = 0.7) -> None:
        super().__init__()
        if threshold < 0:
            raise ConfigError(f"TernaryWeights: threshold {threshold} is negative")
        self.threshold = threshold

    @property
    def bits(self) -> int:
        return 2

    def project(self, x: Any) -> tuple[Any, Any]:
        kept = ops.cast(ops.abs(x) > self.threshold * ops.mean(ops.abs(x)), "float32")
        unit = power_of_two(mean_where(x, kept))
        return unit * ops.sign(x) * kept, unit

    def format_of(self, x: Any, integers: np.ndarray) -> WeightFormat:
        return formats.Ternary()

    def get_config(self) -> dict[str, Any]:
        return {"threshold": self.threshold}


@registered
class TwoScaleTernary(FormatQuantizer):
    """-n, 0, +p with the mean magnitudes of each side, on a grid of a few bits (TTQ with data-driven magnitudes).

    Parameters
    ----------
    threshold : float
        Factor of the largest magnitude below which a weight is zero.
    magnitude_bits : int
        Bits of the larger magnitude, 2 to 12.
    """

    def __init__(self, threshold: float = 0.05, magnitude_bits: int = 6) -> None:
        super().__init__()
        if not 0 <= threshold < 1 or not 2 <= magnitude_bits <= 12:
            raise ConfigError(
                f"TwoScaleTernary: threshold {threshold} must lie in [0, 1) and magnitude_bits {magnitude_bits} in "
                "2..12"
            )
        self.threshold = threshold
        self.magnitude_bits = magnitude_bits

    @property
    def bits(self) -> int:
        return 2

    def project(self, x: Any) -> tuple[Any, Any]:
        least = self.threshold * ops.max(ops.abs(x))
        sides = [ops.cast(x > least, "float32"), ops.cast(x < -least, "float32")]
        means = [mean_where(x, side) for side in sides]
        # A power of two may be up to sqrt(2) below the mean: the larger magnitude then has a bit more than asked for.
        unit = power_of_two(ops.maximum(*means)) / 2 ** (self.magnitude_bits - 1)
        plus, minus = (ops.maximum(ops.round(mean / unit), 1.0) for mean in means)
        return unit * (plus * sides[0] - minus * sides[1]), unit

    def format_of(self, x: Any, integers: np.ndarray) -> WeightFormat:
        return two_scale_format(integers)

    def get_config(self) -> dict[str, Any]:
        return {"threshold": self.threshold, "magnitude_bits": self.magnitude_bits}
