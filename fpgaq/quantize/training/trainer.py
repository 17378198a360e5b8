"""The trainer: a trained float model becomes a quantized one that is trained further with ``model.fit``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from fpgaq.errors import ConfigError, ModelError
from fpgaq.quantize.requantize import Makers, exchanged, matrices
from fpgaq.quantize.training.checks import check_trainable, checked
from fpgaq.quantize.training.gating import GATE_TARGET, THRESHOLD_RATE, gated, plain_rectifiers
from fpgaq.quantize.training.loss import Objective, objective_of
from fpgaq.quantize.training.registry import activation_system, weight_system


@dataclass(frozen=True)
class Settings:
    """How a model is quantized and trained.

    Parameters
    ----------
    method : str
        System of the weights, one of `fpgaq.quantize.training.registry.WEIGHTS`.
    bits : int
        Of weights.
    layer_bits : mapping
        Bits of weights by layer name, where they are others.
    activation_method : str
        System of the rectifiers, one of `fpgaq.quantize.training.registry.ACTIVATIONS`.
    activations : int or None
        Bits of rectifiers; None leaves them as they are.
    epochs, batch : int
    rate : float
        Learning rate of Adam for the weights; it falls to zero by a cosine.
    rates : mapping
        Factors of the rate by the name of a parameter of a quantizer, instead of those of the systems.
    progressive : bool
        Whether a model of one bit more is trained first, whose weights this one starts from.
    distill : float
        How much the outputs of the model that was given count in the loss, 0 to 1.
    gradient_l1 : float
        How much the l1 norms of the gradients by weights and activations count in the loss.
    gate : int or None
        High bits of the activations in front of hidden layers, which are gated then: they predict where the low bits
        count (precision gating, arXiv 2002.07136).
    gate_target : float or None
        Where thresholds of gates are drawn to, in deviations of what the layer computes; None for `GATE_TARGET`.
    seed : int
    """

    method: str
    bits: int
    activation_method: str = "pact"
    activations: int | None = 4
    epochs: int = 20
    batch: int = 64
    rate: float = 1e-3
    rates: Mapping[str, float] = field(default_factory=dict)
    layer_bits: Mapping[str, int] = field(default_factory=dict)
    progressive: bool = False
    distill: float = 0.0
    gradient_l1: float = 0.0
    gate: int | None = None
    gate_target: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        weight_system(self.method).check(self.bits)
        for name, bits in self.layer_bits.items():
            weight_system(self.method).check(bits, name)
        system = activation_system(self.activation_method)
        if self.activations is not None:
            system.check(self.activations)
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)} must be at least 1")
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise ConfigError(f"rate {self.rate} must be positive")
        for name, factor in self.rates.items():
            if not (np.isfinite(factor) and factor >= 0):
                raise ConfigError(f"rate-of {name}={factor} must be 0 or more: a factor of the rate")
        if not 0 <= self.distill <= 1:
            raise ConfigError(f"distill {self.distill} must lie in 0..1")
        if not (np.isfinite(self.gradient_l1) and self.gradient_l1 >= 0):
            raise ConfigError(f"gradient-l1 {self.gradient_l1} must be 0 or more")
        self._check_gate()
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed {self.seed} must lie in 0..{2**32 - 1}")
        for bits in (self.bits, *self.layer_bits.values()) if self.progressive else ():
            if bits + 1 not in weight_system(self.method).bits:
                raise ConfigError(f"method {self.method!r} has no {bits + 1} bits to start from; leave progressive out")

    def bits_of(self, name: str) -> int:
        """Return the bits of a layer's weights."""
        return self.layer_bits.get(name, self.bits)

    def wider(self) -> Settings:
        """Return the settings with one bit more."""
        return replace(self, bits=self.bits + 1, layer_bits={n: bits + 1 for n, bits in self.layer_bits.items()})

    def _check_gate(self) -> None:
        if self.gate is None:
            if self.gate_target is not None:
                raise ConfigError(f"gate-target {self.gate_target} is for gates: give gate, too, or leave it out")
            return
        if self.activations is None or not 1 <= self.gate < self.activations:
            raise ConfigError(
                f"gate {self.gate}: so many of the {self.activations or 'unlimited'} bits of activations cannot be the "
                "high ones; use at least 1, and fewer than activations has"
            )
        if min(self.bits, *self.layer_bits.values(), 2) < 2:
            raise ConfigError("gated layers have integer weights of 2 bits or more, not of 1; leave gate out")
        if self.gate_target is not None and not np.isfinite(self.gate_target):
            raise ConfigError(f"gate-target {self.gate_target} must be finite")

    def factors(self) -> dict[str, float]:
        """Return the factors of the rate by the name of a parameter."""
        found = dict(weight_system(self.method).rates)
        if self.activations is not None:
            found |= activation_system(self.activation_method).rates
        if self.gate is not None:
            found |= THRESHOLD_RATE
        return {**found, **self.rates}


