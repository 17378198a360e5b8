"""A rectifier whose range follows what it sees in training: a moving average, or in hindsight (arXiv 2105.04246)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize.quantizers.base import holding, registered, straight_through
from fpgaq.quantize.quantizers.steps import fixed_steps
from fpgaq.quantize.quantizers.trainable import TrainableActivation, check_bits
from fpgaq.quantize.ranges import Running

_BATCH = 32


@registered
class RunningRange(TrainableActivation):
    """Unsigned numbers of equal steps up to the power of two that holds a running mean of the largest values.

    It observes every batch of training as `fpgaq.quantize.ranges.Running` does, and stays at inference.

    Parameters
    ----------
    bits : int
        1 to 16.
    decay : float
        How much of the mean stays when a batch is observed.
    hindsight : bool
        Whether a batch is quantized with what was known before it.
    """

    def __init__(self, bits: int = 4, decay: float = 0.9, hindsight: bool = False, **options: Any) -> None:
        super().__init__(**options)
        check_bits("RunningRange", bits, 1, 16)
        if not 0 <= decay < 1:
            raise ConfigError(f"RunningRange: decay {decay} must lie in [0, 1)")
        self.bits = bits
        self.decay = decay
        self.hindsight = hindsight
        # Below zero: nothing was observed yet.
        unknown = keras.initializers.Constant(-1.0)
        self.limit = self.add_weight(name="limit", shape=(), initializer=unknown, trainable=False)

    def adapt(self, values: np.ndarray) -> None:
        """Observe the values in batches."""
        running, rectified = Running(self.decay), np.maximum(np.asarray(values, np.float64), 0.0)
        for start in range(0, len(rectified), _BATCH):
            running.observe(rectified[start : start + _BATCH])
        self.limit.assign(running.limit)

    def step(self, limit: Any) -> Any:
        """Return the step for a limit, a power of two."""
        return holding(limit) / 2**self.bits

    def call(self, x: Any, training: Any = None) -> Any:
        """Clip, and round half to even; in training observe the batch, too."""
        x = ops.convert_to_tensor(x)
        limit = self._observed(ops.max(ops.maximum(ops.stop_gradient(x), 0.0))) if training else self.limit
        step = self.step(ops.convert_to_tensor(limit))
        clipped = ops.clip(x, 0.0, step * (2**self.bits - 1))
        return straight_through(clipped, ops.round(clipped / step) * step)

    def _observed(self, most: Any) -> Any:
        """Take up the largest value of a batch; return the limit for the batch."""
        known = ops.convert_to_tensor(self.limit)
        before = ops.where(known < 0, most, known)
        after = self.decay * before + (1 - self.decay) * most
        self.limit.assign(after)
        return before if self.hindsight else after

    def fixed(self) -> Any:
        return fixed_steps(self.bits, float(ops.convert_to_numpy(self.step(ops.convert_to_tensor(self.limit)))))

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits, "decay": self.decay, "hindsight": self.hindsight}
