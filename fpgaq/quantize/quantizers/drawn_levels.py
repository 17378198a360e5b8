"""Integer weights that draw their level, and lose a bit, at random while they are trained (after CPQ with DropBits).

The paper's text was not available: this is a reconstruction of its idea. A level's probability falls with its distance
from the weight as a normal distribution. In training a level is drawn; the gradient is that of the mixture of all
levels, as if it had been that (multi-class straight-through estimate). In some steps all odd levels are left out, which
is the lowest bit. Nothing is random at inference.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import fitted_unit, registered
from fpgaq.quantize.quantizers.trainable import TrainableWeights, check_bits, on_steps, trained_step

_LEAST_SPREAD = 1e-2
_NEVER = -1e9


@registered
class DrawnLevels(TrainableWeights):
    """A level at random, near ones more often, in training; the nearest one at inference. Step and spread are trained.

    Parameters
    ----------
    bits : int
        2 to 6.
    drop : float
        Probability that a step of training leaves out the lowest bit, 0 to below 1; of 2 bits none is.
    spread : float
        Initial deviation of the drawn levels, in steps.
    """

    def __init__(self, bits: int = 4, drop: float = 0.2, spread: float = 0.3, **options: Any) -> None:
        super().__init__(**options)
        check_bits("DrawnLevels", bits, 2, 6)
        if not 0 <= drop < 1:
            raise ConfigError(f"DrawnLevels: drop {drop} must lie in [0, 1)")
        if not (np.isfinite(spread) and spread >= _LEAST_SPREAD):
            raise ConfigError(f"DrawnLevels: spread {spread} must be at least {_LEAST_SPREAD}")
        self.bits = bits
        self.drop = drop
        self.initial_spread = spread
        self.format = formats.Integer(bits)
        self.seeds = keras.random.SeedGenerator()

    def build(self, input_shape: Any) -> None:
        """Create step and spread, for weights of the usual size for their number of inputs."""
        usual = float(np.sqrt(2 / max(np.prod(input_shape[:-1]), 1)))
        constant = keras.initializers.Constant
        self.step = self.add_weight(name="step", shape=(), initializer=constant(2 * usual / 2 ** (self.bits - 1)))
        self.spread = self.add_weight(name="spread", shape=(), initializer=constant(self.initial_spread))
        self.built = True

    def adapt(self, values: np.ndarray) -> None:
        """Start from the step of least squared error."""
        self.step.assign(fitted_unit(ops.convert_to_tensor(np.asarray(values, np.float32)), self.format.levels))

    def probabilities(self, w: Any, dropped: Any) -> Any:
        """Return the logarithms of the probabilities of all levels, on a last axis of their own.

        Parameters
        ----------
        w : tensor
        dropped : bool tensor
            Whether odd levels are left out.
        """
        levels = ops.convert_to_tensor(self.format.levels.astype(np.float32))
        left_out = ops.logical_and(dropped, ops.convert_to_tensor(self.format.levels % 2 == 1))
        distance = ops.expand_dims(w / ops.stop_gradient(trained_step(self.step)), -1) - levels
        scores = -ops.square(distance / ops.maximum(self.spread, _LEAST_SPREAD)) / 2
        return ops.log_softmax(ops.where(left_out, _NEVER, scores), axis=-1)

    def project(self, w: Any, *, training: bool) -> tuple[Any, Any]:
        unit, half = trained_step(self.step), 2.0 ** (self.bits - 1)
        if not training:
            return unit * ops.clip(ops.round(w / unit), -half, half - 1), unit
        dropped = keras.random.uniform((), seed=self.seeds) < (self.drop if self.bits > 2 else 0.0)
        logarithms = self.probabilities(w, dropped)
        uniform = keras.random.uniform(ops.shape(logarithms), minval=1e-6, maxval=1.0, seed=self.seeds)
        drawn = ops.argmax(logarithms - ops.log(-ops.log(uniform)), axis=-1)  # the largest is drawn (Gumbel)
        levels = ops.convert_to_tensor(self.format.levels.astype(np.float32))
        integers, mixture = ops.take(levels, drawn), ops.sum(ops.exp(logarithms) * levels, axis=-1)
        moved = on_steps(ops.stop_gradient(w), unit, integers, half)
        still = ops.stop_gradient(unit)
        return moved + still * (mixture - ops.stop_gradient(mixture)), still

    def format_of(self, integers: np.ndarray) -> WeightFormat:
        return self.format

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits, "drop": self.drop, "spread": self.initial_spread}
