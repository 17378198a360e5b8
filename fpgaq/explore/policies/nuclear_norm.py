"""Damage as the errors of the weights, weighed by the nuclear norm of the layer's features.

After post-training quantization of vision transformers: the more directions the features of a layer spread over, and
the further, the more its weights count. Here features are the layer's outputs on a batch of calibration data, a sample
a row, and the norm is a mean over samples and outputs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpgaq.explore.network import Network
from fpgaq.explore.policies.weight_error import squared_errors
from fpgaq.quantize.requantize import layer_outputs

_SAMPLES = 64


def nuclear_norm(network: Network) -> dict[str, list[NDArray[np.float64]]]:
    """Return squared errors of weights times the nuclear norm of the layer's features."""
    layers = [network.original.get_layer(name) for name in network.layers]
    features = layer_outputs(network.original, layers, network.calibration.x[:_SAMPLES])
    return {"": [squared_errors(network, name) * norm_of(features[name]) for name in network.layers]}


def norm_of(features: NDArray[np.float64]) -> float:
    """Return the sum of the singular values of features, a sample a row, over the number of features."""
    rows = features.reshape(len(features), -1)
    return float(np.linalg.norm(rows, "nuc")) / rows.size
