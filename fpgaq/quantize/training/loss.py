"""What a model trains towards, read off its last layer and its targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fpgaq.errors import ConfigError


def last_activation(model: Any) -> str:
    """Return the name of what the outputs of a model went through last."""
    last = model.layers[-1]
    if type(last).__name__ == "Softmax":
        return "softmax"
    return str(getattr(getattr(last, "activation", None), "__name__", ""))


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
