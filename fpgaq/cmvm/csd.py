"""Signed-digit form of integers."""

from __future__ import annotations


def csd(value: int) -> list[tuple[int, int]]:
    """Canonical signed digits of an integer.

    Parameters
    ----------
    value : int
        Any integer.

    Returns
    -------
    list of (shift, sign)
        Lowest shift first, sign +1 or -1, ``value == sum(sign << shift)``. No two neighbouring shifts are both
        used, which makes the number of digits minimal (Reitwiesner, "Binary arithmetic", 1960).
    """
    digits = []
    shift = 0
    while value:
        if value & 1:
            sign = 2 - (value & 3)
            digits.append((shift, sign))
            value -= sign
        value >>= 1
        shift += 1
    return digits
