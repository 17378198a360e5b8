"""Precision gating of a layer: the low bits of its input count only where the high ones predict a large result.

Source: Zhang et al., "Precision Gating", ICLR 2020 (arXiv 2002.07136), and its reference implementation. Three things
differ from that, so that integers compute the layer exactly: the clip of the activations is their scale at inference
too (the reference takes the maximum of the batch), their step and that of the weights are powers of two, and weights
have ``2**(bits-1) - 1`` steps on each side of zero.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats import Integer
from fpgaq.quantize.formats.integer import MAX_BITS
from fpgaq.quantize.quantizers.base import power_of_two, straight_through

#: Steepness of the sigmoid whose derivative stands for that of the gate.
SLOPE = 5.0


class GatedLayer(keras.layers.Layer):
    """Layer without bias on unsigned activations, which it quantizes itself; the input must not be negative.

    Parameters
    ----------
    activation_bits : int
        Bits of an input, 2 to 16.
    high_bits : int
        Those of them that predict the result; at least 1 and less than `activation_bits`.
    weight_bits : int
        Bits of a weight, the sign included, 2 to 16.
    target : float
        Value towards which the penalty draws every threshold; larger closes more gates.
    penalty : float
        Factor of the penalty, the Euclidean distance of the thresholds from their target.
    clip : float
        Initial largest activation. It is trained (PACT); its steps are a power of two, the nearest one.
    kernel_initializer, kernel_regularizer
        As of ``keras.layers.Dense``.

    Raises
    ------
    ConfigError
        Naming the parameter and its range.
    """

    def __init__(
        self,
        activation_bits: int = 4,
        high_bits: int = 2,
        weight_bits: int = 8,
        target: float = 1.0,
        penalty: float = 1e-3,
        clip: float = 6.0,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.activation_bits = activation_bits
        self.high_bits = high_bits
        self.weight_bits = weight_bits
        self.target = target
        self.penalty = penalty
        self.clip = clip
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self._check()

    def _check(self) -> None:
        for what in ("activation_bits", "high_bits", "weight_bits"):
            if not isinstance(getattr(self, what), int):
                raise self._refusal(what, "must be an integer")
        if self.compute_dtype != "float32":
            raise ConfigError(f"layer {self.name!r}: dtype={self.dtype_policy.name!r} is not exact; use float32")
        for what in ("activation_bits", "weight_bits"):
            if not 2 <= getattr(self, what) <= MAX_BITS:
                raise self._refusal(what, f"must lie in 2..{MAX_BITS}")
        if not 1 <= self.high_bits < self.activation_bits:
            raise self._refusal("high_bits", f"must lie in 1..{self.activation_bits - 1} (activation_bits - 1)")
        if not (np.isfinite(self.clip) and self.clip > 0):
            raise self._refusal("clip", "must be positive")
        if not (np.isfinite(self.penalty) and self.penalty >= 0):
            raise self._refusal("penalty", "must not be negative")
        if not np.isfinite(self.target):
            raise self._refusal("target", "must be finite")

    def _refusal(self, what: str, why: str) -> ConfigError:
        return ConfigError(f"layer {self.name!r}: {what}={getattr(self, what)!r} {why}")

    def _check_count(self, what: str) -> None:
        """Refuse a parameter that is no number of outputs."""
        if not isinstance(getattr(self, what), int):
            raise self._refusal(what, "must be an integer")
        if getattr(self, what) < 1:
            raise self._refusal(what, "must be at least 1")

    @property
    def low_bits(self) -> int:
        """Bits of an input that the prediction does not see."""
        return self.activation_bits - self.high_bits

    @property
    def weight_format(self) -> Integer:
        """Number set of the weights."""
        return Integer(self.weight_bits, symmetric=True)

    def build(self, input_shape: Any) -> None:
        """Create the kernel, a threshold for every output, and the clip."""
        shape = self.kernel_shape(int(input_shape[-1]))
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer=self.kernel_initializer, regularizer=self.kernel_regularizer
        )
        self.threshold = self.add_weight(name="threshold", shape=shape[-1:], initializer="zeros")
        self.alpha = self.add_weight(name="alpha", shape=(), initializer=keras.initializers.Constant(self.clip))
        super().build(input_shape)

    @abstractmethod
    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        """Return the shape of the kernel for an input of some channels; outputs are its last axis."""

    @abstractmethod
    def product(self, x: Any, kernel: Any) -> Any:
        """Return what the layer computes with a kernel; linear in both, and the same with the frozen numbers."""

    def call(self, inputs: Any) -> Any:
        """Predict with the high bits, and add the low ones where a gate opens."""
        if self.penalty:
            # The root of zero has no gradient: all thresholds start at the target where that is 0.
            distance = ops.sum(ops.square(self.threshold - self.target))
            self.add_loss(self.penalty * ops.sqrt(ops.maximum(distance, 1e-12)))
        step = self.activation_step()
        x = self._quantized_activations(inputs, step)
        coarse = step * 2**self.low_bits
        high = straight_through(x, ops.floor(x / coarse) * coarse)
        weights = straight_through(self.kernel, self.quantized_weights())
        predicted = self.product(high, weights)
        return predicted + self._gate(predicted) * self.product(x - high, weights)

    def _quantized_activations(self, inputs: Any, step: Any) -> Any:
        """Clip to what the codes reach, round half to even; inputs above the clip move it."""
        clipped = ops.minimum(ops.maximum(inputs, 0.0), step * (2**self.activation_bits - 1))
        return straight_through(clipped, ops.round(clipped / step) * step)

    def _gate(self, predicted: Any) -> Any:
        """Return 1 above the threshold, else 0; only open gates pass a gradient, that of a sigmoid."""
        is_open = ops.cast(predicted > self.threshold, predicted.dtype)
        smooth = ops.sigmoid(SLOPE * (predicted - self.threshold)) * ops.stop_gradient(is_open)
        return straight_through(smooth, is_open)

    def activation_step(self) -> Any:
        """Return the step of the activations, a power of two; its gradient is that of ``alpha`` by its steps."""
        wanted = ops.maximum(self.alpha, 2.0**-16) / (2**self.activation_bits - 1)
        return straight_through(wanted, power_of_two(ops.stop_gradient(wanted)))

    def weight_step(self) -> Any:
        """Return the step of the weights: the nearest power of two, or twice that where it would clip the largest."""
        most = 2 ** (self.weight_bits - 1) - 1
        largest = ops.max(ops.abs(ops.stop_gradient(self.kernel)))
        step = power_of_two(largest / most)
        return ops.where(step * most < largest, 2.0 * step, step)

    def quantized_weights(self) -> Any:
        """Return the weights as the forward pass uses them."""
        step = self.weight_step()
        return ops.round(self.kernel / step) * step

    def gate_activity(self, inputs: Any) -> np.ndarray:
        """Return which gates are open for real inputs: boolean, shaped like the outputs."""
        step = self.activation_step()
        x = self._quantized_activations(ops.convert_to_tensor(inputs), step)
        coarse = step * 2**self.low_bits
        predicted = self.product(ops.floor(x / coarse) * coarse, self.quantized_weights())
        return np.asarray(ops.convert_to_numpy(predicted > self.threshold))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = ("activation_bits", "high_bits", "weight_bits", "target", "penalty", "clip")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in own},
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
