"""What every choice of every layer costs: the network with the same choice everywhere is estimated, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fpgaq.config import Options
from fpgaq.conversion import lower
from fpgaq.estimate.estimate import Estimate, estimate
from fpgaq.explore.budget import RESOURCES
from fpgaq.explore.problem import Whole
from fpgaq.quantize.requantize import Choice

_COUNTED = ("lut", "ff", "dsp", "bram18", "lutram")


@dataclass(frozen=True)
class WholeCost:
    """What a network takes.

    Parameters
    ----------
    value : mapping of int
        By resource.
    error : mapping of int
        How far off the estimate may be; resources that are counted have none.
    """

    value: Mapping[str, int]
    error: Mapping[str, int]


def whole_cost(model: Any, options: Options, size: int) -> WholeCost:
    """Estimate a quantized model whose weights have `size` bits together."""
    found = estimate(lower(model, "candidate", options, Path("unused")).hardware)
    figures = {name: getattr(found.total, name).to_json() for name in _COUNTED}
    value = {name: int(figure["value"]) for name, figure in figures.items()}
    error = {name: int(figure["error"]) for name, figure in figures.items() if figure["error"]}
    return WholeCost({**value, "size": size, "latency": found.latency}, error)


def uniform_costs(
    model: Any, layers: Mapping[str, int], choice: Choice, options: Options, *, fast: bool = False
) -> dict[str, Whole]:
    """Return what every layer takes of every resource when all have the same choice.

    What lies between the modules, and what synthesis drops there, is shared out in proportion: the sums over the
    layers are the estimate of the whole.

    Parameters
    ----------
    model : keras.Model
        Requantized with `choice`.
    layers : mapping of int
        Layers with a choice, in order, and the number of weights of each. A module belongs to the last one before it.
    choice : Choice
    options : Options
    fast : bool
        Whether adder graphs are predicted instead of searched, see `fpgaq.estimate.estimate.estimate`.
    """
    found = estimate(lower(model, "candidate", options, Path("unused")).hardware, fast=fast)
    owners = _owners(found, list(layers))
    total = {name: getattr(found.total, name).value for name in _COUNTED} | {"latency": found.latency}
    costs = {"size": np.array([count * choice.weights for count in layers.values()], np.int64)}
    for name in RESOURCES:
        if name != "size":
            parts = np.zeros(len(layers))
            for owner, module in zip(owners, found.modules, strict=True):
                parts[owner] += module.latency if name == "latency" else getattr(module.resources, name).value
            costs[name] = _shared(parts, round(total[name]))
    return costs


def corrected(costs: Sequence[dict[str, Whole]], known: dict[str, Whole], place: int) -> list[dict[str, Whole]]:
    """Return fast estimates times what a full one is to the fast one at the same place, layer by layer."""
    factors = {name: known[name] / np.maximum(costs[place][name], 1) for name in known}
    return [
        {
            name: np.where(costs[place][name] > 0, np.rint(factors[name] * table), table).astype(np.int64)
            for name, table in cost.items()
        }
        for cost in costs
    ]


def _owners(found: Estimate, layers: Sequence[str]) -> list[int]:
    """Return for every module the number of the layer that it is counted for."""
    owners, last = [], 0
    for module in found.modules:
        last = layers.index(module.layer) if module.layer in layers else last
        owners.append(last)
    return owners


def _shared(parts: np.ndarray, total: int) -> Whole:
    """Return whole numbers in proportion to the parts whose sum is the total."""
    weights = parts if parts.sum() > 0 else np.ones(len(parts))
    ends = np.rint(np.cumsum(weights) / weights.sum() * total).astype(np.int64)
    return np.diff(ends, prepend=0)
