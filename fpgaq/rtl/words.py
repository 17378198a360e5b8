"""Vectors of codes as stream words, element 0 in the low bits, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fpgaq.ir.types import FixedType, IntArray


def pack(codes: IntArray, type_: FixedType) -> list[int]:
    """Return one word per sample; `codes` has shape (samples, ...)."""
    width, mask = type_.width, (1 << type_.width) - 1
    flat = codes.reshape(codes.shape[0], math.prod(codes.shape[1:])).tolist()
    words = []
    for row in flat:
        word = 0
        for k, code in enumerate(row):
            word |= (code & mask) << (k * width)
        words.append(word)
    return words


def unpack(words: Sequence[int], type_: FixedType, width: int, count: int) -> IntArray:
    """Return codes of shape (samples, count) from words of `count` fields of `width` bits."""
    mask, sign = (1 << width) - 1, 1 << (width - 1)
    rows = []
    for word in words:
        fields = [(word >> (k * width)) & mask for k in range(count)]
        rows.append([f - (1 << width) if type_.signed and f & sign else f for f in fields])
    return np.array(rows, dtype=np.int64).reshape(len(words), count)
