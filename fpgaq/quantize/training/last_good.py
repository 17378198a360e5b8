"""Training that diverges stops, and the model goes back to where it was still good."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

#: No trained parameter is larger; beyond it steps, which are powers of two, are no longer exact in training.
_LARGEST = 2.0**24


class LastGood(keras.callbacks.Callback):
    """Stops where a loss or a weight is not finite, or a weight huge; restores the weights of the last epoch before."""

    def __init__(self) -> None:
        super().__init__()
        #: What happened, None while all is well.
        self.diverged: str | None = None
        self._weights: list[np.ndarray] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self._weights = self.model.get_weights()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        weights = self.model.get_weights()
        sound = all(np.isfinite(values).all() for values in weights) and all(
            np.abs(variable.numpy()).max(initial=0.0) <= _LARGEST for variable in self.model.trainable_variables
        )
        if np.isfinite((logs or {}).get("loss", 0.0)) and sound:
            self._weights = weights
            return
        self.model.stop_training = True
        self.model.set_weights(self._weights)
        self.diverged = f"training diverged in epoch {epoch + 1}; the weights are those from before it"
