"""Input codes for the gates: the user's data, or seeded random codes with the corners of the range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fpgaq.errors import ConfigError
from fpgaq.hls.freeze import quantize_input
from fpgaq.ir.graph import Graph
from fpgaq.ir.types import IntArray, Overflow, overflow_to


def random_codes(graph: Graph, samples: int, seed: int) -> IntArray:
    """Return codes over the whole range of the input type; all-zero, all-min and all-max come first."""
    node = graph.inputs[0]
    rng = np.random.default_rng(seed)
    codes = rng.integers(node.type.min, node.type.max, size=(samples, *node.shape), endpoint=True)
    for k, corner in enumerate((0, node.type.min, node.type.max)):
        if k < samples:
            codes[k] = corner
    return codes


def real_codes(graph: Graph, values: Any, what: str) -> IntArray:
    """Bring real inputs to codes of the input type.

    Raises
    ------
    ConfigError
        If shape or values do not fit.
    """
    array = np.asarray(values)
    node = graph.inputs[0]
    if array.dtype.kind not in "fiub":
        raise ConfigError(f"{what}: numbers are needed, not {array.dtype}")
    if array.shape[1:] != node.shape and array.ndim >= 1 and array[:1].size == int(np.prod(node.shape)):
        array = array.reshape(-1, *node.shape)
    if array.ndim < 1 or array.shape[1:] != node.shape or not len(array):
        raise ConfigError(
            f"{what}: shape {list(array.shape)} does not fit; expected (samples, {', '.join(map(str, node.shape))})"
        )
    if not np.isfinite(array.astype(np.float64)).all():
        raise ConfigError(f"{what}: it contains NaN or infinity; clean the data")
    return quantize_input(array, node.type)


def truncated_codes(graph: Graph, values: Any) -> IntArray:
    """Bring real inputs to codes as hls4ml's C++ does by default: cut to the grid, wrap around."""
    node = graph.inputs[0]
    scaled = np.floor(np.ldexp(np.asarray(values, dtype=np.float64), node.type.frac)).reshape(-1, *node.shape)
    return overflow_to(scaled.astype(np.int64), node.type, Overflow.WRAP)


def load_array(path: Path) -> Any:
    """Read a .npy file.

    Raises
    ------
    ConfigError
        If it is missing, damaged or holds objects.
    """
    if not path.is_file():
        raise ConfigError(f"{path} does not exist; give a .npy file")
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ConfigError(f"{path} is not a .npy array: {error}") from None
