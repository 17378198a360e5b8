"""Damage as the squared error of the weights, a share of their squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpgaq.explore.network import Network


def weight_error(network: Network) -> dict[str, list[NDArray[np.float64]]]:
    """Return the relative squared error of every layer's weights."""
    return {"": [squared_errors(network, name) / _square(network.floats[name]) for name in network.layers]}


def squared_errors(network: Network, name: str, importance: NDArray[np.float64] | float = 1.0) -> NDArray[np.float64]:
    """Return the squared errors of a layer's weights for every choice, each weight as important as said."""
    kernels = [network.rounded.kernels[choice.format, choice.weights][name] for choice in network.choices[name]]
    return np.array([np.sum(importance * (kernel - network.floats[name]) ** 2) for kernel in kernels])


def _square(values: NDArray[np.float64]) -> float:
    return float(np.sum(values**2)) or 1.0  # a layer of zeros has no error
