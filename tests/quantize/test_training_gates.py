"""Gated layers in the trainer, bits of single layers and rates of single parameters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.layers import (
    Add,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalMaxPooling2D,
    Input,
    MaxPooling2D,
    ReLU,
)
from typer.testing import CliRunner

import fpgaq
from fpgaq.cli import app
from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.load import load_model
from fpgaq.quantize.training.gating import gated, gates, plain_rectifiers, refusals
from fpgaq.quantize.training.trainer import Settings, Trained, quantized, train

RNG = np.random.default_rng(0)
X = RNG.integers(-16, 16, (160, 6)).astype("float32") / 8
Y = (X[:, 0] > X[:, 1]).astype(int) + (X[:, 2] > 0)


def network() -> Any:
    keras.utils.set_random_seed(1)
    hidden = [Dense(8, activation="relu", name=name, bias_initializer="random_normal") for name in ("a", "h")]
    return keras.Sequential([Input((6,), name="x"), *hidden, Dense(3, name="b")])


def normalized() -> Any:
    """A layer whose rectifier stands behind a batch normalization of statistics and gains of both signs."""
    keras.utils.set_random_seed(2)
    layers = [Dense(9, name="a"), ReLU(name="r"), Flatten(name="flat"), Dense(7, name="h", bias_initializer="normal")]
    layers += [BatchNormalization(name="bn"), ReLU(name="rh"), Dense(3, name="b")]
    model = keras.Sequential([Input((6,), name="x"), *layers])
    model.get_layer("bn").set_weights([RNG.uniform(-1, 2, 7), *RNG.normal(size=(2, 7)), RNG.uniform(0.5, 2, 7)])
    return model


def residual() -> Any:
    """Two convolutions to gate: of a block whose input goes round it, too, and one behind a pooling."""
    keras.utils.set_random_seed(3)
    image = Input((6, 5, 1), name="x")
    start = Conv2D(3, 2, activation="relu", name="start")(image)
    block = Conv2D(3, 3, padding="same", bias_initializer="normal", name="h")(start)
    block = ReLU(name="rh")(BatchNormalization(name="bn")(block))
    added = ReLU(name="sum")(Add(name="add")([start, Conv2D(3, 1, name="back")(block)]))
    last = Conv2D(4, 2, strides=2, activation="relu", name="last")(MaxPooling2D((1, 2), name="pool")(added))
    model = keras.Model(image, Dense(3, name="b")(GlobalMaxPooling2D(name="most")(last)))
    model.get_layer("bn").set_weights([RNG.uniform(0.5, 2, 3), *RNG.normal(size=(2, 3)), RNG.uniform(0.5, 2, 3)])
    return model


@pytest.fixture(autouse=True, scope="module")
def eager() -> Iterator[None]:
    """Tracing takes longer than the few steps that are trained here."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def given() -> Any:
    model = network()
    model.compile(keras.optimizers.Adam(5e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, epochs=12, batch_size=160, verbose=0)
    return model


OWN = {"layer_bits": {"a": 6, "h": 5}, "rates": {"clip": 0.0}}


@pytest.fixture(scope="module")
def found(given: Any) -> Trained:
    return train(given, X, Y, Settings("fat", 4, epochs=6, batch=80, rate=2e-2, gate=2, **OWN))


@pytest.mark.parametrize("make", [network, normalized])
def test_with_all_gates_open_and_fine_steps_nothing_changes(make: Any) -> None:
    model = make()
    copy = gated(model, X, lambda name: 16, 14, 13, 0.0)
    layer = copy.get_layer("h")
    sums = keras.Model(copy.inputs, layer.input).predict(X, verbose=0) @ layer.kernel.numpy()
    behind = keras.Model(model.inputs, model.layers[-2].output).predict(X, verbose=0)
    gains = model.get_layer("bn").gamma.numpy() if make is normalized else np.ones(8)
    clear = (np.abs(sums - layer.threshold.numpy()) > 1e-4) & (gains > 0)
    assert np.array_equal((sums > layer.threshold.numpy())[clear], (behind > 0)[clear])
    layer.threshold.assign(np.full(layer.units, -1e6))
    assert np.allclose(copy.predict(X, verbose=0), model.predict(X, verbose=0), atol=2e-3)


def test_convolutions_start_as_they_were_and_are_exact(tmp_path: Path) -> None:
    model, images = residual(), RNG.integers(0, 8, (80, 6, 5, 1)).astype("float32") / 8
    copy = gated(model, images, lambda name: 16, 14, 13, 0.0)
    kinds = {layer.name: type(layer).__name__ for layer in copy.layers}
    assert [kinds[name] for name in ("start", "h", "back", "last")] == [
        "Conv2D",
        "GatedConv2D",
        "Conv2D",
        "GatedConv2D",
    ]
    assert plain_rectifiers(copy) == {"sum"}  # what the first gated one reads is read by the sum, too
    for name in ("h", "last"):
        copy.get_layer(name).threshold.assign(np.full(copy.get_layer(name).filters, -1e6))
    assert np.allclose(copy.predict(images, verbose=0), model.predict(images, verbose=0), atol=4e-3)
    trained = train(model, images, np.arange(80) % 3, Settings("uniform", 4, epochs=1, batch=40, gate=2)).model
    told = {gate.layer: gate for gate in gates(trained, images)}
    assert list(told) == ["h", "last"]
    assert 0.1 < told["last"].closed < 1
    for name, gate in told.items():
        assert gate.closed == pytest.approx(_closed(trained, name, images))
    design = fpgaq.convert(trained, input_precision="ufixed<3,0>", output=tmp_path / "build")
    assert design.keras_gate(np.rint(images * 8).astype(int)).passed


def _closed(model: Any, name: str, x: Any) -> float:
    layer = model.get_layer(name)
    return float(1 - layer.gate_activity(keras.Model(model.inputs, layer.input).predict(x, verbose=0)).mean())


def test_what_is_not_gated_has_a_reason() -> None:
    image = Input((4, 4, 1), name="x")
    conv = Conv2D(2, 3, activation="relu", name="conv")(image)
    first = Dense(4, activation="relu", name="first")(Flatten(name="flat")(conv))
    second = Dense(4, activation="relu", name="second")(first)
    bent = Dense(4, activation="tanh", name="bent")(Add(name="sum")([first, second]))
    model = keras.Model(image, Dense(2, name="last")(bent))
    alone = "its input does not come from a rectifier"
    assert refusals(model) == dict.fromkeys(("conv", "bent", "last"), alone)
    pixels = Dense(3, activation="relu", name="pixels")(conv)
    wide = DepthwiseConv2D(2, activation="relu", name="wide")(pixels)
    groups = Conv2D(3, 1, groups=3, activation="relu", name="groups")(Conv2D(3, 1, activation="relu", name="c")(wide))
    assert refusals(keras.Model(image, groups)) == {
        "conv": alone,
        "pixels": "gates of a dense layer are for vectors, not for shape [2, 2, 2]",
        "wide": "only dense layers and convolutions of all channels have gates, not DepthwiseConv2D",
        "groups": "gates are for convolutions of all channels, not for groups=3",
    }
    series = [Conv1D(2, 2, activation="relu", padding=how, name=how) for how in ("same", "causal")]
    found = refusals(keras.Sequential([Input((4, 1), name="x"), *series]))
    assert found == {"same": alone, "causal": "gates are for padding='valid' and 'same', not for 'causal'"}
    short = keras.Sequential([Input((6,), name="x"), Dense(4, activation="relu", name="a"), Dense(3, name="b")])
    with pytest.raises(ModelError, match=f"nothing to gate.*'a': {alone}; layer 'b': no rectifier follows it"):
        train(short, X, Y, Settings("uniform", 4, gate=2))


def test_gates_train_and_are_exact(given: Any, found: Trained, tmp_path: Path) -> None:
    model = found.model
    assert plain_rectifiers(model) == {"a"}
    assert model.get_layer("a").activation is keras.activations.relu
    assert np.mean(model.predict(X, verbose=0).argmax(1) == Y) > 0.6
    layer, (told,) = model.get_layer("h"), gates(model, X)
    assert 0.2 < told.closed < 1
    assert told.work == pytest.approx(1 - told.closed / 2)
    assert np.mean(layer.threshold.numpy() + given.get_layer("h").bias.numpy()) > 0.05 * layer.target
    design = fpgaq.convert(model, input_precision="fixed<5,2>", output=tmp_path / "build")
    assert design.keras_gate(np.rint(X * 8).astype(int)).passed
    # The batch normalization is rounded when it is converted.
    assert np.mean(design.golden(X).argmax(1) == model.predict(X, verbose=0).argmax(1)) > 0.95


def test_layers_have_their_bits_and_parameters_their_rates(given: Any, found: Trained) -> None:
    begun = quantized(given, X, Settings("fat", 4, layer_bits={"a": 6}))
    quantizers = {name: found.model.get_layer(name).kernel_quantizer_internal for name in "ab"}
    assert [quantizers[name].bits for name in "ab"] == [6, 4]
    assert found.model.get_layer("h").weight_bits == 5
    for name, quantizer in quantizers.items():
        start = begun.get_layer(name).kernel_quantizer_internal
        assert float(quantizer.clip) == float(start.clip)
        assert not np.array_equal(quantizer.transform, start.transform)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gate": 4}, ConfigError, "gate 4: so many of the 4 bits"),
        ({"gate": 1, "activations": None}, ConfigError, "gate 1: so many of the unlimited bits"),
        ({"method": "slb", "bits": 1, "gate": 2}, ConfigError, "gated layers have integer weights of 2 bits"),
        ({"gate": 2, "gate_target": np.inf}, ConfigError, "gate-target inf must be finite"),
        ({"gate_target": 0.5}, ConfigError, "gate-target 0.5 is for gates: give gate, too"),
        ({"layer_bits": {"a": 40}}, ConfigError, "layer 'a': method 'fat' is for 2 to 16 bits, not 40"),
        ({"layer_bits": {"a": True}}, ConfigError, "layer 'a': method 'fat' is for 2 to 16 bits, not True"),
        ({"layer_bits": {"q": 4}}, ModelError, "layer 'q' has no matrix to give bits to; layers with one are a, h, b"),
        ({"rates": {"clip": -1.0}}, ConfigError, "rate-of clip=-1.0 must be 0 or more"),
        ({"rates": {"magic": 2.0}}, ConfigError, "no parameter 'magic'.* has bias, clip, kernel, transform"),
        ({"layer_bits": {"a": 16}, "progressive": True}, ConfigError, "has no 17 bits to start from"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        train(network(), X, Y, Settings(**{"method": "fat", "bits": 4, **change}))


def test_as_typed(tmp_path: Path) -> None:
    network().save(tmp_path / "float.keras")
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    (tmp_path / "bits.yaml").write_text("b: 3\n")
    data = ["--inputs", tmp_path / "x.npy", "--targets", tmp_path / "y.npy", "-o", tmp_path / "q.keras"]

    def call(*arguments: object) -> Any:
        given = [
            tmp_path / "float.keras",
            "--method",
            "uniform",
            "--bits",
            5,
            *data,
            "--epochs",
            1,
            "--batch",
            160,
            *arguments,
        ]
        return CliRunner().invoke(app, ["train", *map(str, given)])

    made = call("--gate", 2, "--gate-target", 2, "--layer-bits", tmp_path / "bits.yaml", "--rate-of", "clip=0.5")
    assert made.exit_code == 0, made.output
    told = " ".join(made.stderr.split())
    assert "layer 'h': " in told
    assert "% of the gates closed on 160 training data: 0." in told
    assert "layer 'b' is not gated: no rectifier follows it" in told
    written = load_model(tmp_path / "q.keras")
    assert (written.get_layer("h").weight_bits, written.get_layer("b").kernel_quantizer_internal.bits) == (5, 3)
    for arguments, message in (
        (("--rate-of", "clip"), "--rate-of clip is not NAME=FACTOR, such as clip=0.5"),
        (("--gate", 2, "--more-bits", "6"), "gated layers keep the bits that they are trained with"),
        (("--layer-bits", tmp_path / "x.npy"), "is not a YAML file that can be read"),
    ):
        refused = call(*arguments)
        assert refused.exit_code == 2
        assert message in " ".join(refused.stderr.split())
