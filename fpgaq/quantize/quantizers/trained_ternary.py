"""Ternary weights with two trained magnitudes (TTQ, arXiv 1612.01064)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import power_of_two, registered, straight_through
from fpgaq.quantize.quantizers.ternary import mean_where, two_scale_format
from fpgaq.quantize.quantizers.trainable import TrainableWeights, check_bits


@registered
class TrainedTernary(TrainableWeights):
    """-n, 0, +p: a weight counts where it exceeds a share of the largest one; both magnitudes are trained.

    Parameters
    ----------
    threshold : float
        Share of the largest magnitude below which a weight is zero.
    magnitude_bits : int
        Bits of the larger magnitude, 2 to 12.
    """

    bits = 2

    def __init__(self, threshold: float = 0.05, magnitude_bits: int = 6, **options: Any) -> None:
        super().__init__(**options)
        check_bits("TrainedTernary: magnitudes", magnitude_bits, 2, 12)
        if not 0 <= threshold < 1:
            raise ConfigError(f"TrainedTernary: threshold {threshold} must lie in [0, 1)")
        self.threshold = threshold
        self.magnitude_bits = magnitude_bits

    def build(self, input_shape: Any) -> None:
        """Create both magnitudes, for weights of the usual size for their number of inputs."""
        usual = keras.initializers.Constant(float(np.sqrt(2 / max(np.prod(input_shape[:-1]), 1))))
        self.positive = self.add_weight(name="positive", shape=(), initializer=usual)
        self.negative = self.add_weight(name="negative", shape=(), initializer=usual)
        self.built = True

    def adapt(self, values: np.ndarray) -> None:
        """Start from the mean magnitude of each side."""
        w = ops.convert_to_tensor(np.asarray(values, np.float32))
        for variable, side in zip((self.positive, self.negative), self._sides(w), strict=True):
            variable.assign(mean_where(w, side))

    def _sides(self, w: Any) -> tuple[Any, Any]:
        least = self.threshold * ops.max(ops.abs(w))
        return ops.cast(w > least, "float32"), ops.cast(w < -least, "float32")

    def project(self, w: Any, *, training: bool) -> tuple[Any, Any]:
        """Weights have the gradient times the magnitude of their side, as in the paper."""
        above, below = self._sides(ops.stop_gradient(w))
        magnitudes = [ops.abs(v) for v in (self.positive, self.negative)]
        # A power of two may be up to sqrt(2) below: the larger magnitude then has a bit more than asked for.
        unit = ops.stop_gradient(power_of_two(ops.maximum(*magnitudes)) / 2 ** (self.magnitude_bits - 1))
        plus, minus = (ops.maximum(ops.round(ops.stop_gradient(v) / unit), 1.0) for v in magnitudes)
        slope = above * magnitudes[0] + below * magnitudes[1] + (1 - above - below)
        smooth = w * ops.stop_gradient(slope) + above * magnitudes[0] - below * magnitudes[1]
        return straight_through(smooth, unit * (plus * above - minus * below)), unit

    def format_of(self, integers: np.ndarray) -> WeightFormat:
        return two_scale_format(integers)

    def arguments(self) -> dict[str, Any]:
        return {"threshold": self.threshold, "magnitude_bits": self.magnitude_bits}
