"""A ternary activation: the sum of two steps, each of a size of its own (after FATNN, arXiv 2008.05101).

The paper's text was not available; the idea is that of its code: each step is rounded by itself, so that both
thresholds are free, and the levels are equally far apart. The step of the levels, a power of two, is ours.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize.quantizers.base import registered, straight_through
from fpgaq.quantize.quantizers.threshold_levels import ThresholdLevels
from fpgaq.quantize.quantizers.trainable import TrainableActivation, trained_step

_LEAST_SIZE = 2.0**-20


@registered
class TwoSteps(TrainableActivation):
    """``step * ([x >= first / 2] + [x >= second / 2])``; both sizes and the step are trained.

    The gradient is that of two lines, from 0 to each size.

    Parameters
    ----------
    step : float
        Initial one; the sizes start at one and three times that, with thresholds halfway between levels.
    """

    bits = 2

    def __init__(self, step: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        if not (np.isfinite(step) and step > 0):
            raise ConfigError(f"TwoSteps: step {step} must be positive")
        self.initial_step = step
        constant = keras.initializers.Constant
        self.step = self.add_weight(name="step", shape=(), initializer=constant(step))
        self.first = self.add_weight(name="first", shape=(), initializer=constant(step))
        self.second = self.add_weight(name="second", shape=(), initializer=constant(3 * step))

    def adapt(self, values: np.ndarray) -> None:
        """Start from the mean of what passes a rectifier."""
        positive = np.asarray(values, np.float64)
        positive = positive[positive > 0]
        step = 2.0 ** np.rint(np.log2(positive.mean())) if len(positive) else 1.0
        for variable, size in ((self.step, step), (self.first, step), (self.second, 3 * step)):
            variable.assign(size)

    def _sizes(self) -> list[Any]:
        return [ops.maximum(ops.convert_to_tensor(size), _LEAST_SIZE) for size in (self.first, self.second)]

    def call(self, x: Any) -> Any:
        """Sum both steps."""
        x, step = ops.convert_to_tensor(x), trained_step(ops.convert_to_tensor(self.step))
        sizes = self._sizes()
        count = sum(ops.cast(x >= ops.stop_gradient(size) / 2, "float32") for size in sizes)
        line = sum(ops.clip(x / size, 0.0, 1.0) for size in sizes)
        return straight_through(step * line, step * count)

    def fixed(self) -> Any:
        step = float(ops.convert_to_numpy(trained_step(ops.convert_to_tensor(self.step))))
        low, high = sorted(float(ops.convert_to_numpy(size)) / 2 for size in self._sizes())
        if low == high:
            return ThresholdLevels([low], [0.0, 2 * step])
        return ThresholdLevels([low, high], [0.0, step, 2 * step])

    def arguments(self) -> dict[str, Any]:
        return {"step": self.initial_step}
