"""Calibration data: inputs that say what a network is used for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError
from fpgaq.quantize.executable import LARGEST_INPUT

#: Fewer samples say nothing about the outputs of a layer.
LEAST_SAMPLES = 16


def checked(values: Any, shape: tuple[int, ...], where: str) -> NDArray[np.float32]:
    """Return calibration data as a network takes them.

    Parameters
    ----------
    values : array, shape (samples, ...)
    shape : tuple of int
        Of an input of the network.
    where : str
        What the data are called in errors.

    Raises
    ------
    ConfigError
        If they do not fit, are too few, all the same, or no numbers.
    """
    data = np.asarray(values)
    if data.dtype.kind not in "biuf":
        raise ConfigError(f"{where}: calibration data are numbers, not {data.dtype}")
    if data.shape[1:] != shape or data.ndim == 0:
        wanted = ", ".join(["samples", *map(str, shape)])
        raise ConfigError(f"{where}: shape {list(data.shape)} does not fit; expected ({wanted})")
    if len(data) < LEAST_SAMPLES:
        raise ConfigError(f"{where}: {len(data)} samples are too few; give {LEAST_SAMPLES} or more, better 500")
    if not np.isfinite(data).all():
        raise ConfigError(f"{where}: it contains NaN or infinity; clean the data")
    largest = float(np.abs(data.astype(np.float64)).max())
    if largest > LARGEST_INPUT:
        raise ConfigError(f"{where}: values of up to {largest:.3g} are too large; scale them to below 2^31")
    if (data == data[:1]).all():
        raise ConfigError(f"{where}: all samples are the same; give real inputs of the network")
    return data.astype(np.float32)
