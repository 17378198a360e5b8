"""Hardware cost of one adder."""

from __future__ import annotations

from collections.abc import Sequence


def width(lo: int, hi: int) -> int:
    """Bits of the narrowest type that holds [lo, hi]: unsigned when lo >= 0, else two's complement."""
    return max((-lo - 1).bit_length() if lo < 0 else 0, max(hi, 0).bit_length()) + (lo < 0)


def trailing_zeros(value: int) -> int:
    """Trailing zero bits of a non-zero integer."""
    return (value & -value).bit_length() - 1


def added_bits(operands: Sequence[tuple[int, bool]], constant: int, lo: int, hi: int) -> int:
    """Bits an adder really adds.

    Parameters
    ----------
    operands : sequence of (shift, negative)
        The terms of the adder.
    constant : int
        Added to the terms; counts as a positive operand when not zero.
    lo, hi : int
        Interval of the result.

    Returns
    -------
    int
        Result bits less the low bits where at most one operand, a positive one, can be non-zero.
    """
    lows = sorted((shift, negative) for shift, negative in operands)
    if constant:
        lows = sorted([*lows, (trailing_zeros(constant), False)])
    free = lows[0][0]
    if not lows[0][1]:
        free = lows[1][0] if len(lows) > 1 else lows[0][0]
    return max(width(lo, hi) - free, 0)
