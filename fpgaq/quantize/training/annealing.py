"""Mixtures of levels that become sharp while they are trained."""

from __future__ import annotations

from typing import Any

import keras

from fpgaq.quantize.quantizers import SearchedLevels
from fpgaq.quantize.quantizers.attachment import trainable_quantizers


class Annealing(keras.callbacks.Callback):
    """Lets the temperature of every `SearchedLevels` fall geometrically, from its initial one.

    Parameters
    ----------
    epochs : int
        Of the training.
    last : float
        Temperature of the last epoch, as a share of the initial one.
    """

    def __init__(self, epochs: int, last: float = 0.02) -> None:
        super().__init__()
        self.epochs = epochs
        self.last = last

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the temperature of the epoch."""
        share = self.last ** (epoch / max(self.epochs - 1, 1))
        for layer in self.model.layers:
            for quantizer in trainable_quantizers(layer):
                if isinstance(quantizer, SearchedLevels):
                    quantizer.temperature.assign(quantizer.initial_temperature * share)
