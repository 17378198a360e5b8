"""A trained network whose kernels and rectifiers are exchanged: what choices do to its outputs, without new models."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ModelError
from fpgaq.explore.wiring import sources
from fpgaq.quantize.executable import require_names
from fpgaq.quantize.requantize import Choice, free_kernels, matrices, quantized_kernels, rectifiers
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


@dataclass(frozen=True)
class Rounded:
    """A model rounded in every way that may be chosen, in parts.

    Parameters
    ----------
    model : keras.Model
        Requantized with one of the choices: biases are taken from it, and all that no choice is about.
    kernels : mapping of mapping
        By format and bits the quantized kernels by layer.
    steps : mapping of mapping
        By bits of activations the step and the largest level of every rectifier by layer; none where rectifiers stay.
    """

    model: Any
    kernels: Mapping[tuple[str, int], Mapping[str, Real]]
    steps: Mapping[int, Mapping[str, tuple[float, int]]]

    @classmethod
    def of(cls, choices: Sequence[Choice], models: Sequence[Any]) -> Rounded:
        """Take apart the models that were requantized with the choices."""
        by_weights = {(c.format, c.weights): model for c, model in zip(choices, models, strict=True)}
        by_width = {c.activations: model for c, model in zip(choices, models, strict=True)}
        kernels = {weights: quantized_kernels(model) for weights, model in by_weights.items()}
        return cls(models[-1], kernels, {bits: _steps(model) for bits, model in by_width.items() if bits is not None})


class Network:
    """The quantized network whose kernels and rectifiers are exchanged.

    Parameters
    ----------
    original : keras.Model
        The trained model: its outputs are what quantization should keep.
    rounded : Rounded
    choices : sequence of Choice
        What there is. Activations are those that a layer takes: of the rectifiers that its inputs come through.
    calibration : Data

    Attributes
    ----------
    choices : dict
        By layer; behind inputs of the network there are no activations to choose, and only the widest are offered.
    """

    def __init__(self, original: Any, rounded: Rounded, choices: Sequence[Choice], calibration: Data) -> None:
        self.original = original
        self.layers = matrices(original)
        self.calibration = calibration
        self.floats = {name: np.asarray(original.get_layer(name).get_weights()[0], np.float64) for name in self.layers}
        self.rounded = rounded
        self._sources = sources(original)
        self._rectifiers = rectifiers(original)
        self._activations = {name: _Steps() for name in self._rectifiers} if rounded.steps else {}
        self.model = free_kernels(rounded.model, self._activations)
        self.variables = {name: self.model.get_layer(name).weights[0] for name in self.layers}
        self._held: dict[str, tuple[str, int] | None] = dict.fromkeys(self.layers)
        self._losses: dict[object, float] = {}
        self._call = _compiled(self.model)
        self._offer(choices)

    def _offer(self, choices: Sequence[Choice]) -> None:
        self.grid = tuple(choices)
        self._widest = max((c.activations for c in choices if c.activations is not None), default=None)
        self.choices = {
            name: tuple(c for c in choices if self._sources[name] or c.activations == self._widest)
            for name in self.layers
        }

    def at(self, activations: int | None) -> Network:
        """Return the same network with one width of activations to choose."""
        found = copy.copy(self)
        found._offer([choice for choice in self.grid if choice.activations == activations])
        return found

    @cached_property
    def wanted(self) -> Real:
        """Log-probabilities of the original model on the calibration data."""
        return log_probabilities(self.original, _in_batches(_compiled(self.original), self.calibration.x))

    def is_depthwise(self, name: str) -> bool:
        """Whether a layer has a kernel for each of its input channels."""
        return "Depthwise" in type(self.original.get_layer(name)).__name__

    def outputs(self, choices: Sequence[Choice | None], x: Real) -> Real:
        """Return outputs with a choice for every layer, None for float kernels and the widest activations."""
        for name, choice in zip(self.layers, choices, strict=True):
            wanted = None if choice is None else (choice.format, choice.weights)
            if self._held[name] != wanted:
                self.variables[name].assign(self.floats[name] if wanted is None else self.rounded.kernels[wanted][name])
                self._held[name] = wanted
        widths = self.widths(choices)
        for name, activation in self._activations.items():
            activation.assign(*self.rounded.steps[widths[self._rectifiers[name]]][name])
        return _in_batches(self._call, x)

    def widths(self, choices: Sequence[Choice | None]) -> dict[str, int]:
        """Return the bits of the rectifiers behind layers: the most that one of the layers after them takes.

        Those that no layer with weights takes have the bits that the layer before them takes.
        """
        taken = {
            name: self._widest if choice is None else choice.activations
            for name, choice in zip(self.layers, choices, strict=True)
        }
        found = {}
        for owner in self._rectifiers.values():
            takers = [taken[name] for name in self.layers if owner in self._sources[name]] or [taken[owner]]
            found[owner] = max((bits for bits in takers if bits is not None), default=None)
        return {name: bits for name, bits in found.items() if bits is not None}

    def divergence(self, choices: Sequence[Choice | None]) -> float:
        """Return the mean KL divergence from the original model on the calibration data, in nats."""
        return self._divergence(self.outputs(choices, self.calibration.x))

    def entropy(self, choices: Sequence[Choice | None]) -> float:
        """Return the mean cross entropy with the labels of the calibration data, in nats."""
        return self._entropy(self.outputs(choices, self.calibration.x))

    def loss(self, choices: Sequence[Choice | None]) -> float:
        """Return what candidates are judged by: cross entropy where there are labels, else the KL divergence."""
        kernels = tuple(None if choice is None else (choice.format, choice.weights) for choice in choices)
        key = kernels, tuple(self.widths(choices).items())
        if key not in self._losses:
            measure = self.divergence if self.calibration.labels is None else self.entropy
            self._losses[key] = measure(choices)
        return self._losses[key]

    def loss_of(self, model: Any) -> float:
        """Return the same of a model with kernels of its own."""
        outputs = _in_batches(_compiled(model), self.calibration.x)
        return self._entropy(outputs) if self.calibration.labels is not None else self._divergence(outputs)

    def accuracy(self, choices: Sequence[Choice | None], data: Data) -> float:
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


class _Steps:
    """A rectifier of equal steps that can be changed between calls."""

    def __init__(self) -> None:
        import tensorflow as tf

        self._step, self._top = tf.Variable(1.0), tf.Variable(1.0)

    def assign(self, step: float, top: int) -> None:
        self._step.assign(step)
        self._top.assign(top)

    def __call__(self, x: Any) -> Any:
        import tensorflow as tf

        ratio = tf.clip_by_value(x / self._step, 0.0, self._top)
        # Policies read gradients: those of the rectifier without its steps.
        return (tf.round(ratio) + (ratio - tf.stop_gradient(ratio))) * self._step


def _steps(model: Any) -> dict[str, tuple[float, int]]:
    """Return the step and the largest level of the rectifiers of a requantized model."""
    quantizers = {name: model.get_layer(name).activation for name in rectifiers(model)}
    return {name: (2.0 ** int(q.integer - q.bits), (1 << int(q.bits)) - 1) for name, q in quantizers.items()}


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
        If there are several inputs or outputs, an output of several dimensions, or a name that cannot be compiled.
    """
    require_names(model)
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
