"""An activation whose thresholds are trained, one by one, and whose levels are uniform (N2UQ, arXiv 2111.14826).

The reference code scales inputs and outputs by trained factors, too. Here that of the inputs is part of the thresholds,
and the step of the levels is a power of two.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize.quantizers.base import registered, straight_through
from fpgaq.quantize.quantizers.threshold_levels import ThresholdLevels
from fpgaq.quantize.quantizers.trainable import TrainableActivation, check_bits, trained_step
from fpgaq.quantize.ranges import least_error

#: Least width of an interval, as a share of the mean of all of them.
_LEAST_WIDTH = 1e-3


@registered
class LearnedThresholds(TrainableActivation):
    """``step * (number of thresholds t with x >= t)``; the thresholds are middles of trained intervals.

    The gradient is that of the line through the intervals: rising by a step over each, flat outside (the generalized
    straight-through estimate).

    Parameters
    ----------
    bits : int
        1 to 8.
    limit : float
        Initial end of the last interval; the first one begins at 0.
    """

    def __init__(self, bits: int = 2, limit: float = 4.0, **options: Any) -> None:
        super().__init__(**options)
        check_bits("LearnedThresholds", bits, 1, 8)
        if not (np.isfinite(limit) and limit > 0):
            raise ConfigError(f"LearnedThresholds: limit {limit} must be positive")
        self.bits = bits
        self.limit = limit
        count, constant = 2**bits - 1, keras.initializers.Constant
        self.start = self.add_weight(name="start", shape=(), initializer="zeros")
        self.widths = self.add_weight(name="widths", shape=(count,), initializer=constant(limit / count))
        self.step = self.add_weight(name="step", shape=(), initializer=constant(limit / count))

    def adapt(self, values: np.ndarray) -> None:
        """Start from equal intervals over the range of least squared error."""
        step = 2.0 ** (least_error(np.asarray(values, np.float64), self.bits, 0) - self.bits)
        self.start.assign(0.0)
        self.widths.assign(np.full(self.widths.shape, step))
        self.step.assign(step)

    def _knots(self) -> Any:
        """Return the ends of all intervals, ascending."""
        widths = ops.convert_to_tensor(self.widths)
        widths = ops.maximum(widths, _LEAST_WIDTH * ops.stop_gradient(ops.mean(ops.abs(widths))))
        return self.start + ops.concatenate([ops.zeros((1,)), ops.cumsum(widths)])

    def call(self, x: Any) -> Any:
        """Count thresholds."""
        x, step, knots = ops.convert_to_tensor(x), trained_step(self.step), self._knots()
        flat, ends = ops.reshape(x, [-1]), ops.stop_gradient(knots)
        still = ops.stop_gradient(flat)
        counts = ops.cast(ops.searchsorted((ends[1:] + ends[:-1]) / 2, still, side="right"), "float32")
        place = ops.clip(ops.searchsorted(ends, still, side="right") - 1, 0, self.widths.shape[0] - 1)
        low, high = ops.take(knots, place), ops.take(knots, place + 1)
        risen = ops.clip((flat - low) / (high - low), 0.0, 1.0) + ops.cast(place, "float32")
        return ops.reshape(straight_through(step * risen, step * counts), ops.shape(x))

    def fixed(self) -> Any:
        knots, step = self._knots(), float(ops.convert_to_numpy(trained_step(ops.convert_to_tensor(self.step))))
        thresholds = ops.convert_to_numpy((knots[1:] + knots[:-1]) / 2)
        return ThresholdLevels(thresholds.tolist(), (step * np.arange(2**self.bits)).tolist())

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits, "limit": self.limit}
