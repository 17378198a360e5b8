"""Training systems by their names: what makes the quantizers of weights, and those of activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError
from fpgaq.quantize.ranges import least_error, signed

Real = NDArray[np.float64]


@dataclass(frozen=True)
class System:
    """A way to train weights or activations into few bits.

    Parameters
    ----------
    name : str
    bits : range
        Bits that it is for.
    make : callable
        Returns a quantizer. Of weights: given bits, layer and kernel; of activations: given bits and what calibration
        data make of the rectifier. Trainable ones are adapted to them afterwards.
    summary : str
        One line.
    source : str
        Where the method was published.
    evidence : str
        What the source of the implementation is known from.
    rates : mapping
        Learning rates of its parameters by name, as factors of that of the weights.
    """

    name: str
    bits: range
    make: Callable[..., Any]
    summary: str
    source: str = ""
    evidence: str = "definition"
    rates: Mapping[str, float] = field(default_factory=dict)

    def check(self, bits: int, layer: str | None = None) -> None:
        """Refuse bits that the system does not have, for all layers or for one."""
        if type(bits) is not int or bits not in self.bits:
            of = "" if layer is None else f"layer {layer!r}: "
            raise ConfigError(f"{of}method {self.name!r} is for {self.bits[0]} to {self.bits[-1]} bits, not {bits}")


def _uniform(bits: int, layer: Any, kernel: Real) -> Any:
    return signed(kernel, bits)


def _binary(bits: int, layer: Any, kernel: Real) -> Any:
    from qkeras import binary

    return binary(alpha="auto_po2")


def _ternary(bits: int, layer: Any, kernel: Real) -> Any:
    from fpgaq.quantize.quantizers import TernaryWeights

    return TernaryWeights()


def _trained_ternary(bits: int, layer: Any, kernel: Real) -> Any:
    from fpgaq.quantize.quantizers import TrainedTernary

    return TrainedTernary()


def _of_bits(name: str, bits: int, layer: Any, kernel: Real) -> Any:
    """Return a quantizer that is told its bits only."""
    from fpgaq.quantize import quantizers

    return getattr(quantizers, name)(bits)


def _mixture(bits: int, layer: Any, kernel: Real) -> Any:
    from fpgaq.quantize.quantizers import GaussianMixture

    distinct = len(np.unique(kernel))
    if distinct < 1 << bits:
        raise ConfigError(
            f"layer {layer.name!r} has {distinct} different weights, fewer than the {1 << bits} shared values of "
            f"{bits} bits; use fewer bits"
        )
    return GaussianMixture(bits)


def _frequency_aware(mode: str, bits: int, layer: Any, kernel: Real) -> Any:
    from fpgaq.quantize.quantizers import FrequencyAware

    return FrequencyAware(bits, mode, depthwise="Depthwise" in type(layer).__name__)


def _clipped(mode: str, bits: int, layer: Any, kernel: Real) -> Any:
    from fpgaq.quantize.quantizers import LearnedClipWeights

    return LearnedClipWeights(bits, mode)


def _calibrated(bits: int, values: Real) -> Any:
    from fpgaq.quantize.quantizers.steps import fixed_steps

    return fixed_steps(bits, 2.0 ** (least_error(values, bits, 0) - bits))


def _learned(name: str, bits: int, values: Real) -> Any:
    from fpgaq.quantize import quantizers

    return getattr(quantizers, name)(bits)


def _two_steps(bits: int, values: Real) -> Any:
    from fpgaq.quantize.quantizers import TwoSteps

    return TwoSteps()


def _running(hindsight: bool, bits: int, values: Real) -> Any:
    from fpgaq.quantize.quantizers import RunningRange

    return RunningRange(bits, hindsight=hindsight)


_FAT = "arXiv 2102.07444"
_CLIP_RATE = {"clip": 0.5}
_FAT_RATES = {"transform": 0.5, **_CLIP_RATE}

WEIGHTS = {
    system.name: system
    for system in (
        System("uniform", range(2, 17), _uniform, "integers of one step, fixed before training"),
        System("binary", range(1, 2), _binary, "signs times a power of two"),
        System("twn", range(2, 3), _ternary, "-1, 0, +1 times a power of two", "arXiv 1605.04711", "the paper's rule"),
        System(
            "pot",
            range(2, 6),
            partial(_of_bits, "PowerOfTwo"),
            "zero and powers of two, scaled by least squares",
            "level set of FAT and APoT (arXiv 1909.13144)",
            "level set from the reference codes; the scale is ours",
        ),
        System(
            "apot",
            range(3, 8),
            partial(_of_bits, "AdditivePowerOfTwo"),
            "sums of powers of two, scaled by least squares",
            "arXiv 1909.13144",
            "level set from the reference code; the scale is ours",
        ),
        System(
            "clip",
            range(2, 17),
            partial(_clipped, "uniform"),
            "integers up to a trained clip: fat without its filter",
            _FAT,
            "the baseline that fat needs",
            _CLIP_RATE,
        ),
        System(
            "clip-log",
            range(2, 6),
            partial(_clipped, "log"),
            "powers of two up to a trained clip: fat-log without its filter",
            _FAT,
            "the baseline that fat-log needs",
            _CLIP_RATE,
        ),
        System(
            "fat",
            range(2, 17),
            partial(_frequency_aware, "uniform"),
            "integers of filtered weights; transform and clip are trained",
            _FAT,
            "the reference code; steps are powers of two",
            _FAT_RATES,
        ),
        System(
            "fat-log",
            range(2, 6),
            partial(_frequency_aware, "log"),
            "powers of two of filtered weights; transform and clip are trained",
            _FAT,
            "the reference code; the largest level is a power of two",
            _FAT_RATES,
        ),
        System(
            "dgms",
            range(1, 7),
            _mixture,
            "shared values: means of a trained Gaussian mixture",
            "arXiv 2112.15139",
            "the reference code; in logarithms, and the table of 8 bits",
        ),
        System(
            "lsq",
            range(2, 17),
            partial(_of_bits, "LearnedStepWeights"),
            "integers of a trained step",
            "arXiv 1902.08153",
            "the paper's rule; steps are powers of two",
        ),
        System(
            "ttq",
            range(2, 3),
            _trained_ternary,
            "-n, 0, +p with trained magnitudes",
            "arXiv 1612.01064",
            "the paper's rule; magnitudes are integers of a power of two",
        ),
        System(
            "slb",
            range(1, 5),
            partial(_of_bits, "SearchedLevels"),
            "every weight searches its level by trained scores",
            "arXiv 2009.08695",
            "reconstruction: the idea from the abstract; temperatures from trials, no batch normalization of states",
            {"scores": 10.0},
        ),
        System(
            "cpq",
            range(2, 7),
            partial(_of_bits, "DrawnLevels"),
            "integers drawn at random, with bits dropped at random; step and spread are trained",
            "CPQ with DropBits",
            "reconstruction: the idea alone; noise, dropped bit and probabilities are ours",
        ),
        System(
            "one-model",
            range(2, 9),
            partial(_of_bits, "HaarWeights"),
            "truncated Haar coefficients of 8 bits: one checkpoint for all bits",
            "arXiv 2105.01353",
            "reconstruction: the idea from the abstract; the whole-numbered transform and bits by lot are ours",
        ),
        System(
            "multi-binary",
            range(1, 5),
            partial(_of_bits, "MultiBinary"),
            "sums of scaled signs",
            "arXiv 2008.03520",
            "reconstruction: residual signs instead of the paper's pieces",
        ),
        System(
            "tapered",
            range(3, 8),
            partial(_of_bits, "Tapered"),
            "fine near zero, coarse at the ends, scaled by least squares",
            "arXiv 2302.12510",
            "our reading of the encoding; the scale is ours",
        ),
    )
}
ACTIVATIONS = {
    system.name: system
    for system in (
        System("calibrated", range(1, 17), _calibrated, "equal steps, the range fixed before training"),
        System(
            "pact",
            range(1, 17),
            partial(_learned, "LearnedClip"),
            "equal steps up to a trained limit",
            "arXiv 1805.06085",
            "the paper's rule; steps are powers of two",
            {"clip": 2.5},
        ),
        System(
            "lsq",
            range(1, 17),
            partial(_learned, "LearnedStep"),
            "equal steps of a trained size",
            "arXiv 1902.08153",
            "the paper's rule; steps are powers of two",
        ),
        System(
            "n2uq",
            range(1, 9),
            partial(_learned, "LearnedThresholds"),
            "trained thresholds, equal levels",
            "arXiv 2111.14826",
            "the reference code; steps are powers of two, and the scale of inputs is part of the thresholds",
        ),
        System(
            "fatnn",
            range(2, 3),
            _two_steps,
            "three levels, both thresholds trained",
            "arXiv 2008.05101",
            "reconstruction from the idea of the reference code; the step of the levels is ours",
        ),
        System(
            "ema",
            range(1, 17),
            partial(_running, False),
            "equal steps, the range a moving average of largest values",
        ),
        System(
            "in-hindsight",
            range(1, 17),
            partial(_running, True),
            "the same, known before a batch is seen",
            "arXiv 2105.04246",
            "the paper's rule; ranges are powers of two, and gradients stay float",
        ),
    )
}


def weight_system(name: str) -> System:
    """Return a system of weights.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    return _named("method", name, WEIGHTS)


def activation_system(name: str) -> System:
    """Return a system of activations.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    return _named("activation method", name, ACTIVATIONS)


def _named(what: str, name: str, systems: Mapping[str, System]) -> System:
    if name not in systems:
        known = ", ".join(f"{system.name} ({system.summary})" for system in systems.values())
        raise ConfigError(f"{what} {name!r} is unknown; known are {known}")
    return systems[name]
