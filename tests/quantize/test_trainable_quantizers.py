"""Quantizers with parameters: what they compute, their gradients, and that they train, save and load with a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from trainable_models import mixed, outputs, trained

from fpgaq.errors import ConfigError
from fpgaq.frontend.load import load_model
from fpgaq.quantize.quantizers import (
    DrawnLevels,
    FrequencyAware,
    GaussianMixture,
    HaarWeights,
    LearnedClip,
    LearnedClipWeights,
    LearnedStep,
    LearnedStepWeights,
    LearnedThresholds,
    RunningRange,
    SearchedLevels,
    TrainableWeights,
    TrainedTernary,
    TwoSteps,
)

WEIGHTS: dict[str, Callable[[], TrainableWeights]] = {
    "fat": lambda: FrequencyAware(4),
    "fat log": lambda: FrequencyAware(3, "log"),
    "clip": lambda: LearnedClipWeights(3),
    "clip log": lambda: LearnedClipWeights(4, "log"),
    "fat depthwise": lambda: FrequencyAware(4, depthwise=True),
    "dgms": lambda: GaussianMixture(3),
    "lsq": lambda: LearnedStepWeights(4),
    "ttq": TrainedTernary,
    "slb": lambda: SearchedLevels(2),
    "slb binary": lambda: SearchedLevels(1),
    "cpq": lambda: DrawnLevels(4),
    "one-model": lambda: HaarWeights(4),
}


def weights(seed: int = 0, shape: tuple[int, ...] = (3, 2, 6, 4)) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.05, 0.3, shape).astype(np.float32)


def built(quantizer: TrainableWeights, w: np.ndarray) -> Any:
    quantizer.build(w.shape)
    quantizer.adapt(w)
    return quantizer


@pytest.fixture(scope="module")
def model() -> Any:
    return trained()


def test_all_parameters_are_variables_of_the_model_and_train(model: Any) -> None:
    new = mixed()
    for old, variable in zip(new.trainable_variables, model.trainable_variables, strict=True):
        moved = not np.array_equal(old.numpy(), variable.numpy())
        assert moved or variable.name == "clip", variable.path  # an activation below its limit does not move that
    names = [variable.name for variable in new.trainable_variables]
    assert names.count("transform") == 3
    assert {"means", "shares", "deviations", "temperature", "clip"} <= set(names)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_saved_and_loaded(model: Any, suffix: str, tmp_path: Path) -> None:
    model.save(tmp_path / f"m{suffix}")
    plain = keras.models.load_model(tmp_path / f"m{suffix}", compile=False)
    for again in (plain, load_model(tmp_path / f"m{suffix}")):
        assert np.array_equal(outputs(again), outputs(model))
        assert again.get_layer("mixture").kernel_quantizer is again.get_layer("mixture").kernel_quantizer_internal
    shapes = [[variable.shape for variable in each.trainable_variables] for each in (plain, model)]
    assert shapes[0] == shapes[1]


def test_cloned(model: Any) -> None:
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    assert np.array_equal(outputs(copy), outputs(model))
    assert not {v.path for v in copy.variables if any(v is other for other in model.variables)}


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("spread", [2.0**-4, 1.0, 20.0])
def test_inference_is_integers_of_the_format(name: str, spread: float) -> None:
    w = weights() * np.float32(spread)
    quantizer = built(WEIGHTS[name](), w)
    integers, unit, stored = quantizer.stored(w)
    assert np.frexp(unit)[0] == 0.5
    assert np.array_equal(quantizer(w).numpy(), integers * unit)
    assert np.array_equal(stored.decode(stored.encode(integers)), integers)
    assert stored.bits == quantizer.bits
    assert np.mean((integers * unit - w) ** 2) < np.mean(w**2)


@pytest.mark.parametrize("name", WEIGHTS)
def test_constant_and_single_weights(name: str) -> None:
    for w in (np.zeros((1, 1, 3, 2), "float32"), np.full((1, 1, 1, 1), 0.5, "float32")):
        quantizer = WEIGHTS[name]()
        quantizer.build(w.shape)
        integers, _, stored = quantizer.stored(w)
        stored.encode(integers)
        assert np.isfinite(quantizer(w, training=True)).all()


def test_frequency_aware_without_loss_is_plain_rounding() -> None:
    w = weights()
    quantizer = built(FrequencyAware(4), w)
    quantizer.transform.assign(np.full((4, 4), 1e4))  # all gains are 1 in float32
    mean = np.asarray(tf.reduce_mean(w))
    spread = np.sqrt(np.asarray(tf.reduce_sum(tf.square(w - mean))) / np.float32(w.size - 1))
    unit = quantizer.stored(w)[1]
    assert unit == 2.0 ** np.rint(np.log2(3 * spread / 7))
    plain = np.clip(np.rint((w - mean) / spread * spread / np.float32(unit)), -7, 7)
    assert np.array_equal(quantizer.stored(w)[0], plain)
    baseline = built(LearnedClipWeights(4), w)
    assert [v.name for v in baseline.trainable_variables] == ["clip"]
    assert np.array_equal(baseline.stored(w)[0], plain)


@pytest.mark.parametrize("depthwise", [False, True])
def test_frequency_aware_is_the_filter_of_the_definition(depthwise: bool) -> None:
    """Complex transforms in float64 of the reference's order of taps: real but for rounding, and of less energy."""
    w = weights(1)
    quantizer = built(FrequencyAware(4, depthwise=depthwise), w)
    count = 24 if depthwise else 4
    transform = np.random.default_rng(2).normal(0, 0.3, (count, count))
    quantizer.transform.assign(transform)
    order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
    filters = w.transpose(order).reshape(count, -1)
    spectrum = np.fft.fft(filters)
    gains = 1 / (1 + np.exp(-transform @ np.abs(spectrum)))
    back = np.fft.ifft(spectrum * gains)
    assert np.abs(back.imag).max() < 1e-5
    found = quantizer.filtered(tf.constant(w)).numpy().transpose(order).reshape(count, -1)
    assert np.abs(found - back.real).max() < 1e-5
    assert np.all((found**2).sum(1) <= (filters**2).sum(1) * (1 + 1e-6))


