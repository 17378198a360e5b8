"""QKeras-compatible quantizers that train into a weight format: the values they give are integers times a scale.

They work wherever a QKeras quantizer does (``QDense(kernel_quantizer=...)``), save and load with the model, and pass
gradients straight through.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar

import keras
import numpy as np
from keras import ops
from qkeras import quantizers as qkeras_quantizers
from qkeras.base_quantizer import BaseQuantizer

from fpgaq.errors import ModelError
from fpgaq.quantize.formats import WeightFormat

_FITTING_ROUNDS = 5


class FormatQuantizer(BaseQuantizer, ABC):
    """A weight quantizer whose values lie in a `WeightFormat`.

    Subclasses say how a tensor is projected; training, QKeras' protocol and export are here.
    """

    #: QKeras reads these. A scale that adapts to the data keeps it from rescaling the initializer.
    alpha = "auto_po2"
    symmetric = True
    scale: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.qnoise_factor = 1.0

    @property
    @abstractmethod
    def bits(self) -> int:
        """Storage bits of a weight."""

    @abstractmethod
    def project(self, x: Any) -> tuple[Any, Any]:
        """Return the quantized tensor and its unit: integers times a power of two."""

    @abstractmethod
    def format_of(self, x: Any, integers: np.ndarray) -> WeightFormat:
        """Return the format that holds the integers into which `x` was projected."""

    @abstractmethod
    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""

    def __call__(self, x: Any) -> Any:
        """Quantize in the forward pass, be the identity in the backward pass."""
        x = ops.convert_to_tensor(x)
        quantized, self.scale = self.project(ops.stop_gradient(x))
        # Not x + (quantized - x), which float32 rounds.
        return straight_through(x, (1 - self.qnoise_factor) * x + self.qnoise_factor * quantized)

    def stored(self, x: Any) -> tuple[np.ndarray, np.ndarray, WeightFormat]:
        """Return the integers of a tensor, their unit or those of its last axes, and their format, as in hardware.

        Raises
        ------
        ModelError
            The quantizer does not give integers times its unit.
        """
        integers, unit = as_integers(self, *self.project(x))
        return integers, unit, self.format_of(x, integers)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FormatQuantizer:
        """Return the quantizer of a configuration."""
        return cls(**config)

    def max(self) -> float:
        """Return the limit that QKeras clips latent weights to: none that matters, the scale follows the data."""
        return 1024.0

    def min(self) -> float:
        """Return the lower limit that QKeras clips latent weights to."""
        return -1024.0

    def __str__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def as_integers(quantizer: Any, quantized: Any, unit: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return what quantized values are as integers of their unit, and that as it was given.

    Raises
    ------
    ModelError
        They are no integers times the unit.
    """
    values, step = (np.asarray(ops.convert_to_numpy(t), np.float64) for t in (quantized, unit))
    scaled = values / np.where(step > 0, step, np.nan)
    integers = np.rint(scaled)
    # NaN is not equal to itself, and no format has longer integers.
    if not (np.array_equal(scaled, integers) and np.abs(integers).max(initial=0) < 2**31):
        raise ModelError(
            f"{quantizer}: its values are not integers of up to 31 bits times {step.tolist()}; retrain with "
            "weights and parameters that are finite and smaller"
        )
    return integers.astype(np.int64), step


def straight_through(x: Any, value: Any) -> Any:
    """Return `value` with the gradient of `x`; adding a difference of exactly 0 keeps the value as it is."""
    return ops.stop_gradient(value) + (x - ops.stop_gradient(x))


_Class = TypeVar("_Class", bound=type)


def registered(cls: _Class) -> _Class:
    """Make a quantizer known to Keras, for model files, and to QKeras, for strings such as ``"PowerOfTwo(4)"``."""
    keras.saving.register_keras_serializable(package="fpgaq")(cls)
    setattr(qkeras_quantizers, cls.__name__, cls)
    return cls


def nearest(x: Any, levels: Any) -> Any:
    """Return the nearest of ascending levels for every element; of two equally near ones that of larger magnitude."""
    levels = np.asarray(levels, np.float32)
    middles = ops.convert_to_tensor((levels[1:] + levels[:-1]) / 2)
    flat = ops.reshape(ops.cast(x, "float32"), [-1])
    upper = ops.searchsorted(middles, flat, side="right")
    lower = ops.searchsorted(middles, flat, side="left")
    places = ops.where(flat >= 0, upper, lower)
    return ops.reshape(ops.take(ops.convert_to_tensor(levels), places), ops.shape(x))


def power_of_two(x: Any) -> Any:
    """Return the power of two nearest to a number on the logarithmic scale, 2**-24 at least and 2**30 at most."""
    # exp2 of an integer must be exact: float32 pow is not everywhere, and shifts of int32 end at 30.
    exponent = ops.cast(ops.round(ops.log2(ops.clip(x, 2.0**-24, 2.0**30))), "int32")
    positive = ops.left_shift(ops.ones_like(exponent), ops.maximum(exponent, 0))
    negative = ops.left_shift(ops.ones_like(exponent), ops.maximum(-exponent, 0))
    return ops.cast(positive, "float32") / ops.cast(negative, "float32")


def holding(x: Any) -> Any:
    """Return the least power of two that is not below a number; of tiny ones 2**-24."""
    x = ops.maximum(x, 2.0**-24)
    next_to = power_of_two(x)
    return ops.where(next_to < x, 2 * next_to, next_to)


def fitted_unit(x: Any, levels: Any) -> Any:
    """Return the power of two by which levels fit a tensor best: least squares, alternating with the projection."""
    top = float(np.max(np.abs(levels)))
    unit = power_of_two(ops.max(ops.abs(x)) / top)
    for _ in range(_FITTING_ROUNDS):
        q = nearest(x / unit, levels)
        energy = ops.sum(q * q)
        least_squares = ops.sum(x * q) / ops.maximum(energy, 1e-12)
        unit = ops.where(energy > 0, power_of_two(least_squares), unit)
    return unit
