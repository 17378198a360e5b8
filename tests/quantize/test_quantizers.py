"""Our quantizers: on their grid, the nearest level, straight-through, and the same after saving and loading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from qkeras import QActivation, QDense

import fpgaq
from fpgaq.errors import ConfigError
from fpgaq.frontend.load import load_model
from fpgaq.quantize.formats import WeightFormat, from_json
from fpgaq.quantize.quantizers import (
    AdditivePowerOfTwo,
    Codebook,
    FormatQuantizer,
    MultiBinary,
    PiecewiseLinear,
    PowerOfTwo,
    Tapered,
    TernaryWeights,
    ThresholdLevels,
    TwoScaleTernary,
)

MAKERS: dict[str, Callable[[], FormatQuantizer]] = {
    **{f"pot{b}": lambda b=b: PowerOfTwo(b) for b in range(2, 6)},
    **{f"apot{b}": lambda b=b: AdditivePowerOfTwo(b) for b in range(3, 8)},
    **{f"tapered{b}": lambda b=b: Tapered(b) for b in range(3, 8)},
    **{f"pwlq{b}": lambda b=b: PiecewiseLinear(b, shift=b - 1) for b in range(2, 5)},
    "pwlq with breakpoint": lambda: PiecewiseLinear(3, breakpoint=6),
    "twn": TernaryWeights,
    "ttq": TwoScaleTernary,
    **{f"multi_binary{p}": lambda p=p: MultiBinary(p) for p in range(1, 5)},
    "codebook": lambda: Codebook((0, 3, -5, 12), 2.0**-4, 2),
}


def weights(seed: int = 0, shape: tuple[int, ...] = (24, 10), spread: float = 0.3) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, shape).astype(np.float32)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), exponent=st.integers(-6, 4))
def test_values_are_integers_of_the_format_times_a_power_of_two(name: str, seed: int, exponent: int) -> None:
    quantizer = MAKERS[name]()
    w = weights(seed, spread=2.0**exponent)
    integers, unit, form = quantizer.stored(w)
    assert np.frexp(unit)[0] == 0.5
    assert np.array_equal(form.decode(form.encode(integers)), integers)
    assert form.bits == quantizer.bits
    assert from_json(form.to_json()) == form
    assert np.array_equal(ops.convert_to_numpy(quantizer(w)), integers * unit)


def test_training_sees_the_values_themselves() -> None:
    # In float32 w + (q - w) is not q for some of these.
    for seed in range(40):
        w = weights(seed, spread=2.0**-7) * np.random.default_rng(seed).choice([1e-3, 1, 30], (24, 10)).astype(
            "float32"
        )
        integers, unit, _ = MultiBinary(3).stored(w)
        assert np.array_equal(ops.convert_to_numpy(MultiBinary(3)(w)), integers * unit)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("w", [np.zeros((3, 2)), np.full((3, 2), 0.7), np.full((3, 2), -0.7)], ids=["0", "+", "-"])
def test_constant_weights(name: str, w: np.ndarray) -> None:
    integers, unit, form = MAKERS[name]().stored(w.astype(np.float32))
    assert len(np.unique(integers)) == 1
    assert np.array_equal(form.decode(form.encode(integers)), integers)
    assert np.abs(integers * unit - w).max() <= 0.7


@pytest.mark.parametrize("name", [n for n in MAKERS if not n.startswith(("twn", "ttq", "multi"))])
def test_every_weight_goes_to_the_nearest_level_and_ties_to_the_larger_magnitude(name: str) -> None:
    quantizer = MAKERS[name]()
    _, unit, form = quantizer.stored(weights())
    levels = form.levels
    ties = ((levels[1:] + levels[:-1]) / 2 * unit).astype(np.float32)
    for w in (weights().reshape(-1), ties):
        got = np.rint(ops.convert_to_numpy(_at(quantizer, w, unit)) / unit).astype(int)
        distance = np.abs(w[:, None].astype(float) / unit - levels)
        nearest = [max(levels[d == d.min()], key=abs) for d in distance]
        assert got.tolist() == nearest


def _at(quantizer: FormatQuantizer, w: np.ndarray, unit: float) -> np.ndarray:
    """Project with the unit of another tensor."""
    from fpgaq.quantize.quantizers.base import nearest

    return unit * nearest(w / unit, quantizer.format.levels)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", MAKERS)
def test_gradients_pass_straight_through(name: str) -> None:
    import tensorflow as tf

    quantizer, w = MAKERS[name](), tf.Variable(weights())
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(quantizer(w) * weights(1))
    assert np.allclose(tape.gradient(loss, w), weights(1))


@pytest.mark.parametrize("name", MAKERS)
def test_saved_and_loaded(name: str, tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((12,)),
            QDense(7, kernel_quantizer=MAKERS[name](), bias_quantizer=PowerOfTwo(4)),
            QActivation(ThresholdLevels([-0.5, 0.25, 1], [-1, 0, 1, 2])),
        ]
    )
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    x = weights(2, (50, 12))
    assert np.array_equal(model(x), again(x))
    assert again.layers[0].kernel_quantizer_internal.get_config() == model.layers[0].kernel_quantizer.get_config()


def test_named_by_strings() -> None:
    layer = QDense(3, kernel_quantizer="PowerOfTwo(3)")
    assert isinstance(layer.kernel_quantizer_internal, PowerOfTwo)


@pytest.mark.parametrize("name", MAKERS)
def test_every_gate_front_end_to_integers(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((9,)), QDense(6, kernel_quantizer=MAKERS[name](), name="fc")])
    design = fpgaq.convert(model, input_precision="fixed<5,1>", output=tmp_path / "build")
    x = np.random.default_rng(0).integers(-16, 16, (300, 9))
    assert design.keras_gate(x).passed
    form = design.graph.nodes["fc"].format  # type: ignore[attr-defined]
    assert isinstance(form, WeightFormat)
    assert form.bits == MAKERS[name]().bits


def test_codebook_from_weights() -> None:
    w = weights(shape=(64, 32))
    quantizer = Codebook.from_weights(w, 3)
    integers, unit, form = quantizer.stored(w)
    assert form.to_json()["entries"][0] == 0
    assert len(form.levels) == 8
    uniform = 2.0**-2 * np.rint(w / 2.0**-2)
    assert np.mean((integers * unit - w) ** 2) < np.mean((uniform - w) ** 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PowerOfTwo(6), "2 to 5 bits, not 6"),
        (lambda: TernaryWeights(-1), "threshold -1 is negative"),
        (lambda: TwoScaleTernary(1.5), r"threshold 1.5 must lie in \[0, 1\)"),
        (lambda: TwoScaleTernary(magnitude_bits=20), "magnitude_bits 20"),
        (lambda: MultiBinary(5), "planes 5 must lie in 1..4"),
        (lambda: Codebook((0, 1), 0.3, 1), "unit 0.3 is not a power of two"),
        (lambda: Codebook((0, 1, 2), 0.5, 1), "3 entries is larger than its index of 1 bits"),
        (
            lambda: Codebook.from_weights(np.array([0.0, 1.0, 2.0]), 2),
            "4 entries for 3 distinct weights.*at most 1 bits",
        ),
        (lambda: Codebook.from_weights(np.array([0.0, np.nan]), 1), "NaN or infinity"),
        (lambda: ThresholdLevels([0.5, 0.5], [0, 1, 2]), r"thresholds \[0.5, 0.5\] are not ascending"),
        (lambda: ThresholdLevels([0.5], [0, 1, 2]), "1 thresholds need 2 ascending levels"),
        (lambda: ThresholdLevels([0.5], [1, 0]), "ascending levels, not"),
    ],
)
def test_bad_arguments_are_refused_with_their_value(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
