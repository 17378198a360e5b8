"""Fixed-point types: integers with a binary point, and the casts between them.

A value of type ``FixedType(width, frac, signed)`` is ``integer * 2**-frac``. The names of the rounding and overflow
modes, and their meaning, are those of hls4ml and of the ``ap_fixed`` library.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError, FpgaqError

IntArray = NDArray[np.int64]

#: Largest magnitude that the interpreter accepts: one bit of headroom for the additions inside a cast.
INT64_LIMIT = 1 << 62


class Rounding(enum.Enum):
    """What happens to fraction bits that do not fit."""

    TRN = "TRN"  #: floor
    TRN_ZERO = "TRN_ZERO"  #: towards zero
    RND = "RND"  #: nearest, half towards plus infinity
    RND_ZERO = "RND_ZERO"  #: nearest, half towards zero
    RND_INF = "RND_INF"  #: nearest, half away from zero
    RND_MIN_INF = "RND_MIN_INF"  #: nearest, half towards minus infinity
    RND_CONV = "RND_CONV"  #: nearest, half to even


class Overflow(enum.Enum):
    """What happens to integer bits that do not fit."""

    WRAP = "WRAP"  #: modulo 2**width
    SAT = "SAT"  #: clamp to the range of the type
    SAT_SYM = "SAT_SYM"  #: clamp to the symmetric range
    SAT_ZERO = "SAT_ZERO"  #: out-of-range values become zero


@dataclass(frozen=True, slots=True)
class FixedType:
    """A fixed-point number format.

    Parameters
    ----------
    width : int
        Number of bits, at least 1.
    frac : int
        Fraction bits; negative when the least significant bit weighs more than one, larger than `width` when the most
        significant one weighs less than a half.
    signed : bool
        Two's complement when true.
    """

    width: int
    frac: int
    signed: bool

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ConfigError(f"a fixed-point type needs at least 1 bit, not {self.width}")

    @property
    def min(self) -> int:
        """Smallest integer code."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """Largest integer code."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def integer_bits(self) -> int:
        """Bits left of the binary point, the sign included (hls4ml's ``I``)."""
        return self.width - self.frac

    @property
    def step(self) -> float:
        """Value of one least significant bit."""
        return 2.0**-self.frac

    def covers(self, lo: int, hi: int) -> bool:
        """Whether every integer of ``[lo, hi]`` is a code of this type."""
        return self.min <= lo and hi <= self.max

    @classmethod
    def from_interval(cls, lo: int, hi: int, frac: int) -> FixedType:
        """Return the narrowest type whose codes include ``[lo, hi]``."""
        signed = lo < 0
        width = max(signed_bits(lo), signed_bits(hi)) if signed else max(int(hi).bit_length(), 1)
        return cls(width, frac, signed)

    @classmethod
    def parse(cls, text: str) -> tuple[FixedType, Rounding, Overflow]:
        """Read hls4ml's spelling, for example ``fixed<16,6,RND,SAT>``, ``ap_uint<4>`` or ``ac_fixed<8,3,false>``."""
        match = _SPELLING.fullmatch(text.strip())
        if match is None:
            raise ConfigError(f"{text!r} is not a precision; write for example 'fixed<16,6>' or 'ufixed<8,0,RND,SAT>'")
        prefix, unsigned, kind, arguments = match.groups()
        parts = [p.strip() for p in arguments.split(",")]
        numbers, modes = (parts[:1], parts[1:]) if kind == "int" else (parts[:2], parts[2:])
        if prefix == "ac_" and modes and modes[0] in ("true", "false"):
            unsigned = "u" if modes.pop(0) == "false" else ""
        try:
            width, integer = int(numbers[0]), int(numbers[-1])
            rounding = Rounding(re.sub("^A[CP]_", "", modes[0])) if modes else Rounding.TRN
            overflow = Overflow(re.sub("^A[CP]_", "", modes[1])) if len(modes) > 1 else Overflow.WRAP
        except ValueError as error:
            raise ConfigError(f"{text!r} is not a precision: {error}") from None
        if len(modes) > 3 or modes[2:] not in ([], ["0"]) or (kind == "fixed" and len(numbers) < 2):
            raise ConfigError(
                f"{text!r} is not a precision: it needs a width and integer bits, then at most two modes "
                "(saturation bits must be 0)"
            )
        return cls(width, width - integer, not unsigned), rounding, overflow

    def __str__(self) -> str:
        return f"{'' if self.signed else 'u'}fixed<{self.width},{self.integer_bits}>"


_SPELLING = re.compile(r"(ap_|ac_)?(u?)(fixed|int)\s*<([^<>]*)>")


def signed_bits(value: int) -> int:
    """Return the bits of `value` in two's complement, the sign included."""
    return int(value if value >= 0 else ~value).bit_length() + 1


def shift_round(x: IntArray, shift: int, rounding: Rounding) -> IntArray:
    """Return ``x * 2**-shift`` rounded to integers; exact when `shift` is not positive."""
    if shift <= 0:
        return x << -shift
    if rounding is Rounding.TRN:
        return x >> shift
    floor, rest = x >> shift, x & ((1 << shift) - 1)
    if rounding is Rounding.TRN_ZERO:
        return floor + ((x < 0) & (rest != 0))
    half = 1 << (shift - 1)
    ties_up = {
        Rounding.RND: np.True_,
        Rounding.RND_MIN_INF: np.False_,
        Rounding.RND_ZERO: x < 0,
        Rounding.RND_INF: x >= 0,
        Rounding.RND_CONV: (floor & 1) == 1,
    }[rounding]
    return floor + ((rest > half) | ((rest == half) & ties_up))


def overflow_to(x: IntArray, to: FixedType, overflow: Overflow) -> IntArray:
    """Bring integers into the range of `to` by the given overflow mode."""
    if overflow is Overflow.SAT:
        return np.clip(x, to.min, to.max)
    if overflow is Overflow.SAT_SYM:
        return np.clip(x, -to.max if to.signed else 0, to.max)
    if overflow is Overflow.SAT_ZERO:
        return np.where((x < to.min) | (x > to.max), 0, x)
    if to.width > 62:
        raise FpgaqError(f"cannot wrap to {to}: more than 62 bits do not fit the interpreter")
    wrapped = x & ((1 << to.width) - 1)
    return wrapped - ((wrapped > to.max).astype(np.int64) << to.width) if to.signed else wrapped


def cast(x: IntArray, frac: int, to: FixedType, rounding: Rounding, overflow: Overflow) -> IntArray:
    """Cast codes with `frac` fraction bits to the type `to`: round first, then bring into range."""
    return overflow_to(shift_round(x, frac - to.frac, rounding), to, overflow)
