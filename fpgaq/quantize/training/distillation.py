"""Training that also follows the outputs of another model (knowledge distillation, arXiv 1503.02531)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.quantize.training.loss import Objective

_LEAST_PROBABILITY = 1e-7


@keras.saving.register_keras_serializable(package="fpgaq")
class DistillationLoss(keras.losses.Loss):
    """Loss of the targets, and the divergence from a teacher, whose outputs stand behind the targets (see `targets`).

    Parameters
    ----------
    kind, probabilities
        Of the `Objective` for the targets.
    share : float
        How much the teacher counts, 0 to 1.
    temperature : float
        By which scores of classes are divided before they are compared.
    """

    def __init__(self, kind: str, probabilities: bool, share: float = 0.5, temperature: float = 2.0) -> None:
        super().__init__(name="distillation")
        self.objective = Objective(kind, probabilities)
        self.share = share
        self.temperature = temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one loss a sample."""
        size = y_pred.shape[-1]
        targets, taught = y_true[..., :-size], y_true[..., -size:]
        own = self.objective.loss().call(targets, y_pred)
        return (1 - self.share) * own + self.share * self._divergence(taught, y_pred)

    def _divergence(self, taught: Any, outputs: Any) -> Any:
        if self.objective.kind == "values":
            return ops.mean(ops.square(taught - outputs), axis=-1)
        logits = [self._logits(scores) / self.temperature for scores in (taught, outputs)]
        wanted, found = (ops.log_softmax(scores, axis=-1) for scores in logits)
        return self.temperature**2 * ops.sum(ops.exp(wanted) * (wanted - found), axis=-1)

    def _logits(self, scores: Any) -> Any:
        """Return logits of all classes: of two where there is one score."""
        if self.objective.kind == "binary" and self.objective.probabilities:
            both = ops.concatenate([1 - scores, scores], axis=-1)
            return ops.log(ops.maximum(both, _LEAST_PROBABILITY))
        if self.objective.probabilities:
            return ops.log(ops.maximum(scores, _LEAST_PROBABILITY))
        return ops.concatenate([ops.zeros_like(scores), scores], axis=-1) if self.objective.kind == "binary" else scores

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = {"kind": self.objective.kind, "probabilities": self.objective.probabilities}
        return {**own, "share": self.share, "temperature": self.temperature}


def targets(teacher: Any, x: Any, y: np.ndarray) -> np.ndarray:
    """Return targets with the outputs of a teacher behind them, on the last axis."""
    taught = np.asarray(teacher.predict(x, verbose=0), np.float32)
    own = y.reshape((*taught.shape[:-1], -1))
    return np.concatenate([own.astype(np.float32), taught], axis=-1)