def _differs(loss: Callable[[], Any], variable: Any, places: int, step: float) -> float:
    """Return the largest difference of a gradient from finite differences, as a share of the largest gradient."""
    with tf.GradientTape() as tape:
        value = loss()
    found = tape.gradient(value, variable.value).numpy().reshape(-1)
    start, errors = variable.numpy(), []
    for place in np.linspace(0, start.size - 1, places).astype(int):
        ends = []
        for sign in (1, -1):
            moved = start.reshape(-1).copy()
            moved[place] += sign * step
            variable.assign(moved.reshape(start.shape))
            ends.append(float(loss()))
        errors.append(abs((ends[0] - ends[1]) / (2 * step) - found[place]))
    variable.assign(start)
    return max(errors) / np.abs(found).max()


def test_gradient_of_the_transform() -> None:
    w, pull = tf.constant(weights()), weights(3)
    quantizer = built(FrequencyAware(4), weights())
    assert _differs(lambda: tf.reduce_sum(quantizer.filtered(w) * pull), quantizer.transform, 16, 0.02) < 0.02


@pytest.mark.parametrize("parameter", ["means", "shares", "deviations", "temperature"])
def test_gradients_of_the_mixture(parameter: str) -> None:
    """At a temperature and with deviations at which the mixture is smooth."""
    w, pull = tf.constant(weights()), weights(3)
    quantizer = built(GaussianMixture(2, temperature=0.5), weights())
    quantizer.deviations.assign(np.full(4, 0.3))
    variable = getattr(quantizer, parameter)
    assert _differs(lambda: tf.reduce_sum(quantizer(w, training=True) * pull), variable, 4, 1e-2) < 0.03


def test_gradient_of_the_clip_of_weights() -> None:
    """Rounding errors inside, the limit outside: the derivative with the integers held."""
    w, quantizer = tf.constant(weights()), built(FrequencyAware(3), weights())
    quantizer.clip.assign(1.0)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(quantizer(w))
    integers, unit, _ = quantizer.stored(w)
    deviation = np.std(w.numpy(), ddof=1)
    ratio = quantizer.filtered((w - tf.reduce_mean(w)) / deviation).numpy() * deviation / unit
    slopes = np.where(np.abs(ratio) <= 3, integers - ratio, integers)
    want = slopes.sum() * deviation / 3  # of the step by the clip
    assert np.isclose(tape.gradient(total, quantizer.clip.value), want, rtol=1e-3)


