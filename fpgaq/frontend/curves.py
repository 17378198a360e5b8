"""Keras' float functions that are curves, as staircases between integers.

A result is what the function gives in float64 at the exact input, rounded half to even to a stated type and saturated.
Keras itself evaluates it: at every input code where there are few, else around the steps, which bisection finds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError
from fpgaq.frontend.supported import CURVES
from fpgaq.ir.types import FixedType, IntArray

Real = NDArray[np.float64]
Function = Callable[[Real], Real]

#: Curves between -1 and 1, and between 0 and 1.
_BETWEEN = {"hard_sigmoid": 0, "qkeras_hard_sigmoid": 0, "sigmoid": 0, "softsign": -1, "tanh": -1}
#: Inputs that are evaluated one by one.
_EVERY = 1 << 18
#: Inputs evaluated on each side of a step, where there are more.
_WINDOW = 256
#: Distance from a tie, in steps of the result, within which evaluations of float64 may differ.
_UNCERTAIN = 2.0**-40


def is_curve(activation: Any) -> bool:
    """Whether an activation is one of Keras' curves, and not one of the same name."""
    return curve_name(activation) in CURVES


def curve_name(activation: Any) -> str | None:
    """Return the name of a curve of Keras, or of the one that QKeras has under a name of Keras; else None."""
    import keras
    from qkeras import quantizers

    name = getattr(activation, "__name__", None)
    if activation is quantizers.hard_sigmoid:
        return "qkeras_hard_sigmoid"
    return name if name in CURVES and activation is getattr(keras.activations, name) else None


def float64_function(name: str) -> Function:
    """Return a curve as a function of float64 arrays."""
    import keras
    from qkeras import quantizers

    function = quantizers.hard_sigmoid if name == "qkeras_hard_sigmoid" else getattr(keras.activations, name)
    return lambda x: np.asarray(keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(x))), np.float64)


def rounded_to(values: Real, to: FixedType) -> IntArray:
    """Return the codes of values: half to even, saturating."""
    return np.clip(np.rint(np.ldexp(values, to.frac)), to.min, to.max).astype(np.int64)


def curve_type(name: str, ends: Real, bits: int) -> FixedType:
    """Return the type of so many bits for the results of a curve.

    Parameters
    ----------
    name : str
    ends : float array
        Its values at the least and the largest input.
    bits : int

    Raises
    ------
    ConfigError
        If a value is no number.
    """
    if not np.isfinite(ends).all():
        raise ConfigError(f"{name} is {ends.max()} at the ends of its input; narrow its input")
    bounded = bounded_type(name, bits)
    if bounded is not None:
        return bounded
    signed = bool(ends.min() < 0)
    return FixedType(bits, bits - signed - int(np.frexp(np.abs(ends).max())[1]), signed)


def bounded_type(name: str, bits: int) -> FixedType | None:
    """Return the type of so many bits for a curve between -1 and 1, None for others."""
    if name not in _BETWEEN:
        return None
    signed = _BETWEEN[name] < 0
    return FixedType(bits, bits - signed, signed)


def curve_steps(function: Function, source: FixedType, lo: int, hi: int, to: FixedType) -> tuple[IntArray, IntArray]:
    """Return the staircase of a function that does not fall.

    Parameters
    ----------
    function : callable
        On float64 arrays.
    source, to : FixedType
        Of input and result.
    lo, hi : int
        Codes of the least and the largest input.

    Returns
    -------
    thresholds, codes : int array, shapes (n,) and (n + 1,)

    Raises
    ------
    ConfigError
        If it falls, or is so near a tie that another evaluation might round it differently.
    """

    def values(x: IntArray) -> Real:
        return function(np.ldexp(x.astype(np.float64), -source.frac))

    def codes(x: IntArray) -> IntArray:
        return rounded_to(values(x), to)

    if hi - lo < _EVERY:
        looked_at = np.arange(lo, hi + 1)
        found = codes(looked_at)
        thresholds = looked_at[1:][np.diff(found) != 0]
    else:
        thresholds = _bisected(codes, lo, hi)
        around = np.concatenate([thresholds, [lo, hi]])[:, None] + np.arange(-_WINDOW, _WINDOW)
        looked_at = np.unique(np.clip(around, lo, hi))
        found = codes(looked_at)
    levels = codes(np.array([lo, *thresholds]))
    if np.any(np.diff(levels) <= 0) or np.any(levels[np.searchsorted(thresholds, looked_at, side="right")] != found):
        raise ConfigError("it is not monotone")
    scaled = np.ldexp(values(looked_at), to.frac)
    far = np.abs(scaled - np.floor(scaled) - 0.5)
    uncertain = np.flatnonzero((far > 0) & (far < _UNCERTAIN))
    if uncertain.size:
        x = np.ldexp(float(looked_at[uncertain[0]]), -source.frac)
        raise ConfigError(f"at {x:.9g} it is too near a tie of {to} to be rounded; use another number of bits")
    return thresholds, levels


def _bisected(codes: Callable[[IntArray], IntArray], lo: int, hi: int) -> IntArray:
    """Return the least inputs at which each code but the first is reached."""
    first, last = codes(np.array([lo, hi])).tolist()
    wanted = np.arange(first + 1, last + 1)
    below, above = np.full(wanted.size, lo), np.full(wanted.size, hi)
    while wanted.size and int((above - below).max()) > 1:
        middle = (below + above) // 2
        reached = codes(middle) >= wanted
        below, above = np.where(reached, below, middle), np.where(reached, middle, above)
    return np.unique(above)
