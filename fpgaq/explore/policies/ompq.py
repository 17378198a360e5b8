"""Damage by orthogonality (OMPQ): layers whose features resemble those of others need fewer bits.

Resemblance is the linear CKA of the layers' outputs on a batch of calibration data. How much it counts is a parameter
that small networks are very sensitive to; it is swept, and the calibration loss decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpgaq.explore.network import Network
from fpgaq.quantize.requantize import layer_outputs

_SAMPLES = 64
_BETAS = (0.0, 0.01, 0.1, 1.0, 10.0, 100.0)


def ompq(network: Network) -> dict[str, list[NDArray[np.float64]]]:
    """Return damages that fall with bits as the layer's importance says, for every beta."""
    layers = [network.original.get_layer(name) for name in network.layers]
    features = layer_outputs(network.original, layers, network.calibration.x[:_SAMPLES])
    resemblance = cka([features[name].reshape(len(features[name]), -1) for name in network.layers])
    bits = [np.array([choice.weights for choice in offered], float) for offered in network.choices.values()]
    return {
        f"beta {beta:g}": [-weight * b for weight, b in zip(importances(resemblance, beta), bits, strict=True)]
        for beta in _BETAS
    }


def cka(features: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the resemblance of every two features, 0 to 1, each of shape (samples, size)."""
    grams = [_centred(f @ f.T) for f in features]
    norms = [max(float(np.linalg.norm(gram)), 1e-30) for gram in grams]
    return np.array(
        [
            [np.sum(a * b) / (m * n) for b, n in zip(grams, norms, strict=True)]
            for a, m in zip(grams, norms, strict=True)
        ]
    )


def importances(resemblance: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """Return the weight of every layer's bits; a factor that all have in common is left out."""
    gamma = resemblance.sum(axis=1) - np.diag(resemblance)
    theta = np.exp(-beta * (gamma - gamma.min()))
    behind = np.arange(len(theta), 0, -1)
    return np.asarray(np.cumsum(theta[::-1])[::-1] / behind)


def _centred(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = gram - gram.mean(axis=0, keepdims=True)
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))
