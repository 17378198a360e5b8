"""Rounding on calibration data: better than plain rounding in every layer, on the grid, the same for the same seed."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import lowered, stimuli, with_random_weights

from fpgaq.errors import ModelError
from fpgaq.quantize.ptq import post_training
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.patches import as_kernel, as_matrix, rows_of
from fpgaq.quantize.ptq.post_training import RoundedLayer, quantized
from fpgaq.quantize.ptq.reconstruction import Reconstruction
from fpgaq.quantize.ptq.settings import Settings
from fpgaq.quantize.quantizers import FixedLevels
from fpgaq.quantize.requantize import kernel_quantizer, quantized_kernels


@functools.cache
def digits() -> tuple[Any, np.ndarray, np.ndarray]:
    """A trained float MLP on scikit-learn's digits, calibration data, and their classes."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = (data.data / 16).astype("float32"), data.target
    keras.utils.set_random_seed(1)
    hidden = [keras.layers.Dense(32, activation="relu", name=name) for name in ("fc1", "fc2")]
    model = keras.Sequential([keras.Input((64,), name="pixels"), *hidden, keras.layers.Dense(10, name="fc3")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(x, y, epochs=12, batch_size=64, verbose=0)
    return model, x[:768], y[:768]


@functools.cache
def rounded(method: str, bits: int, correct: bool = True) -> tuple[Any, list[RoundedLayer]]:
    model, x, _ = digits()
    layers: list[RoundedLayer] = []
    found = quantized(model, x, Settings(method, bits, {}, bias_correction=correct), layers.append)
    return found, layers


def steps(model: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a float kernel in steps of its grid, and the integers that it became."""
    layer = model.get_layer(name)
    quantizer = kernel_quantizer(layer)
    step = 2.0 ** (quantizer.integer + 1 - quantizer.bits)
    codes = layer.get_weights()[0].astype(np.float64) / step
    assert np.array_equal(codes, np.rint(codes))
    assert codes.min() >= -(2 ** (quantizer.bits - 1))
    assert codes.max() < 2 ** (quantizer.bits - 1)
    original = digits()[0].get_layer(name).get_weights()[0].astype(np.float64)
    return original / step, codes


@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("method", ["adaround", "attention-round"])
def test_every_layer_is_better_than_plain_rounding(method: str, bits: int) -> None:
    """The errors are told by the moments of the data; the last layer's are those of Keras' outputs."""
    model, x, _ = digits()
    found, layers = rounded(method, bits)
    assert [layer.name for layer in layers] == ["fc1", "fc2", "fc3"]
    for layer in layers:
        assert layer.error < 0.8 * layer.nearest, layer
    outputs = model.predict(x, verbose=0).astype(np.float64), found.predict(x, verbose=0).astype(np.float64)
    # The bias on its grid takes up the mean but for half a step of it.
    difference = outputs[1] - outputs[0]
    assert np.sum(difference.var(0)) == pytest.approx(layers[-1].error, rel=1e-3)


def test_nearest_is_plain_rounding() -> None:
    for name in ("fc1", "fc2", "fc3"):
        original, codes = steps(rounded("nearest", 4)[0], name)
        assert np.array_equal(codes, np.clip(np.rint(original), -8, 7))
    assert all(layer.error == layer.nearest for layer in rounded("nearest", 4)[1])


def test_adaround_stays_beside_the_weight_and_attention_round_need_not() -> None:
    distances = {}
    for method in ("adaround", "attention-round"):
        original, codes = steps(rounded(method, 3)[0], "fc2")
        beside = (codes == np.clip(np.floor(original), -4, 3)) | (codes == np.clip(np.floor(original) + 1, -4, 3))
        distances[method] = beside.mean()
    assert distances["adaround"] == 1
    assert 0.8 < distances["attention-round"] < 1


def test_bias_correction_takes_away_the_mean_error() -> None:
    model, x, _ = digits()
    want = model.predict(x, verbose=0).astype(np.float64)
    means = {}
    for correct in (False, True):
        found, _ = rounded("nearest", 3, correct)
        means[correct] = np.abs((found.predict(x, verbose=0) - want).mean(0)).max()
    quantizer = found.get_layer("fc3").bias_quantizer_internal
    assert means[True] <= 0.51 * 2.0 ** (quantizer.integer + 1 - quantizer.bits)
    assert means[True] < 0.1 * means[False]


def test_accuracy_of_few_bits_comes_back() -> None:
    _, x, y = digits()
    found = {}
    for method in ("nearest", "adaround", "attention-round"):
        network = rounded(method, 2, method != "nearest")[0]
        found[method] = np.mean(network.predict(x, verbose=0).argmax(1) == y)
    assert min(found["adaround"], found["attention-round"]) > found["nearest"] + 0.03


def test_equal_seeds_give_equal_weights() -> None:
    model = with_random_weights(keras.Sequential([keras.Input((6,)), keras.layers.Dense(5)]))
    x = np.random.default_rng(6).normal(size=(50, 6))
    one, two, other = (
        quantized(model, x, Settings("attention-round", 3, {}, seed=seed)).get_weights() for seed in (0, 0, 1)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_given_model_is_not_touched() -> None:
    model, *_ = digits()
    before = [w.copy() for w in model.get_weights()]
    rounded("adaround", 4)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def convolutions() -> Any:
    keras.utils.set_random_seed(2)
    k = keras.layers
    layers = [
        k.Conv2D(4, (3, 2), strides=(2, 1), padding="same", name="conv"),
        k.BatchNormalization(name="norm"),
        k.ReLU(name="relu"),
        k.DepthwiseConv2D(2, activation="relu", name="depthwise"),
        k.Reshape((9, 4), name="series"),
        k.Conv1D(3, 3, dilation_rate=2, padding="same", use_bias=False, activation="relu", name="conv1"),
        k.TimeDistributed(k.Dense(3, activation="relu", name="inner"), name="steps"),
        k.Flatten(name="flat"),
        k.Dense(2, name="head"),
    ]
    return with_random_weights(keras.Sequential([keras.Input((8, 4, 2), name="image"), *layers]), 2)


def test_convolutions_equal_golden() -> None:
    """Batch normalization, series and wrapped layers, bits by layer; the frozen model is the golden one."""
    x = np.random.default_rng(3).normal(size=(64, 8, 4, 2))
    model = convolutions()
    layers: list[RoundedLayer] = []
    found = quantized(model, x, Settings("adaround", 4, {"steps": 6}, 5), layers.append)
    assert {layer.name: layer.grid.bits for layer in layers} == {
        "conv": 4, "depthwise": 4, "conv1": 4, "steps": 6, "head": 4,
    }  # fmt: skip
    assert all(layer.error <= layer.nearest for layer in layers)
    assert any(layer.error < 0.9 * layer.nearest for layer in layers)
    assert found.get_layer("relu").activation.bits == 5
    design = lowered(found, input_precision="fixed<6,3>")
    design.keras_gate(stimuli(design, 50)).require()


@pytest.mark.parametrize("name", ["conv", "depthwise", "conv1", "head"])
def test_layers_are_matrix_products(name: str) -> None:
    model = convolutions()
    layer = model.get_layer(name)
    x = np.random.default_rng(4).normal(size=(5, *layer.input.shape[1:])).astype("float32")
    linear = layer.__class__.from_config({**layer.get_config(), "activation": "linear", "use_bias": False})
    linear.build((None, *x.shape[1:]))
    kernel = layer.get_weights()[0]
    linear.set_weights([kernel])
    want = np.asarray(linear(x))
    got = rows_of(layer, x) @ as_matrix(layer, kernel)  # (groups, rows, outputs)
    assert np.allclose(got.transpose(1, 0, 2).reshape(want.shape), want, atol=1e-5)
    assert np.array_equal(as_kernel(layer, as_matrix(layer, kernel)), kernel.astype(np.float64))


@pytest.mark.parametrize("biased", [False, True])
def test_errors_by_moments_are_those_of_the_samples(biased: bool) -> None:
    rng = np.random.default_rng(5)
    weights, other = rng.normal(size=(2, 2, 4, 3))
    batches = [(x + rng.normal(0, 0.1, x.shape), x) for x in rng.normal(1, 1, (3, 2, 20, 4))]
    task = Reconstruction.of(weights, batches, biased=biased)
    difference = np.concatenate([q @ other - x @ weights for q, x in batches], 1)
    want = difference.var(1).sum() if biased else np.mean(difference**2, 1).sum()
    assert task.error(other) == pytest.approx(want, rel=1e-9)
    slope = task.gradient(other)
    other[1, 2, 1] += 1e-6
    assert (task.error(other) - want) / 1e-6 == pytest.approx(slope[1, 2, 1], rel=1e-4)


def test_weights_that_the_quantizer_changes_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: a quantizer with twice the unit of the grid."""

    def wrong(grid: Grid) -> Any:
        return FixedLevels(grid.format, 2 * grid.unit)

    monkeypatch.setattr(post_training, "quantizer_of", wrong)
    model, x, _ = digits()
    with pytest.raises(ModelError, match="layer 'fc1': its quantizers do not reproduce the rounded weights"):
        quantized(model, x, Settings("nearest", 4, {}, format="tapered"))


def test_kernels_are_what_the_model_computes_with() -> None:
    found, _ = rounded("attention-round", 4)
    for name, kernel in quantized_kernels(found).items():
        assert np.array_equal(kernel, found.get_layer(name).get_weights()[0])
