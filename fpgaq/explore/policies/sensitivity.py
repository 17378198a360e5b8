"""Damage as it is measured: the loss of the network with one layer quantized and all others as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fpgaq.explore.network import Network


def divergence(network: Network) -> dict[str, list[NDArray[np.float64]]]:
    """Return the KL divergence from the outputs of the original model."""
    return {"": _scan(network, network.divergence)}


def cross_entropy(network: Network) -> dict[str, list[NDArray[np.float64]]]:
    """Return the cross entropy with the labels."""
    return {"": _scan(network, network.entropy)}


def _scan(network: Network, measure: Callable[[Sequence[int | None]], float]) -> list[NDArray[np.float64]]:
    count = len(network.layers)
    rest: list[int | None] = [None] * count
    without = measure(rest)
    return [
        np.array([measure([*rest[:k], c, *rest[k + 1 :]]) - without for c in range(len(network.choices))])
        for k in range(count)
    ]
