"""An activation with free thresholds and free levels (N2UQ, FATNN, and every other monotone staircase)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops
from qkeras.base_quantizer import BaseQuantizer

from fpgaq.errors import ConfigError
from fpgaq.quantize.quantizers.base import registered, straight_through


@registered
class ThresholdLevels(BaseQuantizer):
    """``levels[number of thresholds t with x >= t]``, with the gradient of the line through its steps.

    Parameters
    ----------
    thresholds : sequence of float
        Ascending.
    levels : sequence of float
        One more than thresholds, ascending; dyadic, so that they are exact in hardware.
    """

    def __init__(self, thresholds: Sequence[float], levels: Sequence[float]) -> None:
        super().__init__()
        self.thresholds = [float(t) for t in thresholds]
        self.levels = [float(v) for v in levels]
        if not self.thresholds or np.any(np.diff(self.thresholds) <= 0):
            raise ConfigError(f"ThresholdLevels: thresholds {self.thresholds} are not ascending")
        if len(self.levels) != len(self.thresholds) + 1 or np.any(np.diff(self.levels) <= 0):
            raise ConfigError(
                f"ThresholdLevels: {len(self.thresholds)} thresholds need {len(self.thresholds) + 1} ascending levels, "
                f"not {self.levels}"
            )
        self.qnoise_factor = 1.0
        self.bits = len(self.thresholds).bit_length()

    def __call__(self, x: Any) -> Any:
        """Apply the staircase; gradients are one between the outermost thresholds."""
        x = ops.convert_to_tensor(x)
        flat = ops.reshape(ops.stop_gradient(x), [-1])
        places = ops.searchsorted(ops.convert_to_tensor(np.array(self.thresholds, np.float32)), flat, side="right")
        steps = ops.reshape(ops.take(ops.convert_to_tensor(np.array(self.levels, np.float32)), places), ops.shape(x))
        inside = ops.clip(x, self.thresholds[0], self.thresholds[-1])
        return straight_through(inside, steps)

    def max(self) -> float:
        """Return the largest level."""
        return self.levels[-1]

    def min(self) -> float:
        """Return the smallest level."""
        return self.levels[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"thresholds": self.thresholds, "levels": self.levels}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ThresholdLevels:
        """Return the quantizer of a configuration."""
        return cls(**config)

    def __str__(self) -> str:
        return f"ThresholdLevels({self.thresholds}, {self.levels})"
