"""Quantizers with parameters of their own, which train with the model: thresholds, ranges, tables, transforms.

They are Keras layers, so that QKeras' layers track them: their parameters are variables of the model, which any
optimizer trains, and which are saved and loaded with it. They work wherever a QKeras quantizer does. At inference they
compute what hardware computes, bit for bit: integers times a power of two. `fpgaq.freeze` puts fixed ones in their
place.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import as_integers, power_of_two, straight_through


class TrainableQuantizer(keras.layers.Layer):
    """What weight and activation quantizers with parameters have in common.

    Activation quantizers make their parameters at once, weight quantizers when their layer is built; `adapt` fits them
    to values that are known.
    """

    #: QKeras reads these. A scale that adapts to the data keeps it from rescaling the initializer.
    alpha = "auto_po2"
    symmetric = True
    scale: Any = None
    #: Storage bits of a number.
    bits: int

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the constructor, those of Keras' layers aside."""

    def adapt(self, values: np.ndarray) -> None:
        """Fit the parameters to the tensor, or to samples of it, that they will quantize first."""

    def _set_trainable_parameter(self) -> None:
        """QKeras calls this to choose an alpha; there is none."""

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), **self.arguments()}

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape that was given."""
        return input_shape

    def __str__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.arguments().items())})"


class TrainableWeights(TrainableQuantizer):
    """A quantizer of one tensor of weights."""

    @abstractmethod
    def project(self, w: Any, *, training: bool) -> tuple[Any, Any]:
        """Return the quantized tensor, with the gradients of the method, and its unit.

        Unless the model trains, the tensor is integers times the unit, a power of two.
        """

    @abstractmethod
    def format_of(self, integers: np.ndarray) -> WeightFormat:
        """Return the format that holds the integers."""

    def call(self, w: Any, training: Any = None) -> Any:
        """Quantize weights."""
        return self.project(ops.convert_to_tensor(w), training=bool(training))[0]

    def stored(self, w: Any) -> tuple[np.ndarray, float, WeightFormat]:
        """Return the integers of a tensor, their unit, and their format, as hardware stores them.

        Raises
        ------
        ModelError
            The quantizer does not give integers times its unit: weights or parameters are not finite.
        """
        integers, unit = as_integers(self, *self.project(ops.convert_to_tensor(w), training=False))
        return integers, float(unit), self.format_of(integers)

    def max(self) -> float:
        """Return the limit that QKeras clips latent weights to: none that matters."""
        return 1024.0

    def min(self) -> float:
        """Return the lower limit that QKeras clips latent weights to."""
        return -1024.0


class TrainableActivation(TrainableQuantizer):
    """A quantizer of activations: the same staircase for every element."""

    @abstractmethod
    def fixed(self) -> Any:
        """Return the quantizer without parameters that computes the same, bit for bit."""


def trained_step(wanted: Any) -> Any:
    """Return the power of two next to a parameter, with the gradient of the parameter."""
    wanted = ops.maximum(wanted, 2.0**-24)
    return straight_through(wanted, power_of_two(ops.stop_gradient(wanted)))


def on_steps(x: Any, step: Any, integers: Any, top: float) -> Any:
    """Return ``step * integers``, with gradients for a tensor and for the step that it was rounded with.

    That of `x` is one everywhere. That of the step is the rounding error inside the range, and the integer beyond
    `top`, as in LSQ (arXiv 1902.08153) and FAT.

    Parameters
    ----------
    x : tensor
    step : tensor
        A power of two.
    integers : tensor
        To which ``x / step`` was rounded and clipped.
    top : float
        The largest magnitude of them.
    """
    ratio = x / step
    slope = ops.stop_gradient(ops.where(ops.abs(ratio) <= top, integers - ratio, integers))
    return straight_through(x + step * slope, step * integers)


def check_bits(name: str, bits: Any, least: int, most: int) -> None:
    """Refuse numbers of bits that a quantizer does not have.

    Raises
    ------
    ConfigError
        Naming the quantizer and its range.
    """
    if type(bits) is not int or not least <= bits <= most:
        raise ConfigError(f"{name}: bits {bits!r} must be an integer in {least}..{most}")
