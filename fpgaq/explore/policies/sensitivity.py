"""Damage as it is measured: the loss of the network with one layer quantized and all others as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fpgaq.explore.network import Network
from fpgaq.quantize.requantize import Choice


def divergence(network: Network) -> dict[str, list[NDArray[np.float64]]]:
    """Return the KL divergence from the outputs of the original model."""
    return {"": _scan(network, network.divergence)}


def cross_entropy(network: Network) -> dict[str, list[NDArray[np.float64]]]:
    """Return the cross entropy with the labels."""
    return {"": _scan(network, network.entropy)}


def _scan(network: Network, measure: Callable[[Sequence[Choice | None]], float]) -> list[NDArray[np.float64]]:
    rest: list[Choice | None] = [None] * len(network.layers)
    without = measure(rest)
    return [
        np.array([measure([*rest[:k], choice, *rest[k + 1 :]]) - without for choice in offered])
        for k, offered in enumerate(network.choices.values())
    ]
