"""Inputs and outputs as users hand them over: one array where a model has one, a list where it has several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fpgaq.errors import ConfigError

#: One array, or a list of arrays with the samples along their first axis.
Bundle = Any


def bundled(arrays: Sequence[np.ndarray]) -> Bundle:
    """Return the array if it is the only one, else the list."""
    return arrays[0] if len(arrays) == 1 else list(arrays)


def unbundled(values: Bundle, names: Sequence[str], what: str) -> list[Any]:
    """Return a list with one entry for every name, which a mapping may give in any order.

    Raises
    ------
    ConfigError
        If there are more or fewer, or other names.
    """
    known = ", ".join(names)
    if isinstance(values, Mapping):
        if set(values) != set(names):
            raise ConfigError(f"{what}: arrays for {', '.join(map(str, values))}; the model has the inputs {known}")
        return [values[name] for name in names]
    if len(names) == 1:
        return [values]
    if not isinstance(values, (list, tuple)) or len(values) != len(names):
        got = f"{len(values)} of them" if isinstance(values, (list, tuple)) else "one array"
        raise ConfigError(f"{what}: the model has {len(names)} inputs ({known}), not {got}; give a list or a dict")
    return list(values)


def rows(values: Bundle, start: int, stop: int) -> Bundle:
    """Return some samples."""
    return [v[start:stop] for v in values] if isinstance(values, list) else values[start:stop]


def samples(values: Bundle) -> int:
    """Return the number of samples."""
    return len(values[0]) if isinstance(values, list) else len(values)
