"""Dyadic numbers: integers with a binary point, read off or rounded from floating-point arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fpgaq.errors import ModelError
from fpgaq.ir.types import FixedType, IntArray


@dataclass(frozen=True, eq=False)
class Dyadic:
    """An array of integers with a common number of fraction bits.

    Parameters
    ----------
    codes : int array
    frac : int
        Value = code * 2^-frac.
    """

    codes: IntArray
    frac: int

    @property
    def values(self) -> NDArray[np.float64]:
        """The numbers themselves; exact while a code has at most 53 bits."""
        return np.ldexp(self.codes.astype(np.float64), -self.frac)

    @property
    def type(self) -> FixedType:
        """Narrowest type that holds every code."""
        return FixedType.from_interval(int(self.codes.min()), int(self.codes.max()), self.frac)


def trailing_fraction_bits(values: NDArray[np.float64]) -> int:
    """Return the smallest f such that every value times 2^f is an integer (0 for an all-zero array)."""
    nonzero = values[values != 0]
    if not nonzero.size:
        return 0
    mantissa, exponent = np.frexp(nonzero)
    integers = np.abs(np.ldexp(mantissa, 53)).astype(np.int64)
    trailing = np.log2((integers & -integers).astype(np.float64)).astype(np.int64)
    return int((53 - exponent - trailing).max())


def exact(values: ArrayLike) -> Dyadic:
    """Read floating-point numbers as what they are: dyadic numbers with a common binary point.

    Raises
    ------
    ModelError
        If the codes need more than 62 bits.
    """
    array = np.asarray(values, dtype=np.float64)
    frac = trailing_fraction_bits(array)
    scaled = np.ldexp(array, frac)
    if scaled.size and float(np.abs(scaled).max()) >= 2.0**62:
        raise ModelError(
            f"values between {array.min()} and {array.max()} with a step of 2^-{frac} do not fit 62 bits; "
            "narrow the range of the quantizer"
        )
    return Dyadic(scaled.astype(np.int64), frac)


def rounded(values: ArrayLike, bits: int) -> Dyadic:
    """Round to signed integers of `bits` bits, half to even, with the finest power-of-two step that covers the range.

    Values that are dyadic within `bits` bits already are kept as they are.
    """
    array = np.asarray(values, dtype=np.float64)
    top = float(np.abs(array).max()) if array.size else 0.0
    if top == 0.0:
        return Dyadic(np.zeros(array.shape, np.int64), 0)
    frac = bits - 1 - int(np.frexp(top)[1])
    if trailing_fraction_bits(array) <= frac:
        return exact(array)
    codes = np.rint(np.ldexp(array, frac))
    return Dyadic(np.clip(codes, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(np.int64), frac)
