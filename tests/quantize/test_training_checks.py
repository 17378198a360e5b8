"""Models, data and places that training cannot use are refused before it starts; targets and last layers as users have
them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from qkeras import QActivation
from typer.testing import CliRunner

from fpgaq.cli import app
from fpgaq.errors import ConfigError, ModelError
from fpgaq.quantize.model_files import check_output, save
from fpgaq.quantize.training.checks import check_trainable, checked
from fpgaq.quantize.training.loss import last_activation, objective_of
from fpgaq.quantize.training.trainer import Settings

X = np.random.default_rng(0).normal(size=(20, 8, 2)).astype("float32")
Y = np.arange(20) % 3


def _network(*layers: Any, name: str = "net") -> Any:
    return keras.Sequential([keras.Input((8, 2), name="x"), *layers], name=name)


def _dense(units: int = 3, **options: Any) -> Any:
    return keras.layers.Dense(units, **{"name": "a", **options})


def _shared() -> Any:
    x, layer = keras.Input((2,)), _dense(2)
    return keras.Model(x, layer(layer(x)))


def _with_nan() -> Any:
    model = _network(_dense())
    model.set_weights([np.full((2, 3), np.nan), np.zeros(3)])
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_shared, "layer 'a' is used more than once"),
        (lambda: _network(keras.layers.Conv1D(3, 2, padding="causal", name="a")), "layer 'a': padding='causal'"),
        (lambda: _network(keras.layers.DepthwiseConv1D(2, depth_multiplier=2, name="a")), "'a': depth_multiplier=2"),
        (lambda: _network(_dense(dtype="float64")), "layer 'a' computes in float64"),
        (lambda: _network(_dense(dtype="mixed_float16")), "layer 'a' computes in float16 with weights in float32"),
        (lambda: _network(_dense(name="first layer")), "layer 'first layer' cannot be compiled by TensorFlow"),
        (lambda: _network(_dense(), name="my net"), "model 'my net' cannot be compiled by TensorFlow"),
        (lambda: keras.Sequential([keras.Input((2,), name="input"), _dense()]), "layer 'input': hls4ml keeps"),
        (_with_nan, "layer 'a' has weights that are NaN or infinite"),
    ],
)
def test_models_that_cannot_be_trained_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_trainable(make())


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X.astype(float) * 1e200, Y, r"inputs of up to .*e\+200 are too large; scale them"),
        (X, Y * 1e300, "targets of up to 2e\\+300 are too large"),
        (X, Y.astype(str), "inputs and targets are numbers, not float32 and <U"),
        (X, np.int64(1), "no targets for 20 inputs"),
        (X, Y[:0], "0 targets for 20 inputs"),
        (X, np.where(Y == 0, np.nan, Y), "targets contain NaN or infinity"),
    ],
)
def test_data_that_cannot_be_trained_with_are_refused(x: Any, y: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked(_network(_dense()), x, y)


@pytest.mark.parametrize("kind", ["float32", "int64", "bool"])
def test_rows_with_a_one_are_classes(kind: str) -> None:
    model = _network(keras.layers.Flatten(), _dense())
    _, y = checked(model, X, np.eye(3)[Y].astype(kind))
    assert objective_of(model, y).kind == "classes"
    assert np.array_equal(y, Y)
    two = np.eye(3)[Y]
    two[4] = [1, 1, 0]
    assert objective_of(model, checked(model, X, two)[1]).kind == "values"


@pytest.mark.parametrize(("activation", "kind"), [("sigmoid", "binary"), (None, "values")])
def test_zeros_and_ones_are_classes_where_there_is_a_probability(activation: Any, kind: str) -> None:
    model = _network(keras.layers.Flatten(), _dense(1, activation=activation))
    assert objective_of(model, checked(model, X, (Y > 0).astype(float))[1]).kind == kind


@pytest.mark.parametrize(
    ("layers", "last"),
    [
        ((lambda: _dense(activation="softmax"), lambda: keras.layers.Dropout(0.1)), "softmax"),
        ((lambda: keras.Sequential([keras.Input((8, 2)), _dense(1, activation="sigmoid")]),), "sigmoid"),
        ((lambda: keras.layers.TimeDistributed(_dense(activation="softmax")), keras.layers.Flatten), "softmax"),
        ((lambda: QActivation("quantized_sigmoid(6)"),), "sigmoid"),
        ((lambda: QActivation("quantized_sigmoid(6, symmetric=1)"),), ""),
        ((_dense,), "linear"),
    ],
)
def test_what_a_model_ends_in(layers: tuple[Callable[[], Any], ...], last: str) -> None:
    assert last_activation(_network(*(make() for make in layers))) == last


def test_settings_that_keras_or_nobody_has_are_refused() -> None:
    with pytest.raises(ConfigError, match="seed 4294967296 must lie in 0"):
        Settings("uniform", 4, seed=2**32)
    with pytest.raises(ConfigError, match="activation method 'magic' is unknown"):
        Settings("uniform", 4, "magic", None)


def test_places_that_cannot_be_written_to_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.keras").mkdir()
    for path, message in (
        (tmp_path / "q.txt", "suffix '.txt' is not one of"),
        (tmp_path / "none" / "q.keras", "the folder .* does not exist; make it"),
        (tmp_path / "folder.keras", "it is a folder; name a file"),
        (Path("/proc/q.keras"), "choose another folder than /proc"),
    ):
        with pytest.raises(ConfigError, match=message):
            check_output(path)
    check_output(tmp_path / "q.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.keras"]


def test_an_interrupted_save_leaves_what_was_there(tmp_path: Path) -> None:
    class Interrupted:
        def save(self, path: Path) -> None:
            path.write_bytes(b"half")
            raise KeyboardInterrupt

    target = tmp_path / "q.keras"
    model = _network(_dense())
    save(model, target)
    whole = target.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        save(Interrupted(), target)
    assert target.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [target]


def test_what_stays_as_it_is_is_told_and_targets_must_be_alike(tmp_path: Path) -> None:
    pool, tanh = keras.layers.GlobalMaxPooling1D(), QActivation("quantized_tanh(4)", name="t")
    layers = [keras.layers.SeparableConv1D(4, 2, name="s"), pool, tanh, _dense()]
    _network(*layers).save(tmp_path / "m.keras")
    for name, values in {"x": X, "y": Y, "r": np.zeros((20, 3))}.items():
        np.save(tmp_path / f"{name}.npy", values)
    files = {"inputs": "x", "targets": "y", "test-inputs": "x"}
    options = [part for name, file in files.items() for part in (f"--{name}", str(tmp_path / f"{file}.npy"))]
    typed = ["train", str(tmp_path / "m.keras"), "-o", str(tmp_path / "q.keras"), *options, "--method", "uniform"]
    typed += ["--bits", "4", "--epochs", "1", "--test-targets"]
    result = CliRunner().invoke(app, [*typed, str(tmp_path / "r.npy")])
    assert (result.exit_code, (tmp_path / "q.keras").exists()) == (2, False)
    assert "--test-targets are values, --targets are classes" in result.stderr
    result = CliRunner().invoke(app, [*typed, str(tmp_path / "y.npy")])
    assert result.exit_code == 0, result.stderr
    assert "layer 's': weights of SeparableConv1D stay as they are" in result.stderr
    assert "layer 't': quantized_tanh(4) stays" in result.stderr
