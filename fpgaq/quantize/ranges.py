"""Ranges of fixed-point numbers for given values: powers of two, so that a quantizer of QKeras can state them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError

Real = NDArray[np.float64]

#: Percent of the magnitudes that the range of a percentile holds.
_PERCENT = 99.99
#: Powers of two from the largest magnitude downwards that are tried.
_TRIED = 5
#: Of histograms: bins in a step of the finest range, most bits of a range, and counts instead of none.
_BINS_OF_A_STEP, _MOST_STEP_BITS, _LEAST_COUNT = 4, 10, 1e-4
#: Samples of a batch of calibration data.
_BATCH = 32


class Running:
    """The largest magnitude of batches, smoothed: an exponential moving average of it.

    Parameters
    ----------
    decay : float
        How much of the average stays when a batch is observed.
    hindsight : bool
        Whether `observe` returns what was known before the batch (in-hindsight estimation, arXiv 2105.04246), which
        needs no second look at the batch; the first batch has nothing before it and is taken as it is.
    """

    def __init__(self, decay: float = 0.9, *, hindsight: bool = False) -> None:
        if not 0 <= decay < 1:
            raise ConfigError(f"a running range keeps a share of 0 to below 1 of itself, not {decay}")
        self.decay = decay
        self.hindsight = hindsight
        self._limit: float | None = None

    @property
    def limit(self) -> float:
        """What is known after all batches so far; 0 without any."""
        return 0.0 if self._limit is None else self._limit

    def observe(self, values: Any) -> float:
        """Take up a batch; return the limit that the batch is to be quantized with."""
        most = float(np.max(np.abs(np.asarray(values, np.float64)), initial=0.0))
        before = most if self._limit is None else self._limit
        self._limit = self.decay * before + (1 - self.decay) * most
        return before if self.hindsight else self._limit


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
    return min(range(top, top - _TRIED, -1), key=error)


def largest(values: Real, bits: int, least: int) -> int:
    """Return the exponent of the least range that holds all values, but for the step below a power of two."""
    return _holding(float(np.max(np.abs(values), initial=0.0)))


def percentile(values: Real, bits: int, least: int) -> int:
    """Return the exponent of the least range that holds 99.99 percent of the values."""
    return _holding(float(np.percentile(np.abs(values), _PERCENT)))


def divergence(values: Real, bits: int, least: int) -> int:
    """Return the exponent of the range with the least KL divergence of the rounded magnitudes from the magnitudes.

    As in TensorRT: what is above the range is counted at its end, and what a step holds is spread evenly over those of
    its bins that are in use. Zeros, which every range has, are left out.
    """
    magnitudes = np.abs(values[values != 0]).reshape(-1)
    top = _holding(float(np.max(magnitudes, initial=0.0)))
    if not len(magnitudes):
        return top
    steps = 2 ** min(bits, _MOST_STEP_BITS)
    exponents = range(top, top - _TRIED, -1)
    bins = steps * _BINS_OF_A_STEP * 2 ** (_TRIED - 1)
    counts = np.histogram(magnitudes, bins, (0.0, 2.0**top))[0].astype(np.float64)

    def lost(exponent: int) -> float:
        inside = counts[: bins >> (top - exponent)]
        wanted = inside.copy()
        wanted[-1] += counts.sum() - inside.sum()
        used = (wanted > 0).reshape(steps, -1)
        held = inside.reshape(steps, -1).sum(1, keepdims=True) / np.maximum(used.sum(1, keepdims=True), 1)
        found = np.maximum(np.where(used, held, 0.0).reshape(-1), _LEAST_COUNT)
        p, q = wanted / wanted.sum(), found / found.sum()
        return float(np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0])))

    return min(exponents, key=lost)


def average(values: Real, bits: int, least: int) -> int:
    """Return the exponent of the least range that holds the running mean of the largest magnitudes of batches."""
    running = Running()
    for start in range(0, len(values), _BATCH):
        running.observe(values[start : start + _BATCH])
    return _holding(running.limit)


def _holding(most: float) -> int:
    return math.ceil(math.log2(most)) if most > 0 else 0


#: How the range of an activation follows from its values on calibration data.
RANGES: dict[str, Callable[[Real, int, int], int]] = {
    "mse": least_error,
    "max": largest,
    "percentile": percentile,
    "kl": divergence,
    "ema": average,
}


def signed(values: Any, bits: int) -> Any:
    """Return QKeras' signed quantizer whose range has the least squared error."""
    from qkeras import quantized_bits

    return quantized_bits(bits, least_error(np.asarray(values, np.float64), bits - 1, -1), alpha=1)
