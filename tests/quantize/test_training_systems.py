"""What single systems of training promise, each against its definition in numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

import fpgaq
from fpgaq.cli import app
from fpgaq.errors import ConfigError
from fpgaq.explore.policies.nuclear_norm import norm_of
from fpgaq.frontend.load import load_model
from fpgaq.quantize.quantizers import DrawnLevels, HaarWeights, RunningRange, TwoSteps
from fpgaq.quantize.quantizers.base import holding, power_of_two
from fpgaq.quantize.quantizers.haar import truncated
from fpgaq.quantize.ranges import Running
from fpgaq.quantize.training.gradient_penalty import PenalizedModel
from fpgaq.quantize.training.switching import at_bits
from fpgaq.quantize.training.trainer import Settings, train

RNG = np.random.default_rng(0)
W = RNG.normal(0, 0.3, (7, 4)).astype("float32")
X = np.rint(RNG.normal(size=(64, 7)) * 8).astype("float32") / 8
Y = (X[:, 0] > X[:, 1]).astype(int) + (X[:, 2] > 0)


def built(quantizer: Any) -> Any:
    quantizer.build(W.shape)
    quantizer.adapt(W)
    return quantizer


@pytest.fixture(scope="module")
def given() -> Any:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, activation="relu", name="a"), keras.layers.Dense(3, name="b")]
    model = keras.Sequential([keras.Input((7,), name="x"), *layers])
    model.compile(keras.optimizers.Adam(3e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, epochs=10, batch_size=64, verbose=0)
    return model


def test_drawn_levels_are_drawn_as_often_as_they_are_probable() -> None:
    keras.utils.set_random_seed(0)
    quantizer = built(DrawnLevels(3, drop=0.0, spread=0.5))
    unit = quantizer.stored(W)[1]
    drawn = np.asarray(quantizer(np.tile(W, (400, 1)), training=True)).reshape(400, 7, 4) / unit
    assert np.array_equal(drawn, np.rint(drawn))
    levels = np.arange(-4, 4)
    scores = np.exp(-np.square((W[..., None] / unit - levels) / 0.5) / 2)
    wanted = scores / scores.sum(-1, keepdims=True)
    found = np.stack([(drawn == level).mean(0) for level in levels], axis=-1)
    assert np.abs(found - wanted).max() < 0.12  # of 400 draws one deviation is 0.025
    assert np.array_equal(quantizer.stored(W)[0], np.clip(np.rint(W / unit), -4, 3))


def test_a_dropped_bit_leaves_even_levels_and_gradients_are_those_of_the_mixture() -> None:
    keras.utils.set_random_seed(0)
    quantizer = built(DrawnLevels(3, drop=0.999999))
    unit = quantizer.stored(W)[1]
    assert not np.any(np.asarray(quantizer(W, training=True)) / unit % 2)
    w, odd = tf.constant(W), np.arange(-4, 4) % 2 == 1
    with tf.GradientTape() as tape:
        tape.watch(w)
        total = tf.reduce_sum(quantizer(w, training=True) * np.sin(np.arange(28)).reshape(7, 4))
    slope = tape.gradient(total, w).numpy()

    def mixture(moved: np.ndarray) -> np.ndarray:
        scores = np.exp(-np.square((moved[..., None] / unit - np.arange(-4, 4)) / 0.3) / 2) * ~odd
        return unit * (scores * np.arange(-4, 4)).sum(-1) / scores.sum(-1)

    wide, step = W.astype(np.float64), 1e-5
    wanted = (mixture(wide + step) - mixture(wide - step)) / (2 * step) * np.sin(np.arange(28)).reshape(7, 4)
    assert np.allclose(slope, wanted, atol=1e-2 * np.abs(wanted).max())


@pytest.mark.parametrize("shape", [(8, 3), (7, 3), (3, 2, 5, 2), (1, 1)])
def test_the_haar_transform_loses_nothing_of_all_bits(shape: tuple[int, ...]) -> None:
    integers = np.random.default_rng(1).integers(-128, 128, shape).astype("float32")
    assert np.array_equal(truncated(tf.constant(integers), 1.0), integers)


def test_one_checkpoint_has_all_bits() -> None:
    unit = 2.0 ** np.ceil(np.log2(np.abs(W).max() / 127))
    errors = []
    for bits in range(2, 9):
        integers, found, stored = built(HaarWeights(bits)).stored(W)
        assert found == unit * 2 ** (8 - bits)
        stored.encode(integers)
        errors.append(float(np.mean((integers * found - W) ** 2)))
    assert errors == sorted(errors, reverse=True)
    assert np.array_equal(integers, np.clip(np.rint(W / unit), -128, 127))
    keras.utils.set_random_seed(0)
    drawn = {float(built(HaarWeights(8)).project(tf.constant(W), training=True)[1]) / unit for _ in range(60)}
    assert drawn == {2.0**k for k in range(7)}


@pytest.mark.parametrize("hindsight", [False, True])
def test_running_ranges_are_those_of_the_estimator(hindsight: bool) -> None:
    quantizer, running = RunningRange(3, hindsight=hindsight), Running(hindsight=hindsight)
    for scale in (0.3, 4.0, 1.0, 20.0, 0.1):
        x = RNG.normal(0, scale, (5, 9)).astype("float32")
        limit = running.observe(np.maximum(x, 0))
        step = 2.0 ** (np.ceil(np.log2(limit)) - 3)
        assert np.array_equal(quantizer(x, training=True), np.clip(np.rint(x / step), 0, 7) * step)
        assert np.isclose(quantizer.limit.numpy(), running.limit, rtol=1e-6)
    assert np.array_equal(quantizer(x), quantizer.fixed()(x))


def test_powers_that_hold_are_the_least_ones() -> None:
    x = np.array([2.0**-24, 0.25, 0.2500001, 1.0, 3.0, 4.0, 1e-30], "float32")
    assert np.asarray(holding(tf.constant(x))).tolist() == [2.0**-24, 0.25, 0.5, 1, 4, 4, 2.0**-24]


def test_powers_of_two_end_at_both_ends() -> None:
    x = np.array([0.0, -1.0, 2.0**-24, 1.4, 1.5, 2.0**30, 2.0**31, 3e38], "float32")
    assert np.asarray(power_of_two(tf.constant(x))).tolist() == [2.0**-24] * 3 + [1.0, 2.0] + [2.0**30] * 3


@pytest.mark.parametrize(("first", "second"), [(0.5, 3.0), (3.0, 0.5), (1.0, 1.0)])
def test_two_steps_have_thresholds_of_their_own(first: float, second: float) -> None:
    quantizer = TwoSteps(0.5)
    quantizer.first.assign(first)
    quantizer.second.assign(second)
    x = np.linspace(-1, 4, 501).astype("float32")
    y = 0.5 * (x >= first / 2) + 0.5 * (x >= second / 2)
    assert np.array_equal(quantizer(x), y)
    assert np.array_equal(quantizer.fixed()(x), y)
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(quantizer(inputs))
    slope = tape.gradient(total, quantizer.first.value)
    inside = (x > 0) & (x <= first)
    assert np.isclose(slope, -0.5 * x[inside].sum() / first**2, rtol=0.02)


def test_the_penalty_is_the_norms_of_the_gradients_and_lowers_them(given: Any) -> None:
    line = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False, name="only")])
    line.layers[0].kernel.assign([[1.0], [-2.0]])
    penalized = PenalizedModel(line, 0.5)
    penalized.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = np.array([[1.0, 2.0], [3.0, 1.0]], "float32"), np.array([[1.0], [2.0]], "float32")
    loss, norms = penalized.losses_of(x, y)
    errors = x @ [[1.0], [-2.0]] - y
    assert np.isclose(loss, np.mean(errors**2))
    assert np.isclose(norms, np.abs(np.mean(2 * errors * x, axis=0)).sum())
    found = []
    for share in (0.0, 3.0):
        settings = Settings("uniform", 8, activations=8, epochs=60, rate=1e-2, gradient_l1=share)
        model = PenalizedModel(train(given, X, Y, settings).model, 1.0)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        found.append(float(model.losses_of(X, Y)[1]))
    assert found[1] < 0.9 * found[0]


@pytest.mark.parametrize(("method", "bits"), [("uniform", 4), ("one-model", 3)])
def test_other_bits_come_from_the_trained_weights(given: Any, method: str, bits: int) -> None:
    settings = Settings(method, 8, epochs=2, rate=1e-2)
    trained = train(given, X, Y, settings).model
    other = at_bits(given, trained, X, settings, bits)
    for name in ("a", "b"):
        assert np.array_equal(other.get_layer(name).kernel, trained.get_layer(name).kernel)
        assert other.get_layer(name).kernel_quantizer_internal.bits == bits
    clips = [model.get_layer("a").activation.clip.numpy() for model in (trained, other)]
    assert clips[0] == clips[1]
    frozen = fpgaq.freeze(other)
    assert np.array_equal(frozen(X), other(X))
    with pytest.raises(ConfigError, match="is for 2 to"):
        at_bits(given, trained, X, settings, 1)


def test_nuclear_norm_is_the_sum_of_singular_values() -> None:
    assert norm_of(np.eye(4)) == pytest.approx(4 / 16)
    one = np.outer(np.arange(1, 5), [2.0, 0, 0])
    assert norm_of(one) == pytest.approx(np.linalg.norm(one) / 12)  # of rank one it is the Frobenius norm
    assert norm_of(np.zeros((3, 2, 2))) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--method uniform --bits 1", "method 'uniform' is for 2 to 16 bits, not 1"),
        ("--method uniform --bits 4 --activations 17", "method 'pact' is for 1 to 16 bits, not 17"),
        ("--method dgms --bits 5", "layer 'b' has 24 different weights, fewer than the 32 shared values of 5 bits"),
        ("--method uniform --bits 4 --gradient-l1 -1", "gradient-l1 -1.0 must be 0 or more"),
        ("--method uniform --bits 4 --more-bits 3,17", "method 'uniform' is for 2 to 16 bits, not 17"),
        ("--method uniform --bits 4 --more-bits 4", "--more-bits 4 has the 4 of --bits"),
        ("--method uniform --bits 4 --more-bits few", "--more-bits: 'few' is no range"),
    ],
)
def test_what_cannot_be_trained_is_refused_as_typed(given: Any, options: str, message: str, tmp_path: Path) -> None:
    result = _typed(given, options, tmp_path)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "q.keras").exists()


@pytest.mark.parametrize("method", ["lsq", "slb"])
def test_a_training_that_diverges_says_so_and_keeps_the_weights(given: Any, method: str, tmp_path: Path) -> None:
    result = _typed(given, f"--method {method} --bits 2 --epochs 3 --rate 1e30", tmp_path)
    assert result.exit_code == 0, result.output + result.stderr
    assert "warning: training diverged in epoch 1; the weights are those from before it; use a lower --rate" in (
        " ".join(result.stderr.split())
    )
    assert np.isfinite(load_model(tmp_path / "q.keras")(X)).all()


def _typed(model: Any, options: str, folder: Path) -> Any:
    model.save(folder / "float.keras")
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", Y)
    files = f"--inputs {folder / 'x.npy'} --targets {folder / 'y.npy'} -o {folder / 'q.keras'}"
    return CliRunner().invoke(app, ["train", str(folder / "float.keras"), *files.split(), *options.split()])
