"""Damage as the errors of the weights, weighed by how the loss depends on them: Fisher information, Hessian traces.

The Fisher information is the empirical one, from gradients of single samples. The trace of a layer's Hessian is
estimated as Hutchinson does, with products of the Hessian and random signs (HAWQ).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.explore.network import Network, log_probabilities
from fpgaq.explore.policies.weight_error import squared_errors

_SAMPLES = 256
_PROBES = 16
_SEED = 0


def fisher(network: Network) -> dict[str, list[NDArray[np.float64]]]:
    """Return squared errors of weights times the mean squares of their gradients."""
    squares = _gradient_squares(network)
    return {"": [squared_errors(network, name, squares[name]) for name in network.layers]}


def hessian(network: Network) -> dict[str, list[NDArray[np.float64]]]:
    """Return squared errors of weights times the mean of the diagonal of the layer's Hessian."""
    traces = hessian_traces(network)
    return {
        "": [
            squared_errors(network, name) * max(traces[name], 0.0) / network.floats[name].size
            for name in network.layers
        ]
    }


def hessian_traces(network: Network, probes: int = _PROBES) -> dict[str, float]:
    """Return the trace of the Hessian of the mean loss by the weights of every layer.

    Parameters
    ----------
    network : Network
    probes : int
        Random vectors of signs.
    """
    import tensorflow as tf

    rng = np.random.default_rng(_SEED)
    x, targets = _examples(network)
    variables = list(network.variables.values())
    _restore(network)

    @tf.function(autograph=False)
    def products(signs: list[Any]) -> list[Any]:
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss = _loss(network, x, targets)
            gradients = inner.gradient(loss, variables)
            along = tf.add_n([tf.reduce_sum(g * v) for g, v in zip(gradients, signs, strict=True)])
        return list(outer.gradient(along, variables, unconnected_gradients="zero"))

    traces = dict.fromkeys(network.layers, 0.0)
    for _ in range(probes):
        signs = [rng.choice([-1.0, 1.0], size=tuple(v.shape)).astype(np.float32) for v in variables]
        for name, sign, product in zip(network.layers, signs, products([tf.constant(s) for s in signs]), strict=True):
            traces[name] += float(np.sum(sign * np.asarray(product, np.float64))) / probes
    return traces


def _gradient_squares(network: Network) -> dict[str, NDArray[np.float64]]:
    import tensorflow as tf

    x, targets = _examples(network)
    variables = list(network.variables.values())
    _restore(network)

    @tf.function(autograph=False)
    def gradients(sample: Any, target: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            loss = _loss(network, sample, target)
        return list(tape.gradient(loss, variables))

    sums = {name: np.zeros(kernel.shape) for name, kernel in network.floats.items()}
    for k in range(len(x)):
        for name, gradient in zip(network.layers, gradients(x[k : k + 1], targets[k : k + 1]), strict=True):
            sums[name] += np.asarray(gradient, np.float64) ** 2 / len(x)
    return sums


def _examples(network: Network) -> tuple[Any, Any]:
    """Return inputs and probabilities of classes: of the labels, else of the original model."""
    import tensorflow as tf

    data = network.calibration.first(_SAMPLES)
    wanted = np.exp(network.wanted[:_SAMPLES])
    if data.labels is not None:
        wanted = np.eye(wanted.shape[1])[data.labels]
    return tf.constant(data.x, tf.float32), tf.constant(wanted, tf.float32)


def _restore(network: Network) -> None:
    """Put the float kernels back."""
    network.outputs([None] * len(network.layers), network.calibration.x[:1])


def _loss(network: Network, x: Any, targets: Any) -> Any:
    import tensorflow as tf

    found = log_probabilities(network.model, network.model(x, training=False))
    return -tf.reduce_mean(tf.reduce_sum(targets * found, axis=-1))
