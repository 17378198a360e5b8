"""Weights of any number of bits from one checkpoint: truncated wavelet coefficients (after arXiv 2105.01353).

The paper's text was not available: this is a reconstruction of the abstract's idea. Weights are rounded to 8 bits, two
inputs that follow each other become a mean and a difference by a whole-numbered Haar transform, and both lose their low
bits before they are transformed back. With 8 bits nothing is lost. In training every step has bits by lot.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import holding, power_of_two, registered, straight_through
from fpgaq.quantize.quantizers.trainable import TrainableWeights, check_bits

#: Bits of the coefficients that a checkpoint stands for, and the fewest that training draws.
FULL, FEWEST = 8, 2


@registered
class HaarWeights(TrainableWeights):
    """Integers whose Haar coefficients are those of 8 bits without the low ones.

    Parameters
    ----------
    bits : int
        2 to 8, at inference; training draws 2 to so many.
    """

    def __init__(self, bits: int = FULL, **options: Any) -> None:
        super().__init__(**options)
        check_bits("HaarWeights", bits, FEWEST, FULL)
        self.bits = bits
        self.seeds = keras.random.SeedGenerator()

    def project(self, w: Any, *, training: bool) -> tuple[Any, Any]:
        unit = holding(ops.max(ops.abs(w)) / (2 ** (FULL - 1) - 1))
        kept = ops.convert_to_tensor(float(self.bits))
        if training:
            kept = ops.floor(keras.random.uniform((), FEWEST, self.bits + 1, seed=self.seeds))
        coarse = power_of_two(ops.power(2.0, FULL - kept))
        half = 2 ** (FULL - 1)
        whole = ops.clip(ops.round(w / unit), -half, half - 1)
        integers = ops.clip(truncated(whole, coarse), -half / coarse, half / coarse - 1)
        return straight_through(w, unit * coarse * integers), unit * coarse

    def format_of(self, integers: np.ndarray) -> WeightFormat:
        return formats.Integer(self.bits)

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits}


def truncated(integers: Any, coarse: Any) -> Any:
    """Return integers whose Haar coefficients are rounded to multiples of a power of two, in units of that.

    Pairs are neighbours along the flattened inputs of a channel; the last of an odd number has none, and is rounded.
    """
    shape = ops.shape(integers)
    rows = ops.reshape(integers, (-1, shape[-1]))
    count = rows.shape[0] // 2 * 2
    first, second, rest = rows[0:count:2], rows[1:count:2], rows[count:]
    difference = first - second
    mean = second + ops.floor(difference / 2)
    difference, mean, rest = (ops.round(part / coarse) for part in (difference, mean, rest))
    second = mean - ops.floor(difference / 2)
    pairs = ops.reshape(ops.stack([second + difference, second], axis=1), (count, shape[-1]))
    return ops.reshape(ops.concatenate([pairs, rest]), shape)
