"""Keras models with branches, several inputs and several outputs."""

from __future__ import annotations

from typing import Any

import keras
from keras_models import bits, dense, with_random_weights
from qkeras import QActivation


def relu(width: int, name: str) -> Any:
    """Return a quantized rectifier."""
    return QActivation(f"quantized_relu({width},1)", name=name)


def two_heads() -> Any:
    """Return a trunk with a short head and a deep one."""
    x = keras.Input((6,), name="features")
    trunk = relu(4, "act")(dense(7, name="trunk")(x))
    deep = relu(3, "deep_act")(dense(6, name="deep1")(trunk))
    heads = [dense(2, name="shallow")(trunk), dense(3, bits(5), name="deep2")(deep)]
    return with_random_weights(keras.Model(x, heads))


def two_inputs() -> Any:
    """Return two networks side by side; the order of the inputs is not that of the outputs."""
    tracks, cells = keras.Input((3,), name="tracks"), keras.Input((2, 2), name="cells")
    first = dense(4, name="of_cells")(keras.layers.Flatten(name="flat")(cells))
    second = dense(2, name="of_tracks")(relu(4, "act")(dense(5, name="hidden")(tracks)))
    return with_random_weights(keras.Model([tracks, cells], [first, second]))


def exposed_trunk() -> Any:
    """Return a model whose hidden layer is an output too."""
    x = keras.Input((5,), name="features")
    hidden = relu(4, "hidden")(dense(4, name="trunk")(x))
    return with_random_weights(keras.Model(x, [dense(3, name="head")(hidden), hidden]))


def two_classifiers() -> Any:
    """Return two heads that end in a softmax, as an activation and as a layer."""
    x = keras.Input((5,), name="features")
    trunk = relu(4, "act")(dense(6, name="trunk")(x))
    first = keras.layers.Dense(3, activation="softmax", name="kind")(trunk)
    second = keras.layers.Softmax(name="charge")(dense(2, name="logits")(trunk))
    return with_random_weights(keras.Model(x, [first, second]))


MODELS = {
    "two_heads": two_heads,
    "two_inputs": two_inputs,
    "exposed_trunk": exposed_trunk,
    "two_classifiers": two_classifiers,
}
