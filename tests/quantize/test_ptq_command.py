"""`fpgaq quantize` and `fpgaq convert --quantize` as they are typed, and what they refuse before any work starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import dense, sequential
from typer.testing import CliRunner, Result

from fpgaq.cli import app
from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.load import load_model
from fpgaq.quantize.ptq.post_training import quantized
from fpgaq.quantize.ptq.settings import Settings

K = keras.layers
X = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")


def float_model() -> Any:
    return sequential(K.Dense(5, activation="relu", name="a"), K.Dense(3, name="b"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ptq")
    float_model().save(folder / "float.keras")
    np.save(folder / "x.npy", X)
    np.savez(folder / "two.npz", x=X, y=X)
    (folder / "bits.yaml").write_text("a: 3\n")
    (folder / "folder.keras").mkdir()
    (folder / "list.yaml").write_text("- 3\n")
    (folder / "word.yaml").write_text("a: many\n")
    return folder


def call(command: str, folder: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, [command, str(folder / "float.keras"), *map(str, arguments)])


def test_quantize_and_convert_as_typed(folder: Path, tmp_path: Path) -> None:
    how = ["--bits", 4, "--layer-bits", folder / "bits.yaml", "--activations", 5, "--calibration", folder / "x.npy"]
    written = call("quantize", folder, *how, "--method", "attention-round", "--seed", 3, "-o", tmp_path / "q.keras")
    assert written.exit_code == 0, written.output
    assert "rectifiers of 5 bits: a" in written.stderr
    model = load_model(tmp_path / "q.keras")
    assert [model.get_layer(name).kernel_quantizer_internal.bits for name in "ab"] == [3, 4]
    assert "attention-round, squared errors of the outputs" in written.stderr
    options = ["--quantize", "attention-round", *how, "--seed", 3, "--samples", 30, "--input-precision", "fixed<6,3>"]
    checked = call("convert", folder, *options, "--check-only", "-o", tmp_path / "out")
    assert checked.exit_code == 0, checked.output
    assert "keras_vs_golden: 30 samples, 0 mismatches" in checked.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.extended
def test_a_build_leaves_the_quantized_model(folder: Path, tmp_path: Path) -> None:
    how = ["--bits", 3, "--calibration", folder / "x.npy"]
    assert call("quantize", folder, *how, "--method", "adaround", "-o", tmp_path / "q.keras").exit_code == 0
    options = ["--quantize", "adaround", *how, "--no-synth", "--samples", 30, "--input-precision", "fixed<6,3>"]
    built = call("convert", folder, *options, "-o", tmp_path / "out")
    assert built.exit_code == 0, built.output + built.stderr
    models = [load_model(path) for path in (tmp_path / "q.keras", tmp_path / "out" / "quantized.keras")]
    for one, two in zip(*(model.get_weights() for model in models), strict=True):
        assert np.array_equal(one, two)
    assert np.array_equal(*(model.predict(X, verbose=0) for model in models))


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("quantize", ["--method", "magic", "--bits", 4], "method 'magic' is unknown; known are nearest (every weight"),
        ("quantize", [], "needs bits of weights: give --bits, --layer-bits FILE, or both"),
        ("quantize", ["--bits", 17], "weights of 17 bits in format int; use 2 to 16"),
        ("quantize", ["--bits", 1], "one bit needs training with a binary quantizer"),
        ("quantize", ["--bits", 4, "--activations", 17], "activations of 17 bits; use 1 to 16"),
        ("quantize", ["--bits", 9, "--format", "pot"], "weights of 9 bits in format pot; use 2 to 5"),
        ("quantize", ["--bits", 2, "--method", "pwlq"], "weights of 2 bits in format pwlq; use 3 to 9"),
        ("quantize", ["--bits", 4, "--format", "float"], "format 'float' is unknown; known are int, pot"),
        (
            "quantize",
            ["--bits", 4, "--method", "cfws", "--format", "int"],
            "method cfws has a format of its own, not int",
        ),
        ("quantize", ["--bits", 4, "--bit-price", 1], "method attention-round asks for no price of a bit"),
        ("quantize", ["--bits", 4, "--method", "ecqx", "--bit-price", -1], "a bit cannot cost -1.0; use 0 (nearest)"),
        (
            "quantize",
            ["--bits", 6, "--format", "codebook"],
            "layer 'a': Codebook: 64 entries for 30 distinct weights; use",
        ),
        (
            "quantize",
            ["--bits", 4, "--ranges", "all"],
            "ranges 'all' are unknown; known are mse, max, percentile, kl, ema",
        ),
        ("quantize", ["--bits", 4, "--seed", -1], "seed -1 is negative"),
        (
            "quantize",
            ["--layer-bits", "bits.yaml"],
            "fpgaq: layer 'b' has no bits: add it to the file of bits",
        ),
        ("quantize", ["--layer-bits", "list.yaml"], "list.yaml does not hold bits by layer name"),
        ("quantize", ["--layer-bits", "word.yaml"], "layer 'a': weights of many bits in format int; use 2 to 16"),
        ("quantize", ["--bits", 4, "--calibration", "none.npy"], "none.npy does not exist"),
        ("quantize", ["--bits", 4, "--calibration", "two.npz"], "two.npz: the model has one input; give a .npy file"),
        ("quantize", ["--bits", 4, "-o", "q.onnx"], "suffix '.onnx' is not one of .keras"),
        ("quantize", ["--bits", 4, "-o", "no/q.keras"], "the folder no does not exist; make it"),
        ("quantize", ["--bits", 4, "-o", "folder.keras"], "cannot write folder.keras: it is a folder; name a file"),
        ("quantize", ["--bits", "nan"], "--bits nan is no number of bits; use 2 to 16"),
        ("convert", ["--quantize", "nearest", "--bits", "inf", "--calibration", "x.npy"], "--bits inf is no number"),
        ("convert", ["--bits", 4], "--bits belongs to --quantize METHOD; give both, or none"),
        ("convert", ["--quantize", "nearest", "--bits", 4], "needs inputs of the network: give --calibration FILE.npy"),
    ],
)
def test_bad_arguments_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, arguments: list[object], message: str
) -> None:
    monkeypatch.chdir(folder)
    rest = ["--calibration", "x.npy"] if command == "quantize" and "--calibration" not in arguments else []
    rest += [] if "-o" in arguments else ["-o", "q.keras"]
    before = sorted(folder.iterdir())
    result = call(command, folder, *arguments, *rest)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert sorted(folder.iterdir()) == before


def _two_inputs() -> Any:
    inputs = [keras.Input((6,), name=name) for name in "uv"]
    return keras.Model(inputs, K.Dense(2, name="b")(K.Concatenate(name="both")(inputs)), name="net")


def _broken() -> Any:
    model = float_model()
    model.get_layer("b").bias.assign([0, np.nan, 0])
    return model


def _double() -> Any:
    model = keras.Sequential([keras.Input((6,)), K.Dense(2, dtype="float64", name="d")])
    model.build()
    return model


def _huge() -> Any:
    model = sequential(K.Dense(5, name="a"), K.Dense(3, name="b"))
    model.get_layer("a").kernel.assign(3e38 * np.ones((6, 5)))
    return model


def _series(layer: Any) -> Callable[[], Any]:
    return lambda: sequential(layer, inputs=(4, 3))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: sequential(dense(3, name="q")), r"layer 'q' \(QDense\) has quantizers already: start from the float"),
        (_series(K.LSTM(2, name="memory")), "layer 'memory': adaround cannot round a LSTM, only Dense, Conv1D"),
        (_series(K.SeparableConv1D(2, 2, name="s")), "layer 's': adaround cannot round a SeparableConv1D, only"),
        (_series(K.Conv1D(3, 2, groups=3, name="c")), "layer 'c': groups=3"),
        (_series(K.Conv1D(3, 2, padding="causal", name="c")), "layer 'c': padding='causal' is not supported"),
        (lambda: sequential(K.ReLU(name="r")), "has no layer with a matrix"),
        (_two_inputs, "model 'net' has 2 inputs"),
        (_double, "layer 'd' computes in float64 with weights in float64, quantizers in float32; make the model"),
        (_huge, "layer 'b': what it reads on the calibration data is too large for float32; scale the data"),
        (_broken, "layer 'b' has weights that are NaN or infinite"),
    ],
)
def test_models_that_cannot_be_quantized_are_refused(model: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        quantized(model(), X, Settings("adaround", 4, {}))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X[:, :5], r"shape \[40, 5\] does not fit; expected \(samples, 6\)"),
        (X[0], r"shape \[6\] does not fit"),
        (np.float32(1), r"shape \[\] does not fit"),
        (X[:15], "15 samples are too few; give 16 or more"),
        (np.where(X > 2, np.nan, X), "contains NaN or infinity"),
        (X * 1e30, r"values of up to .*e\+30 are too large; scale them to below 2\^31"),
        (X.astype(float) * 1e200, r"values of up to .*e\+200 are too large"),
        (np.ones_like(X), "all samples are the same"),
        (X.astype(str), "calibration data are numbers, not"),
    ],
)
def test_calibration_data_that_say_nothing_are_refused(data: np.ndarray, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        quantized(float_model(), data, Settings("nearest", 4, {}))


def test_bits_of_layers_that_are_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match="bits for layer 'c', which has no matrix; layers with one are a, b"):
        quantized(float_model(), X, Settings("nearest", 4, {"c": 4}))


def test_rectifiers_may_stay_and_those_with_a_limit_do() -> None:
    assert quantized(float_model(), X, Settings("nearest", 4, {}, None)).get_layer("a").activation.__name__ == "relu"
    limited = sequential(K.Dense(5, name="a"), K.ReLU(max_value=2.0, name="r"), K.Dense(3, name="b"))
    assert type(quantized(limited, X, Settings("nearest", 4, {})).get_layer("r")).__name__ == "ReLU"
