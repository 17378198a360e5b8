"""Weights that are searched among a few levels (SLB, arXiv 2009.08695)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import fitted_unit, registered
from fpgaq.quantize.quantizers.trainable import TrainableWeights, check_bits

#: Steepness of the scores that a search starts from: those of neighbouring levels differ by about so much.
_STEEPNESS = 2.0
_LEAST_TEMPERATURE = 1e-3


@registered
class SearchedLevels(TrainableWeights):
    """Every weight has a trained score for every level: their mixture in training, the best one at inference.

    The mixture sharpens as the temperature falls, which `fpgaq.quantize.training.annealing.Annealing` does. Levels are
    integers times a power of two that stays. The weights themselves only say where the search starts.

    Parameters
    ----------
    bits : int
        1 (two levels, no zero) to 4.
    temperature : float
        Initial one of the mixture.
    """

    def __init__(self, bits: int = 2, temperature: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        check_bits("SearchedLevels", bits, 1, 4)
        if not (np.isfinite(temperature) and temperature > 0):
            raise ConfigError(f"SearchedLevels: temperature {temperature} must be positive")
        self.bits = bits
        self.initial_temperature = temperature
        self.format: WeightFormat = formats.Binary() if bits == 1 else formats.Integer(bits, symmetric=True)

    def build(self, input_shape: Any) -> None:
        """Create the scores, the unit and the temperature; the latter two are not trained."""
        spread = float(np.sqrt(2 / max(np.prod(input_shape[:-1]), 1)))
        first = 2.0 ** np.rint(np.log2(2 * spread / self.format.levels[-1]))
        constant, shape = keras.initializers.Constant, (*input_shape, len(self.format.levels))
        self.scores = self.add_weight(name="scores", shape=shape, initializer="random_normal")
        self.unit = self.add_weight(name="unit", shape=(), initializer=constant(float(first)), trainable=False)
        self.temperature = self.add_weight(
            name="temperature", shape=(), initializer=constant(self.initial_temperature), trainable=False
        )
        self.built = True

    def adapt(self, values: np.ndarray) -> None:
        """Start from the levels next to trained weights, with a unit that fits them best."""
        w = np.asarray(values, np.float32)
        unit = np.float32(fitted_unit(ops.convert_to_tensor(w), self.format.levels))
        self.unit.assign(unit)
        self.scores.assign(-_STEEPNESS * np.square(w[..., None] / unit - self.format.levels))

    def project(self, w: Any, *, training: bool) -> tuple[Any, Any]:
        unit, levels = ops.convert_to_tensor(self.unit), ops.convert_to_tensor(self.format.levels.astype(np.float32))
        if not training:
            return unit * ops.take(levels, ops.argmax(self.scores, axis=-1)), unit
        shares = ops.softmax(self.scores / ops.maximum(self.temperature, _LEAST_TEMPERATURE))
        # The kernel has no part in the result; optimizers complain of variables without a gradient.
        return unit * ops.sum(shares * levels, axis=-1) + 0.0 * w, unit

    def format_of(self, integers: np.ndarray) -> WeightFormat:
        return self.format

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits, "temperature": self.initial_temperature}
