"""Ranges of fixed-point numbers for given values: powers of two, so that a quantizer of QKeras can state them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

#: Percent of the magnitudes that the range of a percentile holds.
_PERCENT = 99.99


def least_error(values: Real, bits: int, least: int) -> int:
    """Return the exponent of the range with the least squared error.

    Parameters
    ----------
    values : float array
    bits : int
        Below the range, without the sign.
    least : int
        -1 for signed numbers, 0 for others.
    """

    def error(integer: int) -> float:
        step = 2.0 ** (integer - bits)
        rounded = np.clip(np.rint(values / step), least * 2**bits, 2**bits - 1) * step
        return float(np.mean((rounded - values) ** 2))

    top = _holding(float(np.max(np.abs(values), initial=0.0)))
    return min(range(top, top - 5, -1), key=error)


def largest(values: Real, bits: int, least: int) -> int:
    """Return the exponent of the least range that holds all values, but for the step below a power of two."""
    return _holding(float(np.max(np.abs(values), initial=0.0)))


def percentile(values: Real, bits: int, least: int) -> int:
    """Return the exponent of the least range that holds 99.99 percent of the values."""
    return _holding(float(np.percentile(np.abs(values), _PERCENT)))


def _holding(most: float) -> int:
    return math.ceil(math.log2(most)) if most > 0 else 0


#: How the range of an activation follows from its values on calibration data.
RANGES: dict[str, Callable[[Real, int, int], int]] = {"mse": least_error, "max": largest, "percentile": percentile}


def signed(values: Any, bits: int) -> Any:
    """Return QKeras' signed quantizer whose range has the least squared error."""
    from qkeras import quantized_bits

    return quantized_bits(bits, least_error(np.asarray(values, np.float64), bits - 1, -1), alpha=1)