def test_mixture_soft_and_hard_are_near_and_outliers_stay() -> None:
    w = weights()
    w.reshape(-1)[0] = 40.0  # far from all means but its own
    quantizer = built(GaussianMixture(3), w)
    hard, soft = quantizer(w).numpy(), quantizer(w, training=True).numpy()
    assert hard.reshape(-1)[0] > 30
    ordinary = built(GaussianMixture(3), weights())
    hard, soft = ordinary(weights()).numpy(), ordinary(weights(), training=True).numpy()
    assert np.mean(np.abs(hard - soft)) < 0.02 * np.std(w)


def test_mixture_with_dead_and_merged_components() -> None:
    w = weights()
    quantizer = built(GaussianMixture(2), w)
    quantizer.means.assign([0.25, 0.2501, 3.0])  # two of one table entry, one that no weight is near
    integers, _, stored = quantizer.stored(w)
    assert len(stored.to_json()["entries"]) == 3
    stored.encode(integers)
    quantizer.means.assign([1e-9, -1e-9, 0.0])
    assert not np.any(quantizer.stored(w)[0] * quantizer.stored(w)[1] > 1e-6)


@pytest.mark.parametrize("clip", [0.3, 3.0, 6.0, 100.0])
def test_learned_clip(clip: float) -> None:
    quantizer = LearnedClip(3, clip=clip)
    x = tf.constant(np.linspace(-clip, 2 * clip, 999), tf.float32)
    step = 2.0 ** np.rint(np.log2(clip / 7))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = quantizer(x)
    assert np.array_equal(y, np.clip(np.rint(x.numpy() / step), 0, 7) * step)
    inner, limit = tape.gradient(y, [x, quantizer.clip.value])
    assert np.array_equal(inner.numpy() == 1, (x.numpy() > 0) & (x.numpy() < 7 * step))
    assert np.isclose(limit, np.sum(x.numpy() > 7 * step))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FrequencyAware(6, "log"), "in log mode: bits 6 must be an integer in 2..5"),
        (lambda: FrequencyAware(1), "in uniform mode: bits 1 must be an integer in 2..16"),
        (lambda: FrequencyAware(4, "linear"), "mode 'linear' is unknown; known are uniform, log"),
        (lambda: GaussianMixture(7), "GaussianMixture: bits 7"),
        (lambda: GaussianMixture(2, temperature=0), "temperature 0 must lie in"),
        (lambda: GaussianMixture(2, entry_bits=20), "entries of the table: bits 20"),
        (lambda: LearnedStep(1, signed=True), "LearnedStep: bits 1 must be an integer in 2..16"),
        (lambda: LearnedStep(2, step=0), "LearnedStep: step 0 must be positive"),
        (lambda: LearnedStepWeights(1), "LearnedStepWeights: bits 1"),
        (lambda: LearnedThresholds(9), "LearnedThresholds: bits 9"),
        (lambda: LearnedThresholds(2, limit=np.nan), "limit nan must be positive"),
        (lambda: TrainedTernary(threshold=1), r"threshold 1 must lie in \[0, 1\)"),
        (lambda: SearchedLevels(5), "SearchedLevels: bits 5"),
        (lambda: SearchedLevels(2, temperature=-1), "temperature -1 must be positive"),
        (lambda: DrawnLevels(7), "DrawnLevels: bits 7"),
        (lambda: DrawnLevels(4, drop=1), r"drop 1 must lie in \[0, 1\)"),
        (lambda: DrawnLevels(4, spread=0), "spread 0 must be at least 0.01"),
        (lambda: HaarWeights(1), "HaarWeights: bits 1"),
        (lambda: RunningRange(0), "RunningRange: bits 0"),
        (lambda: RunningRange(4, decay=1), r"decay 1 must lie in \[0, 1\)"),
        (lambda: TwoSteps(0), "TwoSteps: step 0 must be positive"),
        (lambda: LearnedClip(0), "LearnedClip: bits 0"),
        (lambda: LearnedClip(4, clip=-1), "clip -1 must be positive"),
    ],
)
def test_bad_arguments_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_learned_step_has_the_gradients_of_the_paper() -> None:
    x = tf.constant(np.random.default_rng(0).normal(0, 1, (5, 40)), tf.float32)
    quantizer = LearnedStep(3, signed=True, step=0.3)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = quantizer(x)
    ratio = x.numpy() / 0.25
    integers = np.clip(np.rint(ratio), -4, 3)
    assert np.array_equal(y, 0.25 * integers)
    inner, step = tape.gradient(y, [x, quantizer.step.value])
    within = (ratio >= -4) & (ratio <= 3)
    assert np.array_equal(inner, within)
    assert np.isclose(step, np.where(within, integers - ratio, integers).sum() / np.sqrt(40 * 3), rtol=1e-4)


