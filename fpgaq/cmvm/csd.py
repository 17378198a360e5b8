"""Canonical signed digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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


def digit_counts(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of canonical signed digits of each element; magnitudes below 2**61.

    The digits stand where ``v`` and ``3 v`` differ (Prodinger, "On binary representations of integers with digits
    -1, 0, 1", 2000).
    """
    values = np.ascontiguousarray(np.abs(values))
    differing = (values ^ (3 * values)).view(np.uint8).reshape(*values.shape, 8)
    return np.unpackbits(differing, axis=-1).sum(axis=-1, dtype=np.int64)
