"""Rectifier with a trained upper limit (PACT, arXiv 1805.06085)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize.quantizers.base import registered, straight_through
from fpgaq.quantize.quantizers.steps import fixed_steps
from fpgaq.quantize.quantizers.trainable import TrainableActivation, check_bits, trained_step
from fpgaq.quantize.ranges import least_error


@registered
class LearnedClip(TrainableActivation):
    """Unsigned numbers of equal steps up to a trained limit; the step is the nearest power of two.

    Parameters
    ----------
    bits : int
        1 to 16.
    clip : float
        Initial limit.
    """

    def __init__(self, bits: int = 4, clip: float = 6.0, **options: Any) -> None:
        super().__init__(**options)
        check_bits("LearnedClip", bits, 1, 16)
        if not (np.isfinite(clip) and clip > 0):
            raise ConfigError(f"LearnedClip: clip {clip} must be positive")
        self.bits = bits
        self.initial_clip = clip
        self.clip = self.add_weight(name="clip", shape=(), initializer=keras.initializers.Constant(clip))

    def adapt(self, values: np.ndarray) -> None:
        """Start from the range of least squared error."""
        integer = least_error(np.asarray(values, np.float64), self.bits, 0)
        self.clip.assign(2.0 ** (integer - self.bits) * (2**self.bits - 1))

    def step(self) -> Any:
        """Return the step, a power of two."""
        return trained_step(self.clip / (2**self.bits - 1))

    def call(self, x: Any) -> Any:
        """Clip, and round half to even; inputs beyond the limit move it."""
        x, step = ops.convert_to_tensor(x), self.step()
        clipped = ops.minimum(ops.maximum(x, 0.0), step * (2**self.bits - 1))
        return straight_through(clipped, ops.round(clipped / step) * step)

    def fixed(self) -> Any:
        return fixed_steps(self.bits, float(ops.convert_to_numpy(self.step())))

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits, "clip": self.initial_clip}
