"""Casts computed with exact fractions, written from the definitions of the modes and not from fpgaq's code."""

from __future__ import annotations

import math
from fractions import Fraction

from fpgaq.ir import FixedType, Overflow, Rounding


def rounded(value: Fraction, rounding: Rounding) -> int:
    """Return the integer that a value rounds to."""
    below, above = math.floor(value), math.ceil(value)
    if below == above:
        return below
    towards_zero, away = (below, above) if value > 0 else (above, below)
    if rounding is Rounding.TRN:
        return below
    if rounding is Rounding.TRN_ZERO:
        return towards_zero
    nearer = value - below
    if nearer != Fraction(1, 2):
        return below if nearer < Fraction(1, 2) else above
    return {
        Rounding.RND: above,
        Rounding.RND_MIN_INF: below,
        Rounding.RND_ZERO: towards_zero,
        Rounding.RND_INF: away,
        Rounding.RND_CONV: below if below % 2 == 0 else above,
    }[rounding]


def brought_into_range(code: int, to: FixedType, overflow: Overflow) -> int:
    """Return the code of a type that an integer becomes."""
    least = -(2 ** (to.width - 1)) if to.signed else 0
    most = 2 ** (to.width - 1) - 1 if to.signed else 2**to.width - 1
    if least <= code <= most and not (overflow is Overflow.SAT_SYM and to.signed and code == least):
        return code
    if overflow is Overflow.WRAP:
        return (code - least) % 2**to.width + least
    if overflow is Overflow.SAT_ZERO:
        return 0
    if overflow is Overflow.SAT_SYM and to.signed:
        least = -most
    return least if code < least else most


def cast_code(code: int, frac: int, to: FixedType, rounding: Rounding, overflow: Overflow) -> int:
    """Return what a code with `frac` fraction bits becomes in another type."""
    value = Fraction(code) * Fraction(2) ** (to.frac - frac)
    return brought_into_range(rounded(value, rounding), to, overflow)
