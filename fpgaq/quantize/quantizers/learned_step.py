"""Numbers of equal steps whose size is trained (LSQ, arXiv 1902.08153)."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import registered, straight_through
from fpgaq.quantize.quantizers.steps import fixed_steps
from fpgaq.quantize.quantizers.trainable import (
    TrainableActivation,
    TrainableWeights,
    check_bits,
    trained_step,
)


def _first_step(values: np.ndarray, top: int) -> float:
    """Return the step that the paper starts from; 1 for values that are all zero."""
    return float(2 * np.mean(np.abs(values)) / np.sqrt(top)) or 1.0


def _quantized(x: Any, step: Any, least: int, top: int, count: int) -> tuple[Any, Any]:
    """Return a tensor on steps, half to even, saturating, and the power of two that the step was.

    Elements that saturate have no gradient, and move the step by the integer that they saturate at; the others do by
    their rounding error. The gradient of the step is divided by ``sqrt(count * top)``.
    """
    unit = trained_step(straight_through(step / math.sqrt(max(count, 1) * top), step))
    ratio = ops.stop_gradient(x / unit)
    integers = ops.clip(ops.round(ratio), float(least), float(top))
    within = ops.logical_and(ratio >= least, ratio <= top)
    slope = ops.where(within, integers - ratio, integers)
    passed = ops.where(within, x, ops.stop_gradient(x))
    return straight_through(passed + unit * slope, unit * integers), ops.stop_gradient(unit)


@registered
class LearnedStep(TrainableActivation):
    """Activations on equal steps; the step, the power of two next to its parameter, is trained.

    Parameters
    ----------
    bits : int
        1 to 16; of signed numbers 2 to 16.
    signed : bool
        False: also a rectifier.
    step : float
        Initial step.
    """

    def __init__(self, bits: int = 4, signed: bool = False, step: float = 0.25, **options: Any) -> None:
        super().__init__(**options)
        check_bits("LearnedStep", bits, 1 + signed, 16)
        if not (np.isfinite(step) and step > 0):
            raise ConfigError(f"LearnedStep: step {step} must be positive")
        self.bits = bits
        self.signed = signed
        self.initial_step = step
        self.step = self.add_weight(name="step", shape=(), initializer=keras.initializers.Constant(step))

    @property
    def _ends(self) -> tuple[int, int]:
        half = 2 ** (self.bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    def adapt(self, values: np.ndarray) -> None:
        """Start from the step that the paper starts from."""
        self.step.assign(_first_step(np.asarray(values, np.float64), self._ends[1]))

    def call(self, x: Any) -> Any:
        """Round to the steps."""
        x = ops.convert_to_tensor(x)
        return _quantized(x, self.step, *self._ends, int(np.prod(x.shape[1:])))[0]

    def fixed(self) -> Any:
        step = float(ops.convert_to_numpy(trained_step(ops.convert_to_tensor(self.step))))
        return fixed_steps(self.bits, step, signed=self.signed)

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits, "signed": self.signed, "step": self.initial_step}


@registered
class LearnedStepWeights(TrainableWeights):
    """Integer weights; their step, the power of two next to its parameter, is trained.

    Parameters
    ----------
    bits : int
        2 to 16.
    """

    def __init__(self, bits: int = 4, **options: Any) -> None:
        super().__init__(**options)
        check_bits("LearnedStepWeights", bits, 2, 16)
        self.bits = bits

    def build(self, input_shape: Any) -> None:
        """Create the step, for weights of the usual size for their number of inputs."""
        spread = np.sqrt(2 / max(np.prod(input_shape[:-1]), 1))
        first = _first_step(np.array(spread), 2 ** (self.bits - 1) - 1)
        self.step = self.add_weight(name="step", shape=(), initializer=keras.initializers.Constant(first))
        self.built = True

    def adapt(self, values: np.ndarray) -> None:
        """Start from the step that the paper starts from."""
        self.step.assign(_first_step(np.asarray(values, np.float64), 2 ** (self.bits - 1) - 1))

    def project(self, w: Any, *, training: bool) -> tuple[Any, Any]:
        half = 2 ** (self.bits - 1)
        return _quantized(w, self.step, -half, half - 1, int(np.prod(w.shape)))

    def format_of(self, integers: np.ndarray) -> WeightFormat:
        return formats.Integer(self.bits)

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits}