def test_learned_thresholds_follow_the_line_through_their_intervals() -> None:
    quantizer = LearnedThresholds(2)
    quantizer.start.assign(-0.25)
    quantizer.widths.assign([1.0, 0.5, 2.0])
    quantizer.step.assign(0.5)
    x = np.linspace(-1, 5, 601).astype(np.float32)
    assert np.array_equal(quantizer(x), 0.5 * (x >= 0.25) + 0.5 * (x >= 1.0) + 0.5 * (x >= 2.25))
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(quantizer(inputs) * np.sin(x))
    inner, widths, start = tape.gradient(total, [inputs, quantizer.widths.value, quantizer.start.value])

    def line(places: np.ndarray, start: float, widths: np.ndarray) -> np.ndarray:
        knots = start + np.concatenate([[0.0], np.cumsum(widths)])
        return np.interp(places, knots, 0.5 * np.arange(4))

    def slope(change: Callable[[float], np.ndarray]) -> float:
        return float(np.sum((change(1e-4) - change(-1e-4)) / 2e-4 * np.sin(x)))

    first = np.array([1.0, 0.5, 2.0])
    assert np.isclose(start, slope(lambda d: line(x, -0.25 + d, first)), rtol=0.02)
    for k in range(3):
        assert np.isclose(widths[k], slope(lambda d, k=k: line(x, -0.25, first + d * np.eye(3)[k])), rtol=0.02)  # type: ignore[misc]
    apart = np.abs(x[:, None] - np.array([-0.25, 0.75, 1.25, 3.25])).min(1) > 0.01
    wide = x.astype(np.float64)
    slopes = (line(wide + 1e-4, -0.25, first) - line(wide - 1e-4, -0.25, first)) / 2e-4 * np.sin(x)
    assert np.allclose(inner.numpy()[apart], slopes[apart], atol=1e-4)


def test_trained_ternary_has_the_gradients_of_the_paper() -> None:
    w = tf.constant(weights())
    quantizer = built(TrainedTernary(), weights())
    pull = weights(3)
    with tf.GradientTape() as tape:
        tape.watch(w)
        total = tf.reduce_sum(quantizer(w) * pull)
    latent, plus, minus = tape.gradient(total, [w, quantizer.positive.value, quantizer.negative.value])
    least = 0.05 * np.abs(w).max()
    above, below = w.numpy() > least, w.numpy() < -least
    assert np.isclose(plus, pull[above].sum(), rtol=1e-4)
    assert np.isclose(minus, -pull[below].sum(), rtol=1e-4)
    factor = np.where(above, quantizer.positive.numpy(), np.where(below, quantizer.negative.numpy(), 1))
    assert np.allclose(latent, pull * factor, rtol=1e-5)


def test_searched_levels_sharpen() -> None:
    quantizer = built(SearchedLevels(2), weights())
    hard = quantizer(weights()).numpy()
    gaps = []
    for temperature in (1.0, 0.1, 0.01):
        quantizer.temperature.assign(temperature)
        gaps.append(float(np.abs(quantizer(weights(), training=True).numpy() - hard).mean()))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.02 * np.abs(hard).max()
