"""Weights that share the means of a trained mixture of normal distributions (DGMS).

Source: "Differentiable Gaussian-mixture weight sharing", arXiv 2112.15139, and its reference code; in logarithms, so
that weights far from all means do not become zero. The table is rounded for hardware at inference.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import power_of_two, registered
from fpgaq.quantize.quantizers.codebook import clustered
from fpgaq.quantize.quantizers.trainable import TrainableWeights, check_bits

_LEAST_TEMPERATURE = 1e-3
#: Of a component, as a share of that of the weights.
_LEAST_DEVIATION = 1e-3


@registered
class GaussianMixture(TrainableWeights):
    """Soft mixture of the means in training, the mean of the most probable component at inference.

    Component 0 has mean 0. Means, mixture weights, deviations, the temperature and the weights train together, without
    a straight-through estimate.

    Parameters
    ----------
    bits : int
        Bits of an index, 1 to 6; there are ``2**bits`` components.
    temperature : float
        Initial one of the softmax over components.
    entry_bits : int
        Bits of a table entry, the sign included, 3 to 12; entries that fall together are one.
    """

    def __init__(self, bits: int = 4, temperature: float = 0.01, entry_bits: int = 8, **options: Any) -> None:
        super().__init__(**options)
        check_bits("GaussianMixture", bits, 1, 6)
        check_bits("GaussianMixture: entries of the table", entry_bits, 3, 12)
        if not _LEAST_TEMPERATURE <= temperature <= 1:
            raise ConfigError(f"GaussianMixture: temperature {temperature} must lie in {_LEAST_TEMPERATURE}..1")
        self.bits = bits
        self.initial_temperature = temperature
        self.entry_bits = entry_bits

    def build(self, input_shape: Any) -> None:
        """Create the mixture, spread over weights of the usual size for their number of inputs."""
        count = 1 << self.bits
        spread = float(np.sqrt(2 / max(np.prod(input_shape[:-1]), 1)))
        # Pairs around zero; the last one has no partner, as zero has the first place.
        steps = np.array([(-1) ** k * ((k + 1) // 2) for k in range(1, count)])
        means = (2 * spread * steps / (count // 2)).astype("float32")
        constant = keras.initializers.Constant
        self.means = self.add_weight(name="means", shape=(count - 1,), initializer=constant(means))
        self.shares = self.add_weight(name="shares", shape=(count,), initializer=constant(1 / count))
        self.deviations = self.add_weight(name="deviations", shape=(count,), initializer=constant(spread / count))
        self.temperature = self.add_weight(name="temperature", shape=(), initializer=constant(self.initial_temperature))
        self.built = True

    def adapt(self, values: np.ndarray) -> None:
        """Start from clusters of trained weights (k-means with one centre held at zero)."""
        w = np.asarray(values, np.float64).reshape(-1)
        centres = clustered(w, 1 << self.bits)
        order = np.argsort(np.abs(centres), kind="stable")  # that of zero comes first
        centres = centres[order]
        member = np.abs(w[:, None] - centres).argmin(1)
        sizes = np.bincount(member, minlength=len(centres))
        squares = np.bincount(member, np.square(w - centres[member]), len(centres))
        self.means.assign(centres[1:])
        self.shares.assign(np.maximum(sizes, 1) / np.maximum(sizes, 1).sum())
        self.deviations.assign(np.sqrt(squares / np.maximum(sizes - 1, 1)))

    def project(self, w: Any, *, training: bool) -> tuple[Any, Any]:
        means, table, unit = self._tables()
        responsibilities = self._responsibilities(w, means)
        if training:
            sharpened = responsibilities / ops.maximum(self.temperature, _LEAST_TEMPERATURE)
            return ops.sum(ops.softmax(sharpened) * means, axis=-1), unit
        return unit * ops.take(table, ops.argmax(responsibilities, axis=-1)), unit

    def _tables(self) -> tuple[Any, Any, Any]:
        """Return the means with that of component 0, the integers of hardware for them, and their unit."""
        means = ops.concatenate([ops.zeros((1,)), ops.convert_to_tensor(self.means)])
        unit = power_of_two(ops.max(ops.abs(means))) / 2 ** (self.entry_bits - 2)
        most = 2 ** (self.entry_bits - 1) - 1
        return means, ops.clip(ops.round(means / unit), -most, most), unit

    def _responsibilities(self, w: Any, means: Any) -> Any:
        """Return the probability of every component for every weight, on a last axis of its own."""
        least = ops.maximum(_LEAST_DEVIATION * ops.stop_gradient(ops.std(w)), 1e-8)
        deviations = ops.maximum(ops.abs(self.deviations), least)
        logarithms = ops.log(ops.abs(self.shares) + 1e-12) - ops.log(deviations)
        distances = (ops.expand_dims(w, -1) - means) / deviations
        return ops.softmax(logarithms - ops.square(distances) / 2)

    def format_of(self, integers: np.ndarray) -> WeightFormat:
        entries = ops.convert_to_numpy(self._tables()[1]).astype(np.int64)
        return formats.Codebook((0, *sorted(set(entries.tolist()) - {0})), self.bits)

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits, "temperature": self.initial_temperature, "entry_bits": self.entry_bits}
