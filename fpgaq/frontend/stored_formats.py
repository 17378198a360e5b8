"""Which weight format QKeras' own quantizers train into."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.quantize.formats import Binary, Integer, PowerOfTwoNoZero, Ternary, WeightFormat
from fpgaq.quantize.formats.integer import MAX_BITS

Floats = NDArray[np.float64]
_Stored = tuple[WeightFormat | None, Floats]


def stored_as(name: str, quantizer: Any, codes: Floats, scale: Floats) -> _Stored:
    """Return the format of quantized values, and the unit of every output channel.

    Parameters
    ----------
    name : str
        Class of the quantizer.
    quantizer : QKeras quantizer
        After it was called, so that its scale is known.
    codes : float array, shape (..., n_out)
        Its exact values, a float scale divided out.
    scale : float array, shape (n_out,)
        The factor of every channel that is part of the values.

    Returns
    -------
    format, units
        No format where none of at most 16 bits describes the values.

    Raises
    ------
    ConfigError
        The quantizer has more levels than its bits can code.
    """
    columns = codes.reshape(-1, codes.shape[-1])
    if name in ("quantized_po2", "quantized_relu_po2"):
        return _powers(quantizer, columns)
    if name in ("quantized_bits", "quantized_linear") and quantizer.bits > 1:
        return _integers(quantizer, columns, scale)
    unit = _largest(columns)
    if np.any((columns != 0) & (np.abs(columns) != unit)):
        return None, unit
    if name.endswith("ternary"):
        return Ternary(), unit
    zero_one = bool(np.any(columns == 0)) or bool(getattr(quantizer, "use_01", False))
    negative = np.any(columns < 0)
    return (None if zero_one and negative else Binary(zero_one)), unit


def _largest(columns: Floats) -> Floats:
    """Return the largest magnitude of every channel, 1 where all its weights are zero."""
    top = np.abs(columns).max(axis=0, initial=0.0)
    return np.where(top == 0, 1.0, top)


def _integers(quantizer: Any, columns: Floats, scale: Floats) -> _Stored:
    bits, signed = int(quantizer.bits), bool(quantizer.keep_negative)
    step = 2.0 ** (int(quantizer.integer) - (bits - signed)) * np.abs(scale)
    if bits > MAX_BITS or np.any(step == 0):
        return None, step
    integers = np.rint(columns / step)
    # alpha='auto' is symmetric whatever the option says: the narrower set comes first where it is possible.
    for symmetric in (True, False) if quantizer.symmetric or _is_auto(quantizer) else (False,):
        format = Integer(bits, signed, symmetric=symmetric and signed)
        if np.isin(integers, format.levels).all() and np.all(integers * step == columns):
            return format, step
    return None, step


def _is_auto(quantizer: Any) -> bool:
    return isinstance(quantizer.alpha, str) and quantizer.alpha == "auto"


def _powers(quantizer: Any, columns: Floats) -> _Stored:
    signed = "relu" not in type(quantizer).__name__
    least, most = int(quantizer._min_exp), int(quantizer._max_exp)
    if quantizer.max_value is not None:  # magnitudes are clipped to it before the logarithm is rounded
        most = min(most, int(np.rint(np.log2(float(quantizer.max_value)))))
    format = PowerOfTwoNoZero(int(quantizer.bits), most - least + 1, signed)
    return format, np.full(columns.shape[1], 2.0**least)
