"""A trained network whose kernels are exchanged: what choices of bits do to its outputs, without building models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ModelError
from fpgaq.quantize.requantize import Choice, free_kernels, matrices
from fpgaq.quantize.training.loss import last_activation

Real = NDArray[np.float64]

_BATCH = 512
_LEAST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Data:
    """Values on the grid of the network's inputs, and classes where they are known."""

    x: Real
    labels: NDArray[np.int64] | None = None

    def first(self, count: int) -> Data:
        """Return so many samples."""
        return Data(self.x[:count], None if self.labels is None else self.labels[:count])


class Network:
    """The quantized network with free kernels.

    Parameters
    ----------
    original : keras.Model
        The trained model: its outputs are what quantization should keep.
    quantized : keras.Model
        The same, requantized with some choice: activations and biases are taken from here.
    choices : sequence of Choice
        Of every layer.
    kernels : sequence of mapping
        For every choice the quantized kernels by layer.
    calibration : Data
    """

    def __init__(
        self,
        original: Any,
        quantized: Any,
        choices: Sequence[Choice],
        kernels: Sequence[dict[str, Real]],
        calibration: Data,
    ) -> None:
        self.original = original
        self.choices = tuple(choices)
        self.layers = matrices(original)
        self.calibration = calibration
        self.floats = {name: np.asarray(original.get_layer(name).get_weights()[0], np.float64) for name in self.layers}
        self.kernels = tuple(kernels)
        self.model = free_kernels(quantized)
        self.variables = {name: self.model.get_layer(name).weights[0] for name in self.layers}
        self._held: dict[str, int | None] = dict.fromkeys(self.layers)
        self._losses: dict[tuple[int | None, ...], float] = {}
        self._call = _compiled(self.model)

    @cached_property
    def wanted(self) -> Real:
        """Log-probabilities of the original model on the calibration data."""
        return log_probabilities(self.original, _in_batches(_compiled(self.original), self.calibration.x))

    def is_depthwise(self, name: str) -> bool:
        """Whether a layer has a kernel for each of its input channels."""
        return "Depthwise" in type(self.original.get_layer(name)).__name__

    def outputs(self, choices: Sequence[int | None], x: Real) -> Real:
        """Return outputs with the kernels of a choice for every layer, None for the float ones."""
        for name, choice in zip(self.layers, choices, strict=True):
            if self._held[name] != choice:
                self.variables[name].assign(self.floats[name] if choice is None else self.kernels[choice][name])
                self._held[name] = choice
        return _in_batches(self._call, x)

    def divergence(self, choices: Sequence[int | None]) -> float:
        """Return the mean KL divergence from the original model on the calibration data, in nats."""
        return self._divergence(self.outputs(choices, self.calibration.x))

    def entropy(self, choices: Sequence[int | None]) -> float:
        """Return the mean cross entropy with the labels of the calibration data, in nats."""
        return self._entropy(self.outputs(choices, self.calibration.x))

    def loss(self, choices: Sequence[int | None]) -> float:
        """Return what candidates are judged by: cross entropy where there are labels, else the KL divergence."""
        key = tuple(choices)
        if key not in self._losses:
            self._losses[key] = self.entropy(key) if self.calibration.labels is not None else self.divergence(key)
        return self._losses[key]

    def loss_of(self, model: Any) -> float:
        """Return the same of a model with kernels of its own."""
        outputs = _in_batches(_compiled(model), self.calibration.x)
        return self._entropy(outputs) if self.calibration.labels is not None else self._divergence(outputs)

    def accuracy(self, choices: Sequence[int | None], data: Data) -> float:
        """Return the share of right classes on labelled data."""
        assert data.labels is not None
        return _share_of_right(self.model, self.outputs(choices, data.x), data.labels)

    def _divergence(self, outputs: Real) -> float:
        found = log_probabilities(self.model, outputs)
        return float(np.mean(np.sum(np.exp(self.wanted) * (self.wanted - found), axis=-1)))

    def _entropy(self, outputs: Real) -> float:
        assert self.calibration.labels is not None
        found = log_probabilities(self.model, outputs)
        return float(-np.mean(found[np.arange(len(found)), self.calibration.labels]))


def accuracy_of_model(model: Any, data: Data) -> float:
    """Return the share of right classes of a model on labelled data."""
    assert data.labels is not None
    return _share_of_right(model, _in_batches(_compiled(model), data.x), data.labels)


def _share_of_right(model: Any, outputs: Real, labels: NDArray[np.int64]) -> float:
    return float(np.mean(log_probabilities(model, outputs).argmax(axis=1) == labels))


def log_probabilities(model: Any, outputs: Any) -> Any:
    """Return logarithms of the probabilities of classes, from logits or probabilities; tensors give tensors."""
    import keras

    ops: Any = np if isinstance(outputs, np.ndarray) else keras.ops
    kind, alone = last_activation(model), outputs.shape[-1] == 1
    if kind in ("softmax", "sigmoid"):
        both = ops.concatenate([1 - outputs, outputs], -1) if alone else outputs
        return ops.log(ops.maximum(both, _LEAST_PROBABILITY))
    logits = ops.concatenate([ops.zeros_like(outputs), outputs], -1) if alone else outputs
    above = logits - ops.max(logits, axis=-1, keepdims=True)
    return above - ops.log(ops.sum(ops.exp(above), axis=-1, keepdims=True))


def require_classifier(model: Any) -> None:
    """Refuse models whose outputs are not scores of classes of one input.

    Raises
    ------
    ModelError
        If there are several inputs or outputs, or an output of several dimensions.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(f"model {model.name!r} has several inputs or outputs; a search takes one of each")
    if len(model.outputs[0].shape) != 2:
        raise ModelError(
            f"model {model.name!r} has an output of shape {model.outputs[0].shape[1:]}; a search compares scores of "
            "classes, one vector a sample"
        )


def _compiled(model: Any) -> Callable[[Real], Any]:
    import tensorflow as tf

    signature = tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32)
    function = tf.function(lambda x: model(x, training=False), input_signature=[signature], autograph=False)
    return lambda x: function(tf.constant(x, tf.float32))


def _in_batches(call: Callable[[Real], Any], x: Real) -> Real:
    parts = [np.asarray(call(x[k : k + _BATCH]), np.float64) for k in range(0, len(x), _BATCH)]
    return np.concatenate(parts)
