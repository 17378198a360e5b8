"""Networks of every number format: fixed-seed weights, as integers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.network import BIAS_FRAC, WEIGHT_SEED, Layer, Steps
from fpgaq.ir.types import FixedType
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat

#: Shapes, and the type of their inputs: images of digits with 17 gray levels, and signed features.
NETWORKS = {
    "64-32-32-10": ((64, 32, 32, 10), FixedType(5, 4, signed=False)),
    "16-64-32-32-5": ((16, 64, 32, 32, 5), FixedType(8, 4, signed=True)),
}

_CODEBOOK = (0, -29, -20, -15, -11, -8, -5, -2, 2, 5, 8, 11, 15, 20, 24, 31)  # about what k-means gives for a normal


@dataclass(frozen=True)
class Variant:
    """Weights of a format, and activations of few levels or of 6 bits.

    Parameters
    ----------
    format : WeightFormat
    levels : int
        Levels of the activations: 2 for -1 and 1, 3 for -1, 0 and 1; 0 for unsigned 6 bits.
    zeros : float
        Share of zero weights; 0 where all levels are equally likely.
    """

    format: WeightFormat
    levels: int = 0
    zeros: float = 0.0


VARIANTS = {
    "int6": Variant(formats.Integer(6)),
    "binary": Variant(formats.Binary()),
    "binary_a1": Variant(formats.Binary(), 2),
    "ternary": Variant(formats.Ternary(), 0, 0.5),
    "ternary_a2": Variant(formats.Ternary(), 3, 0.5),
    "ttq": Variant(formats.TwoScaleTernary(11, 17), 0, 0.5),
    "pot4": Variant(formats.PowerOfTwo(4)),
    "apot4": Variant(formats.AdditivePowerOfTwo(4)),
    "codebook4": Variant(formats.Codebook(_CODEBOOK, 4)),
    "pwlq4": Variant(formats.PiecewiseLinear(4, 9, 2)),
    "tapered4": Variant(formats.Tapered(4)),
    "multi_binary2": Variant(formats.MultiBinary((11, 5))),
}


def make_layers(variant: Variant, sizes: Sequence[int], input_type: FixedType) -> list[Layer]:
    """Return the layers of a variant; the same ones on every machine.

    Sums are scaled to the range of the inputs; activations of few levels split them into equal parts.
    """
    rng = np.random.default_rng(WEIGHT_SEED)
    layers = []
    for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        weight = _weights(variant, rng, (n_in, n_out))
        spread = float(np.sqrt(n_in * np.mean(weight**2)))
        last = k + 2 == len(sizes)
        if variant.levels == 0:
            bias = rng.integers(-32, 32, n_out)
            layers.append(Layer(weight, bias, round(np.log2(spread)), BIAS_FRAC, variant.format))
            continue
        if k == 0:  # the root mean square of uniform codes
            spread *= 2**input_type.width / np.sqrt(12 if input_type.signed else 3)
        bias = rng.integers(-int(spread), int(spread) + 1, n_out)
        edge = max(round(0.43 * spread), 1)  # a third of a normal lies above it
        steps = Steps((0,), (-1, 1)) if variant.levels == 2 else Steps((-edge, edge + 1), (-1, 0, 1))
        bias_frac = input_type.frac if k == 0 else 0
        layers.append(Layer(weight, bias, 0, bias_frac, variant.format, None if last else steps))
    return layers


def _weights(variant: Variant, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    levels = variant.format.levels
    others = levels[levels != 0] if variant.zeros else levels
    return np.asarray(rng.choice(others, shape) * (rng.random(shape) >= variant.zeros))
