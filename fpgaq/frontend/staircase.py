"""Monotone activation quantizers with few levels as staircases, found in their own float32 evaluation.

Nothing is assumed about a quantizer but that it works element by element. Its levels and thresholds are found by
bisection over the float32 numbers in their order, and the numbers around every threshold are evaluated one by one:
tanh, sigmoid and log of float32 are not monotone there, and fall back below a threshold once or many times. Those
numbers are kept; whether one of them can occur is known when the grid of the input is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError
from fpgaq.frontend.dyadic import trailing_fraction_bits

Single = NDArray[np.float32]
Ordinals = NDArray[np.int64]
Evaluate = Callable[[Single], Single]

#: Levels of an 8-bit quantizer.
MAX_LEVELS = 256
#: Significant bits of a level, and bits of all levels on their common grid.
SIGNIFICANT_BITS, LEVEL_BITS = 16, 40
#: Inputs are searched up to this power of two: more than any code of at most 62 bits is worth in practice.
_REACH = 64
#: Float32 numbers evaluated on each side of a threshold; the outer quarters must be free of relapses.
_WINDOW = 4096
_SAMPLES = 1 << 16


@dataclass(frozen=True)
class Threshold:
    """Where a staircase takes a step.

    Parameters
    ----------
    value : float
        A number that float32 holds.
    strict : bool
        True when the level changes only above `value`, false when already at it.
    relapses : tuple of float
        Float32 numbers above `value` at which the level is still the lower one, ascending.
    """

    value: float
    strict: bool = False
    relapses: tuple[float, ...] = ()


@dataclass(frozen=True)
class Staircase:
    """An activation quantizer with few levels.

    A number that float32 lacks has the level of the next float32 number below it.

    Parameters
    ----------
    thresholds : tuple of Threshold
        Ascending.
    levels : tuple of float
        One more than thresholds.
    """

    thresholds: tuple[Threshold, ...]
    levels: tuple[float, ...]


def find_staircase(evaluate: Evaluate) -> Staircase:
    """Return the staircase that a function of float32 numbers is.

    Raises
    ------
    ConfigError
        It is not monotone, has more than 256 levels or only one, or levels that are no short dyadic numbers.
    """
    probes = _probes()
    levels = evaluate(numbers(probes))
    _require_ascending(levels, numbers(probes))
    steps = np.flatnonzero(levels[1:] != levels[:-1])
    below, above = _bisected(evaluate, probes[steps], probes[steps + 1], levels[steps].copy(), levels[steps + 1].copy())
    if not above.size:
        raise ConfigError(f"it has the one level {float(levels[0])}; leave the layer out")
    from_, to = evaluate(numbers(below)), evaluate(numbers(above))
    found = check_levels([*map(float, from_[:1]), *map(float, to)])
    thresholds, ends = _thresholds(evaluate, above, from_, to)
    staircase = Staircase(thresholds, found)
    _check_between(evaluate, staircase, ends)
    return staircase


def check_levels(levels: list[float]) -> tuple[float, ...]:
    """Return levels that are short dyadic numbers in ascending order.

    Raises
    ------
    ConfigError
        Naming a level that is not.
    """
    array = np.array(levels)
    if np.any(np.diff(array) <= 0):
        raise ConfigError(f"its levels {_listed(array)} do not ascend")
    mantissa, _ = np.frexp(array)
    long = np.flatnonzero(np.ldexp(mantissa, SIGNIFICANT_BITS) % 1)
    if long.size:
        raise ConfigError(
            f"its level {array[long[0]]:.9g} is no dyadic number of at most {SIGNIFICANT_BITS} significant bits"
        )
    span = int(np.ceil(np.log2(np.abs(array).max()))) + trailing_fraction_bits(array) + 1
    if span > LEVEL_BITS:
        raise ConfigError(
            f"its levels {_listed(array)} need {span} bits on one grid, more than {LEVEL_BITS}; use fewer bits"
        )
    return tuple(map(float, array))


def _listed(levels: NDArray[np.float64]) -> str:
    return f"{levels[0]:.9g} to {levels[-1]:.9g}"


def ordinals(x: Single) -> Ordinals:
    """Return the place of float32 numbers in their order; both zeros have place 0."""
    bits = np.asarray(x, np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def numbers(places: Ordinals | np.int64) -> Single:
    """Return the float32 numbers at places of their order."""
    bits = np.where(places < 0, -places | 0x80000000, places)
    return bits.astype(np.uint32).view(np.float32)


def rounded_down(x: NDArray[np.floating]) -> Single:
    """Return the largest float32 numbers that are not above real numbers."""
    near = np.asarray(x).astype(np.float32)
    return np.where(near > x, np.nextafter(near, np.float32(-np.inf)), near)


def _probes() -> Ordinals:
    """Return places in ascending order: zero, and 32 numbers between any two powers of two."""
    octaves = np.ldexp(1.0, np.arange(-_REACH, _REACH))
    positive = ordinals(np.outer(octaves, 1 + np.arange(32) / 32).astype(np.float32).reshape(-1))
    top = ordinals(np.array([2.0**_REACH], np.float32))
    return np.concatenate([-top, -positive[::-1], np.zeros(1, np.int64), positive, top])


def _require_ascending(levels: Single, at: Single) -> None:
    if not np.isfinite(levels).all():
        raise ConfigError(f"it is not finite at {at[np.flatnonzero(~np.isfinite(levels))[0]]:.9g}")
    falls = np.flatnonzero(levels[1:] < levels[:-1])
    if falls.size:
        k = int(falls[0])
        raise ConfigError(
            f"it is not monotone: {levels[k]:.9g} at {at[k]:.9g}, but {levels[k + 1]:.9g} at {at[k + 1]:.9g}"
        )


def _bisected(
    evaluate: Evaluate, below: Ordinals, above: Ordinals, from_: Single, to: Single
) -> tuple[Ordinals, Ordinals]:
    """Halve all intervals over which the level changes until their ends are neighbours."""
    while True:
        if below.size >= MAX_LEVELS:
            raise ConfigError(f"it has more than {MAX_LEVELS} levels; use at most 8 bits")
        if not below.size or int((above - below).max()) == 1:
            return below, above
        middle = (below + above) // 2
        level = evaluate(numbers(middle))
        _require_ascending(*_interleaved((from_, level, to), (below, middle, above)))
        left, right = level != from_, level != to  # neighbours stay as they are: their middle is the lower one
        order = np.argsort(np.concatenate([middle[left], above[right]]), kind="stable")
        below, above, from_, to = (
            np.concatenate([a[left], b[right]])[order]
            for a, b in ((below, middle), (middle, above), (from_, level), (level, to))
        )


def _interleaved(levels: tuple[Single, ...], places: tuple[Ordinals, ...]) -> tuple[Single, Single]:
    return np.stack(levels, 1).reshape(-1), numbers(np.stack(places, 1).reshape(-1))


def _thresholds(
    evaluate: Evaluate, above: Ordinals, from_: Single, to: Single
) -> tuple[tuple[Threshold, ...], list[tuple[int, int]]]:
    """Return the thresholds, and the places between which each was looked at number by number."""
    gaps = np.diff(above) // 2
    starts = above - np.minimum(_WINDOW, np.concatenate([[_WINDOW], gaps]))
    ends = above + np.minimum(_WINDOW, np.concatenate([gaps, [_WINDOW]]))
    windows = [np.arange(start, end) for start, end in zip(starts, ends, strict=True)]
    levels = np.split(evaluate(numbers(np.concatenate(windows))), np.cumsum([w.size for w in windows])[:-1])
    made = tuple(map(_threshold, windows, levels, from_, to, above))
    return made, list(zip(starts.tolist(), ends.tolist(), strict=True))


def _threshold(window: Ordinals, levels: Single, low: np.float32, high: np.float32, step: np.int64) -> Threshold:
    """Return the first number with the higher level, and the ones after it with the lower one."""
    passed = levels == high
    first, last = window[np.argmax(passed)], window[np.flatnonzero(~passed)[-1]]
    steady = (step - window[0]) // 4, (window[-1] - step) // 4
    if np.any(~passed & (levels != low)) or first < window[0] + steady[0] or last > window[-1] - steady[1]:
        raise ConfigError(
            f"it is not monotone: it keeps changing between {low:.9g} and {high:.9g} near {float(numbers(step)):.9g}"
        )
    back = window[~passed & (window > first)]
    return Threshold(float(numbers(first)), False, tuple(map(float, numbers(back))))


def _check_between(evaluate: Evaluate, staircase: Staircase, ends: list[tuple[int, int]]) -> None:
    """Compare staircase and function at random float32 numbers, half of them among the thresholds."""
    rng = np.random.default_rng(0)
    values = np.array([t.value for t in staircase.thresholds])
    widest = 2 * float(np.abs(values).max())
    top = int(ordinals(np.array([2.0**_REACH], np.float32))[0])
    places = np.concatenate(
        [rng.integers(-top, top, _SAMPLES // 2), ordinals(rng.uniform(-widest, widest, _SAMPLES // 2).astype("f4"))]
    )
    starts, stops = np.array(ends).T
    window = np.searchsorted(starts, places, side="right") - 1
    places = places[(window < 0) | (places >= stops[window])]  # the others are known
    x = numbers(places)
    levels = np.array(staircase.levels, np.float32)[np.searchsorted(values, x, side="right")]
    wrong = np.flatnonzero(evaluate(x) != levels)
    if wrong.size:
        raise ConfigError(f"it is not monotone: near {x[wrong[0]]:.9g} it leaves the level {levels[wrong[0]]:.9g}")
