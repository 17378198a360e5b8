"""Models with other quantizers: the right ones, ranges that fit, and weights that stay."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from qkeras import QActivation, QDense, quantized_bits, quantized_relu

from fpgaq.errors import ModelError
from fpgaq.quantize.requantize import Choice, free_kernels, quantized_kernels, rectifies, requantized


def network() -> keras.Model:
    """Keras and QKeras layers, rectifiers in layers and behind them, and one layer that is neither."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((6,), name="x"),
            keras.layers.Dense(8, activation="relu", name="a"),
            QDense(8, kernel_quantizer=quantized_bits(6, 1, alpha=1), name="b"),
            QActivation(quantized_relu(6, 2), name="b_relu"),
            keras.layers.Dropout(0.1, name="drop"),
            keras.layers.Dense(4, name="c"),
            keras.layers.Activation("softmax", name="head"),
        ]
    )


X = np.random.default_rng(0).normal(size=(200, 6)).astype("float32")


@pytest.mark.parametrize("format_", ["int", "pot", "ternary", "binary"])
def test_every_layer_gets_the_quantizers(format_: str) -> None:
    model = network()
    found = requantized(model, Choice(format_, {"ternary": 2, "binary": 1}.get(format_, 4), 5), X)
    assert [type(layer).__name__ for layer in found.layers] == [
        *("QDense", "QDense", "QActivation", "Dropout", "QDense", "Activation")
    ]
    assert found.get_layer("a").activation.bits == found.get_layer("b_relu").activation.bits == 5
    for old, new in zip(model.get_weights(), found.get_weights(), strict=True):
        assert np.array_equal(old, new)
    for name in "abc":
        layer = found.get_layer(name)
        kernel = np.asarray(layer.kernel_quantizer_internal(layer.kernel))
        assert len(np.unique(np.abs(kernel))) <= 2**4
    assert found.predict(X, verbose=0).shape == (200, 4)


def test_many_bits_change_nothing_much() -> None:
    keras.utils.set_random_seed(2)
    layers = [keras.layers.Dense(8, activation="relu"), keras.layers.ReLU(), keras.layers.Dense(4)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    found = requantized(model, Choice("int", 16, 16), X)
    assert np.abs(found.predict(X, verbose=0) - model.predict(X, verbose=0)).max() < 0.02


def test_one_layer_alone() -> None:
    model = network()
    found = requantized(model, {"b": Choice("int", 3, 2)}, X)
    assert [type(layer).__name__ for layer in found.layers][:3] == ["Dense", "QDense", "QActivation"]
    assert found.get_layer("b").kernel_quantizer_internal.bits == 3
    assert found.get_layer("b_relu").activation.bits == 2


@pytest.mark.parametrize("format_", ["int", "binary"])
def test_kernels_are_exchanged_without_their_quantizers(format_: str) -> None:
    """Free kernels are used as they are; with the quantized ones in their place the outputs are the same."""
    keras.utils.set_random_seed(3)
    convolutions = [keras.layers.DepthwiseConv2D(2, activation="relu"), keras.layers.Conv2D(4, 2, activation="relu")]
    model = keras.Sequential([keras.Input((5, 5, 2)), *convolutions, keras.layers.Flatten(), keras.layers.Dense(3)])
    x = np.random.default_rng(1).normal(size=(50, 5, 5, 2)).astype("float32")
    found = requantized(model, Choice(format_, 1 if format_ == "binary" else 3, 4), x)
    free = free_kernels(found)
    want = found.predict(x, verbose=0)
    assert not np.array_equal(free.predict(x, verbose=0), want)
    kernels = quantized_kernels(found)
    assert len(kernels) == 3
    for name, kernel in kernels.items():
        free.get_layer(name).weights[0].assign(kernel)
    assert np.array_equal(free.predict(x, verbose=0), want)


def test_what_has_no_matrix_is_named() -> None:
    with pytest.raises(ModelError, match="layer 'drop' has no matrix; layers with one are a, b, c"):
        requantized(network(), {"drop": Choice("int", 4, 4)}, X)
    empty = keras.Sequential([keras.Input((6,)), keras.layers.Dropout(0.1)], name="empty")
    with pytest.raises(ModelError, match="model 'empty' has no layer with a matrix"):
        requantized(empty, Choice("int", 4, 4), X)


def test_small_ranges_have_quantizers_too_and_rectifiers_are_known_again() -> None:
    keras.utils.set_random_seed(1)
    # quantized_relu cannot be called with a negative number of integer bits.
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, activation="relu", name="a")])
    kernel, bias = model.get_weights()
    model.set_weights([kernel / 50, bias])
    found = requantized(model, Choice("int", 8, 6), X)
    wanted, outputs = (np.asarray(each(X)) for each in (model, found))
    assert 0 < wanted.max() < 0.25
    # A range of least squared error may end below the largest number.
    assert 0 < np.abs(outputs - np.minimum(wanted, outputs.max())).max() < wanted.max() / 8
    assert rectifies(found.layers[-1])
    steps = 2.0**-8
    again = requantized(found, Choice("int", 8, 2), X)
    assert len(np.unique(again(X))) <= 4 < len(np.unique(np.rint(outputs / steps)))


def test_a_rectifier_with_a_slope_keeps_it() -> None:
    layers = [keras.layers.Dense(8, name="a"), QActivation(quantized_relu(6, 2, negative_slope=0.25), name="leaky")]
    found = requantized(keras.Sequential([keras.Input((6,)), *layers]), Choice("int", 8, 4), X)
    assert np.asarray(found(X)).min() < 0


def test_results_that_are_not_finite_are_refused_by_the_name_of_their_layer() -> None:
    model = network()
    model.get_layer("a").set_weights([np.full((6, 8), 3e38), np.zeros(8)])
    with pytest.raises(ModelError, match="layer 'a' has results that are NaN or infinite"):
        requantized(model, Choice("int", 8, 4), X)
