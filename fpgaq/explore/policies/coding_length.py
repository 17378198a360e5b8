"""Damage by lossy coding length: a layer whose weights need more bits to be told is damaged more by few bits.

The length is that of vectors of weights, one an output channel, told up to a distortion. Attention Round, which uses
it to give out bits, sorts layers into clusters and knows no budget. This is a reconstruction with the slope of rate
over distortion; the distortion is a share of the layer's mean square, swept like other parameters. The solver
``clusters`` keeps the paper's form.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpgaq.explore.network import Network

#: Shares of the mean square.
DISTORTIONS = (1e-3, 1e-2, 1e-1)


def coding_length(network: Network) -> dict[str, list[NDArray[np.float64]]]:
    """Return squared errors that a layer's rate lets expect at every number of bits, for every distortion."""
    return {f"distortion {share:g}": _damage(network, share) for share in DISTORTIONS}


def _damage(network: Network, share: float) -> list[NDArray[np.float64]]:
    found = []
    for name, rate in rates(network, share).items():
        kernel = network.floats[name]
        bits = np.array([choice.weights for choice in network.choices[name]], float)
        # Zeros are exact with any bits.
        found.append(kernel.size * share * float(np.mean(kernel**2)) * 2.0 ** (-2 * (bits - rate)))
    return found


def rates(network: Network, share: float) -> dict[str, float]:
    """Return the coding length of every layer's weights, in bits a weight; 0 of zeros.

    Parameters
    ----------
    network : Network
    share : float
        The distortion, as a share of the layer's mean square.
    """
    found = {}
    for name, kernel in network.floats.items():
        square = share * float(np.mean(kernel**2))
        found[name] = length(channels(kernel, network.is_depthwise(name)), square) / kernel.size if square else 0.0
    return found


def channels(kernel: NDArray[np.float64], depthwise: bool) -> NDArray[np.float64]:
    """Return a kernel as a matrix with one column an output channel."""
    return kernel.reshape(kernel.shape[0] * kernel.shape[1], -1) if depthwise else kernel.reshape(-1, kernel.shape[-1])


def length(vectors: NDArray[np.float64], square: float) -> float:
    """Return the bits that tell the columns of a matrix up to a squared distortion of each."""
    n, m = vectors.shape
    gram = vectors @ vectors.T if n <= m else vectors.T @ vectors
    _, logarithm = np.linalg.slogdet(np.eye(len(gram)) + n / (square * m) * gram)
    return float((m + n) / 2 * logarithm / np.log(2))