@dataclass(frozen=True)
class Trained:
    """What training returns.

    Parameters
    ----------
    model : keras.Model
        With trainable quantizers; `fpgaq.freeze` fixes them.
    history : dict
        Loss of every epoch, as Keras reports it.
    diverged : str or None
        What happened where the loss became NaN; the model then has its last good weights.
    """

    model: Any
    history: dict[str, list[float]]
    diverged: str | None


def train(model: Any, x: Any, y: Any, settings: Settings, *, callbacks: Sequence[Any] = ()) -> Trained:
    """Quantize a trained model and train it further.

    Parameters
    ----------
    model : keras.Model
        Trained, of one input and one output, float or with quantizers, which are replaced. It stays as it is.
    x : float array, shape (samples, ...)
    y : array
        Class numbers, one a sample, rows with a one for the class, or values of the outputs.
    settings : Settings
    callbacks : sequence of keras.callbacks.Callback

    Raises
    ------
    ModelError
        If the model cannot be trained or converted, has several inputs, no layer that bits are given for, or nothing to
        gate.
    ConfigError
        If data or settings do not fit.
    """
    import keras

    from fpgaq.frontend.flatten import flattened

    original = flattened(model)
    check_trainable(original)
    x, y = checked(original, x, y)
    objective = objective_of(original, y)
    unknown = sorted(set(settings.layer_bits) - set(matrices(original)))
    if unknown:
        known = ", ".join(matrices(original))
        raise ModelError(f"layer {unknown[0]!r} has no matrix to give bits to; layers with one are {known}")
    keras.utils.set_random_seed(settings.seed)
    if settings.gate is not None and settings.activations is not None:
        target = GATE_TARGET if settings.gate_target is None else settings.gate_target
        original = gated(original, x, settings.bits_of, settings.activations, settings.gate, target)
    before = None
    if settings.progressive:
        wider = settings.wider()
        before = _fitted(original, quantized(original, x, wider), x, y, objective, wider, callbacks)
        if before.diverged:
            return before
    start = quantized(original, x, settings)
    if before is not None:
        from fpgaq.quantize.training.progressive import start_from

        start_from(start, before.model)
    return _fitted(original, start, x, y, objective, settings, callbacks)


def quantized(model: Any, x: np.ndarray, settings: Settings) -> Any:
    """Return the copy of a model that is trained: the quantizers of the settings, the weights of the model."""
    weights, makers = weight_system(settings.method), {}
    for name in matrices(model):
        rectifier = None
        if settings.activations is not None:
            rectifier = partial(activation_system(settings.activation_method).make, settings.activations)
        makers[name] = Makers(partial(weights.make, settings.bits_of(name)), rectifier)
    return exchanged(model, makers, x, plain=plain_rectifiers(model))


def _fitted(
    original: Any, model: Any, x: Any, y: Any, objective: Objective, settings: Settings, callbacks: Sequence[Any]
) -> Trained:
    import keras

    from fpgaq.quantize.training.annealing import Annealing
    from fpgaq.quantize.training.groups import GroupedAdam
    from fpgaq.quantize.training.last_good import LastGood

    known = {variable.name for variable in model.trainable_variables}
    unknown = sorted(set(settings.rates) - known)
    if unknown:
        raise ConfigError(
            f"no parameter {unknown[0]!r} to give a rate to; the quantized model has {', '.join(sorted(known))}"
        )
    steps = settings.epochs * -(-len(x) // settings.batch)
    rate = keras.optimizers.schedules.CosineDecay(settings.rate, steps)
    loss = objective.loss()
    if settings.distill:
        from fpgaq.quantize.training.distillation import DistillationLoss, targets

        loss = DistillationLoss(objective.kind, objective.probabilities, settings.distill)
        y = targets(original, x, y)
    fitted = model
    if settings.gradient_l1:
        from fpgaq.quantize.training.gradient_penalty import PenalizedModel

        fitted = PenalizedModel(model, settings.gradient_l1)
    fitted.compile(GroupedAdam(settings.factors(), rate), loss)
    good = LastGood()
    watching = [good, Annealing(settings.epochs), *callbacks]
    history = fitted.fit(x, y, epochs=settings.epochs, batch_size=settings.batch, verbose=0, callbacks=watching)
    # Files of the model then need nothing of this package but its quantizers.
    model.compile(keras.optimizers.Adam(settings.rate), objective.loss())
    return Trained(model, history.history, good.diverged)
