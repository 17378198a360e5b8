"""Hardware cost of one adder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Operand(NamedTuple):
    """A term as its adder sees it; `top` is the bit above its highest one, None if it has a sign to extend."""

    shift: int
    negative: bool
    top: int | None


def width(lo: int, hi: int) -> int:
    """Bits of the narrowest type that holds [lo, hi]: unsigned when lo >= 0, else two's complement."""
    return max((-lo - 1).bit_length() if lo < 0 else 0, max(hi, 0).bit_length()) + (lo < 0)


def trailing_zeros(value: int) -> int:
    """Trailing zero bits of a non-zero integer."""
    return (value & -value).bit_length() - 1


def added_bits(operands: Sequence[Operand], constant: int, lo: int, hi: int) -> int:
    """Bits an adder really adds.

    Parameters
    ----------
    operands : sequence of Operand
        The terms of the adder.
    constant : int
        Added to the terms; counts as a positive operand when not zero.
    lo, hi : int
        Interval of the result.

    Returns
    -------
    int
        Result bits less the low bits where at most one operand, a positive one, can be non-zero, and less the
        carry out above operands that cannot be negative.
    """
    lows = sorted((operand.shift, operand.negative) for operand in operands)
    if constant:
        lows = sorted([*lows, (trailing_zeros(constant), False)])
    free = lows[0][0]
    if not lows[0][1]:
        free = lows[1][0] if len(lows) > 1 else lows[0][0]
    tops = [operand.top for operand in operands]
    highest = width(lo, hi)
    if None not in tops:
        highest = min(highest, _carry_out([top for top in tops if top is not None], constant))
    return max(highest - free, 0)


def _carry_out(tops: Sequence[int], constant: int) -> int:
    """First bit that is nothing but a carry: that of the second row of a three-input adder is one bit further up."""
    highest = max(tops)
    return highest + (len(tops) + (constant != 0) > 2 and (tops.count(highest) > 1 or constant != 0))


def top_bit(shift: int, lo: int, hi: int) -> int | None:
    """Bit above the highest one of a shifted value, None if it may be negative."""
    return None if lo < 0 else shift + max(width(lo, hi), 1)
