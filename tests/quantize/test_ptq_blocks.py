"""Blocks: where they end, and weights tuned together that stay on their grids."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import sequential, with_random_weights

from fpgaq.errors import ConfigError
from fpgaq.quantize.ptq.blocks import TunedBlock, blocks
from fpgaq.quantize.ptq.post_training import RoundedLayer, quantized
from fpgaq.quantize.ptq.settings import Settings
from fpgaq.quantize.requantize import quantized_kernels

K = keras.layers


def residual() -> Any:
    inputs = keras.Input((6, 2), name="series")
    stem = K.ReLU(name="stem_relu")(K.Conv1D(4, 3, padding="same", name="stem")(inputs))
    inner = K.Conv1D(4, 3, padding="same", activation="relu", name="one")(stem)
    both = K.Add(name="add")([stem, K.Conv1D(4, 3, padding="same", name="two")(inner)])
    flat = K.Flatten(name="flat")(K.ReLU(name="relu")(both))
    return with_random_weights(keras.Model(inputs, K.Dense(2, name="c")(K.Dense(5, name="b")(flat)), name="net"), 3)


def chain(count: int) -> Any:
    return sequential(*(K.Dense(4, activation="relu", name=f"d{k}") for k in range(count)))


@pytest.mark.parametrize(
    ("model", "want"),
    [
        (residual, [["stem"], ["one", "two"], ["b", "c"]]),
        (lambda: chain(1), [["d0"]]),
        (lambda: chain(4), [["d0", "d1"], ["d2", "d3"]]),
        (lambda: chain(5), [["d0", "d1"], ["d2", "d3", "d4"]]),
    ],
)
def test_blocks_end_where_one_tensor_holds_everything(model: Any, want: list[list[str]]) -> None:
    made = model()
    found = list(blocks(made))
    assert [names for *_, names in found] == want
    assert found[0][0] is made.inputs[0]
    assert found[-1][1] is made.outputs[0]
    assert all(before[1] is after[0] for before, after in itertools.pairwise(found))


def test_blocks_lessen_the_error_of_their_outputs() -> None:
    x = np.random.default_rng(4).normal(size=(100, 6))
    model = sequential(K.Dense(8, activation="relu", name="a"), K.Dense(4, name="b"))
    layers: list[RoundedLayer] = []
    told: list[TunedBlock] = []
    settings = Settings("nearest", 2, {}, None, reconstruct="block", format="pot")
    found = quantized(model, x, settings, layers.append, tuned_block=told.append)
    assert [block.names for block in told] == [["a", "b"]]
    assert told[0].after < 0.9 * told[0].before
    error = np.mean((found.predict(x, verbose=0) - model.predict(x, verbose=0)) ** 2)
    assert told[0].after == pytest.approx(error, rel=1e-4)
    for layer in layers:
        assert set(np.unique(quantized_kernels(found)[layer.name] / layer.grid.unit)) <= set(layer.grid.integers)


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="--reconstruct 'net' is unknown; use layer or block"):
        Settings("nearest", 3, {}, reconstruct="net")
