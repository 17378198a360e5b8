"""What a model trains towards, read off its last layer and its targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fpgaq.errors import ConfigError
from fpgaq.frontend.supported import GRAPH_CLASSES, IDLE_LAYERS

#: Layers behind which scores are still probabilities, if they were.
_PASSING = ("Dropout", "Flatten", "Reshape", *IDLE_LAYERS)
#: What else has results between 0 and 1.
_SIGMOIDS = ("sigmoid", "hard_sigmoid", "quantized_sigmoid")


def last_activation(model: Any) -> str:
    """Return the name of what the first output of a model went through last: "sigmoid" for all that are like it."""
    history = model.outputs[0]._keras_history
    while type(history.operation).__name__ in _PASSING:
        (before,) = history.operation._inbound_nodes[history.node_index].input_tensors
        history = before._keras_history
    last = history.operation
    if type(last).__name__ in GRAPH_CLASSES:
        return last_activation(last)
    if type(last).__name__ == "Softmax":
        return "softmax"
    function = getattr(getattr(last, "layer", last), "activation", None)
    if getattr(function, "symmetric", False):  # of quantized_sigmoid: -1 to 1
        return ""
    name = str(getattr(function, "__name__", type(function).__name__))
    return "sigmoid" if name in _SIGMOIDS else name


@dataclass(frozen=True)
class Objective:
    """Loss of a model, and how good its outputs are.

    Parameters
    ----------
    kind : str
        "classes": scores of classes, targets are class numbers; "binary": one score, targets are 0 and 1; "values":
        targets are what the model should return.
    probabilities : bool
        Whether scores are probabilities, not logits.
    """

    kind: str
    probabilities: bool

    def loss(self) -> Any:
        """Return Keras' loss."""
        import keras

        if self.kind == "classes":
            return keras.losses.SparseCategoricalCrossentropy(from_logits=not self.probabilities)
        if self.kind == "binary":
            return keras.losses.BinaryCrossentropy(from_logits=not self.probabilities)
        return keras.losses.MeanSquaredError()

    @property
    def measure(self) -> str:
        """What `figure` returns."""
        return "mean squared error" if self.kind == "values" else "accuracy"

    def figure(self, model: Any, x: Any, y: np.ndarray) -> float:
        """Return the share of right classes, or the mean squared error, of a model."""
        outputs = np.asarray(model.predict(x, verbose=0), np.float64)
        if self.kind == "values":
            return float(np.mean((outputs - y.reshape(outputs.shape)) ** 2))
        if self.kind == "binary":
            return float(np.mean((outputs.reshape(-1) > (0.5 if self.probabilities else 0)) == y.reshape(-1)))
        return float(np.mean(outputs.argmax(axis=-1) == y.reshape(-1)))


def class_numbers(model: Any, y: np.ndarray) -> np.ndarray:
    """Return targets as class numbers where they are those of classes in other words.

    That is a row of zeros with a single one for every sample, and for one probability zeros and ones of any type.
    """
    shape = tuple(model.outputs[0].shape[1:])
    if not np.isin(y, (0, 1)).all():
        return y
    if len(shape) == 1 and shape[0] > 1 and y.shape[1:] == shape and (y.sum(-1) == 1).all():
        return y.argmax(-1)
    if shape == (1,) and y.size == len(y) and last_activation(model) == "sigmoid":
        return y.astype(np.int64)
    return y


def objective_of(model: Any, y: np.ndarray) -> Objective:
    """Return the objective of a model with one output, for targets.

    Raises
    ------
    ConfigError
        If the targets fit neither scores of classes nor the values of the outputs.
    """
    if len(model.outputs) != 1:
        raise ConfigError(f"model {model.name!r} has {len(model.outputs)} outputs; targets are for one")
    shape, last = tuple(model.outputs[0].shape[1:]), last_activation(model)
    whole = y.dtype.kind in "iub"
    if not np.isfinite(y).all():
        raise ConfigError("targets contain NaN or infinity")
    if whole and shape == (1,) and y.size == len(y):
        _require_classes(y, 2)
        return Objective("binary", last == "sigmoid")
    if whole and len(shape) == 1 and y.size == len(y):
        _require_classes(y, shape[0])
        return Objective("classes", last == "softmax")
    if y.shape[1:] == shape or (shape == (1,) and y.size == len(y)):
        return Objective("values", False)
    raise ConfigError(
        f"targets of shape {list(y.shape)} and type {y.dtype} do not fit outputs of shape {['samples', *shape]}; give "
        "class numbers (integers), one a sample, or values of that shape"
    )


def _require_classes(y: np.ndarray, count: int) -> None:
    if y.min() < 0 or y.max() >= count:
        raise ConfigError(f"targets are classes 0 to {count - 1}, not {int(y.min() if y.min() < 0 else y.max())}")
