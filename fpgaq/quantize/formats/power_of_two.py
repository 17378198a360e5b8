"""Weights that are shifts: powers of two, and sums of two or three of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats.base import IntArray, Planes, WeightFormat

MAX_POT_BITS = 5


@dataclass(frozen=True)
class PowerOfTwo(WeightFormat):
    """Zero and ``+-2**i`` for ``i = 0 .. 2**(bits-1) - 2``: a sign and an exponent code.

    Exponent code ``e`` means a right shift of the largest level by ``e``; the last one means zero.

    Parameters
    ----------
    width : int
        Bits of a code, 2 to 5; more would shift by more than 2**4 places.
    """

    width: int
    name = "pot"

    def __post_init__(self) -> None:
        if not 2 <= self.width <= MAX_POT_BITS:
            raise ConfigError(
                f"power-of-two weights have 2 to {MAX_POT_BITS} bits, not {self.width}: a sixth bit shifts by up to 30"
            )

    @property
    def bits(self) -> int:
        return self.width

    @property
    def largest_shift(self) -> int:
        """Exponent of the largest level."""
        return (1 << (self.width - 1)) - 2

    def table(self) -> dict[int, int]:
        sign, zero = 1 << (self.width - 1), (1 << (self.width - 1)) - 1
        table = {zero: 0}
        for code in range(zero):
            table[code] = 1 << (self.largest_shift - code)
            table[sign | code] = -table[code]
        return table


@dataclass(frozen=True)
class PowerOfTwoNoZero(WeightFormat):
    """``+-2**i`` without a zero, as QKeras' ``quantized_po2`` has them.

    Parameters
    ----------
    width : int
        Bits of a code, the sign included.
    exponents : int
        Number of exponents in use; the smallest level is 1.
    signed : bool
    """

    width: int
    exponents: int
    signed: bool = True
    name = "po2"

    def __post_init__(self) -> None:
        fit = 1 << (self.width - self.signed)
        if self.exponents > fit:
            raise ConfigError(
                f"{self.exponents} exponents{' with a sign' if self.signed else ''} are "
                f"{self.exponents << self.signed} levels and do not fit {self.width} bits"
            )
        if self.exponents > 32:
            raise ConfigError(
                f"{self.exponents} exponents would shift by up to {self.exponents - 1} places; at most 31"
            )

    @property
    def bits(self) -> int:
        return self.width

    def table(self) -> dict[int, int]:
        table = {code: 1 << code for code in range(self.exponents)}
        if self.signed:
            table |= {(1 << (self.width - 1)) | code: -value for code, value in table.items()}
        return table


#: Magnitudes of the summands by number of magnitude bits, as shifts of the smallest level (APoT, arXiv 1909.13144,
#: table of the reference implementation).
_SUMMANDS: dict[int, tuple[tuple[int, ...], ...]] = {
    2: ((0, 4, 2, 1),),
    3: ((0, 8, 4, 1), (0, 2)),
    4: ((0, 32, 8, 2), (0, 16, 4, 1)),
    5: ((0, 64, 16, 2), (0, 32, 8, 1), (0, 4)),
    6: ((0, 256, 32, 4), (0, 128, 16, 2), (0, 64, 8, 1)),
}


@dataclass(frozen=True)
class AdditivePowerOfTwo(WeightFormat):
    """A sign and the sum of two or three powers of two (APoT).

    Parameters
    ----------
    width : int
        Bits of a code, 3 to 7, the sign included.
    """

    width: int
    name = "apot"

    def __post_init__(self) -> None:
        if self.width - 1 not in _SUMMANDS:
            raise ConfigError(f"additive powers of two have 3 to 7 bits, not {self.width}")

    @property
    def bits(self) -> int:
        return self.width

    def table(self) -> dict[int, int]:
        table = {}
        for fields in product(*(range(len(s)) for s in _SUMMANDS[self.width - 1])):
            code, value, place = 0, 0, 0
            for field, summands in zip(fields, _SUMMANDS[self.width - 1], strict=True):
                code |= field << place
                value += summands[field]
                place += (len(summands) - 1).bit_length()
            table[code] = value
        sign = 1 << (self.width - 1)
        return table | {sign | code: -value for code, value in table.items() if value}

    def planes(self, values: IntArray) -> Planes:
        """One matrix of signed powers of two a summand."""
        codes = self.encode(np.abs(values))
        matrices, place = [], 0
        for summands in _SUMMANDS[self.width - 1]:
            matrices.append(np.sign(values) * np.array(summands)[(codes >> place) & (len(summands) - 1)])
            place += (len(summands) - 1).bit_length()
        return Planes("sums of powers of two", np.ones(len(matrices), np.int64), np.stack(matrices))
