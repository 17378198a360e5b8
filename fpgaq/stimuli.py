"""Input codes for the gates: the user's data, or seeded random codes with the corners of the range."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fpgaq.bundles import Bundle, bundled, unbundled
from fpgaq.errors import ConfigError
from fpgaq.hls.freeze import quantize_input
from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import Input
from fpgaq.ir.types import IntArray, Overflow, overflow_to


def random_codes(graph: Graph, samples: int, seed: int) -> Bundle:
    """Return codes over the whole range of the input types; all-zero, all-min and all-max come first."""
    rng = np.random.default_rng(seed)
    return bundled([_random_codes(node, samples, rng) for node in graph.inputs])


def _random_codes(node: Input, samples: int, rng: np.random.Generator) -> IntArray:
    codes = rng.integers(node.type.min, node.type.max, size=(samples, *node.shape), endpoint=True)
    for k, corner in enumerate((0, node.type.min, node.type.max)):
        if k < samples:
            codes[k] = corner
    return codes


def input_names(graph: Graph) -> list[str]:
    """Return the names of the inputs, in order."""
    return [node.name for node in graph.inputs]


def input_codes(graph: Graph, codes: Bundle, what: str = "inputs") -> list[IntArray]:
    """Return given codes as one array per input.

    Raises
    ------
    ConfigError
        If they are not as many as the model has inputs, or differ in their samples.
    """
    arrays = [np.asarray(array) for array in unbundled(codes, input_names(graph), what)]
    _require_equal_samples(arrays, what)
    return arrays


def real_codes(graph: Graph, values: Any, what: str) -> Bundle:
    """Bring real inputs to codes of the input types.

    Raises
    ------
    ConfigError
        If number, shapes or values do not fit.
    """
    arrays = unbundled(values, input_names(graph), what)
    codes = [
        rounded_codes(node, array, what if len(arrays) == 1 else f"{what}, input {node.name!r}")
        for node, array in zip(graph.inputs, arrays, strict=True)
    ]
    _require_equal_samples(codes, what)
    return bundled(codes)


def _require_equal_samples(arrays: Sequence[np.ndarray], what: str) -> None:
    counts = {len(array) if array.ndim else 0 for array in arrays}
    if len(counts) > 1:
        raise ConfigError(
            f"{what}: the inputs have {' and '.join(map(str, sorted(counts)))} samples; give as many each"
        )


def rounded_codes(node: Input, values: Any, what: str) -> IntArray:
    """Bring real values of one input to codes of its type.

    Raises
    ------
    ConfigError
        If shape or values do not fit.
    """
    array = np.asarray(values)
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


def truncated_codes(graph: Graph, values: Any) -> Bundle:
    """Bring real inputs to codes as hls4ml's C++ does by default: cut to the grid, wrap around."""
    codes = []
    for node, array in zip(graph.inputs, unbundled(values, input_names(graph), "inputs"), strict=True):
        scaled = np.floor(np.ldexp(np.asarray(array, dtype=np.float64), node.type.frac)).reshape(-1, *node.shape)
        codes.append(overflow_to(scaled.astype(np.int64), node.type, Overflow.WRAP))
    return bundled(codes)


def save_codes(graph: Graph, codes: Bundle, path: Path) -> Path:
    """Write codes as ``.npy``, or for several inputs as ``.npz`` with an array for each by its name."""
    arrays = input_codes(graph, codes)
    if len(arrays) == 1:
        np.save(path.with_suffix(".npy"), arrays[0])
        return path.with_suffix(".npy")
    by_name: dict[str, Any] = dict(zip(input_names(graph), arrays, strict=True))
    np.savez(path.with_suffix(".npz"), **by_name)
    return path.with_suffix(".npz")


def load_array(path: Path) -> Any:
    """Read a .npy file, or all arrays of a .npz file by their names.

    Raises
    ------
    ConfigError
        If it is missing, damaged or holds objects.
    """
    if not path.is_file():
        raise ConfigError(f"{path} does not exist; give a .npy file (for several inputs a .npz file)")
    try:
        found = np.load(path, allow_pickle=False)
        return dict(found) if isinstance(found, np.lib.npyio.NpzFile) else found
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} is not a .npy array: {error}") from None
