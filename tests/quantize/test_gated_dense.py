"""The gated dense layer: what it computes and how it trains, saving, what is refused, and all executions of it."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import bits, dense, lowered, sequential, stimuli
from qkeras import QActivation

import fpgaq
from fpgaq.build import quality
from fpgaq.errors import ConfigError, FpgaqError, ModelError
from fpgaq.frontend.load import load_model
from fpgaq.ir import FixedType, activity, golden
from fpgaq.ir.ops import GatedMatMul
from fpgaq.quantize.layers import GatedDense
from fpgaq.report.content import layers

UNSIGNED = "ufixed<6,2>"


def gated(*before: Any, inputs: tuple[int, ...] = (6,), seed: int = 0, alpha: float = 3.0, **options: Any) -> Any:
    """Return a model that ends in a gated layer with random parameters, thresholds of both signs included."""
    layer = GatedDense(5, name="g", **options)
    model = sequential(*before, layer, inputs=inputs, seed=seed)
    layer.alpha.assign(alpha)
    return model


def by_hand(layer: GatedDense, x: np.ndarray) -> tuple[list[list[Fraction]], list[list[bool]]]:
    """Compute the layer in exact fractions from its trained variables."""
    levels = 2**layer.activation_bits - 1
    step = Fraction(2) ** round(math.log2(float(layer.alpha) / levels))
    most = 2 ** (layer.weight_bits - 1) - 1
    kernel = layer.kernel.numpy().astype(float)
    exponent = round(math.log2(np.abs(kernel).max() / most))
    exponent += most * 2.0**exponent < np.abs(kernel).max()
    weights = np.rint(kernel / 2.0**exponent).astype(int)
    assert np.abs(weights).max() <= most
    results, masks = [], []
    for row in x:
        codes = [min(max(round(Fraction(float(v)) / step), 0), levels) for v in row]
        split = [divmod(q, 2**layer.low_bits) for q in codes]
        unit = step * Fraction(2) ** exponent
        high = [
            sum(h * 2**layer.low_bits * int(w) for (h, _), w in zip(split, c, strict=True)) * unit for c in weights.T
        ]
        low = [sum(r * int(w) for (_, r), w in zip(split, c, strict=True)) * unit for c in weights.T]
        mask = [h > Fraction(float(t)) for h, t in zip(high, layer.threshold.numpy(), strict=True)]
        masks.append(mask)
        results.append([h + (r if m else 0) for h, r, m in zip(high, low, mask, strict=True)])
    return results, masks


@pytest.mark.parametrize(("activation_bits", "high_bits", "weight_bits"), [(4, 2, 8), (3, 2, 8), (2, 1, 2), (8, 3, 4)])
@pytest.mark.parametrize("alpha", [0.3, 3.0, 6.0])
def test_it_computes_the_definition(activation_bits: int, high_bits: int, weight_bits: int, alpha: float) -> None:
    options = {"activation_bits": activation_bits, "high_bits": high_bits, "weight_bits": weight_bits}
    model = gated(seed=activation_bits, alpha=alpha, **options)
    layer = model.layers[-1]
    x = np.random.default_rng(1).uniform(-0.5, 1.3 * alpha, (50, 6)).astype(np.float32)
    results, masks = by_hand(layer, x)
    assert np.array_equal(model(x).numpy(), np.array(results, float))
    assert np.array_equal(layer.gate_activity(x), masks)
    assert 0 < np.mean(masks) < 1


def gradients(layer: GatedDense, x: np.ndarray) -> dict[str, np.ndarray]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        source = tf.constant(x)
        tape.watch(source)
        total = tf.reduce_sum(layer(source))
    variables = {
        "kernel": layer.kernel.value,
        "threshold": layer.threshold.value,
        "alpha": layer.alpha.value,
        "x": source,
    }
    found = tape.gradient(total, list(variables.values()))
    return {name: np.asarray(g) for name, g in zip(variables, found, strict=True)}


def test_gradients_are_those_of_the_method() -> None:
    """PACT for input and clip; sigmoid slope 5 for thresholds, and only where the gate is open."""
    layer = gated(penalty=0.0).layers[-1]
    x = np.random.default_rng(3).uniform(0, 5, (1, 6)).astype(np.float32)
    x[0, 0] = 20.0
    weights = np.asarray(layer.quantized_weights())
    step, coarse = float(layer.activation_step()), float(layer.activation_step()) * 2**layer.low_bits
    codes = np.clip(np.round(x / step), 0, 15) * step
    high = np.floor(codes / coarse) * coarse @ weights
    low = (codes - np.floor(codes / coarse) * coarse) @ weights
    layer.threshold.assign(high[0] + [-0.3, 0.05, -0.1, 0.3, 0.0])
    mask = np.array([True, False, True, False, False])
    assert layer.gate_activity(x).tolist() == [mask.tolist()]
    found = gradients(layer, x)
    sigmoid = 1 / (1 + np.exp(-5 * (high - layer.threshold.numpy())))
    slope = 5 * sigmoid * (1 - sigmoid) * mask
    assert np.allclose(found["threshold"], -(slope * low)[0], rtol=1e-4, atol=1e-5)
    assert np.all(found["threshold"][~mask] == 0)
    to_codes = ((1 + slope * low) @ weights.T)[0]
    clipped = x[0] > step * 15
    assert clipped.any()
    assert not clipped.all()
    assert np.allclose(found["x"][0], np.where(clipped, 0, to_codes), rtol=1e-4, atol=1e-5)
    assert np.allclose(found["alpha"], to_codes[clipped].sum(), rtol=1e-4)


def test_the_penalty_draws_thresholds_to_their_target() -> None:
    model = gated(target=2.0, penalty=0.5)
    x = np.ones((1, 6), np.float32)
    model(x)
    assert float(model.losses[0]) == pytest.approx(0.5 * np.linalg.norm(model.layers[-1].threshold.numpy() - 2.0))
    assert gated(penalty=0.0).losses == []
    at_target = gated(target=1.0, penalty=0.5)
    at_target.layers[-1].threshold.assign(np.ones(5))
    assert np.isfinite(gradients(at_target.layers[-1], x)["threshold"]).all()


def test_larger_targets_close_more_gates() -> None:
    x = np.random.default_rng(0).uniform(0, 3, (200, 6)).astype(np.float32)
    shares = []
    for target in (-1.0, 0.5, 2.0):
        model = gated(target=target, penalty=0.5)
        model.compile(keras.optimizers.Adam(0.05), "mse")
        model.fit(x, model(x).numpy(), epochs=10, verbose=0)
        shares.append(1 - model.layers[-1].gate_activity(x).mean())
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_models_with_it_save_and_load(suffix: str, tmp_path: Path) -> None:
    model = gated(activation_bits=5, high_bits=3, weight_bits=6, target=2.0, penalty=0.1, clip=2.0)
    path = tmp_path / f"m{suffix}"
    model.save(path)
    again = load_model(path)
    x = np.random.default_rng(0).uniform(0, 3, (20, 6)).astype(np.float32)
    assert np.array_equal(again(x), model(x))
    assert again.layers[-1].get_config() == model.layers[-1].get_config()
    assert str(lowered(again, input_precision=UNSIGNED).graph) == str(lowered(model, input_precision=UNSIGNED).graph)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"high_bits": 4}, r"layer 'g': high_bits=4 must lie in 1\.\.3"),
        ({"high_bits": 7}, r"layer 'g': high_bits=7 must lie in 1\.\.3"),
        ({"high_bits": 0}, r"layer 'g': high_bits=0 must lie in 1\.\.3"),
        ({"activation_bits": 1}, r"layer 'g': activation_bits=1 must lie in 2\.\.16"),
        ({"activation_bits": 17}, r"layer 'g': activation_bits=17 must lie in 2\.\.16"),
        ({"activation_bits": 4.0}, r"layer 'g': activation_bits=4\.0 must be an integer"),
        ({"weight_bits": 1}, r"layer 'g': weight_bits=1 must lie in 2\.\.16"),
        ({"weight_bits": 40}, r"layer 'g': weight_bits=40 must lie in 2\.\.16"),
        ({"clip": 0.0}, r"layer 'g': clip=0\.0 must be positive"),
        ({"clip": float("nan")}, r"layer 'g': clip=nan must be positive"),
        ({"penalty": -1.0}, r"layer 'g': penalty=-1\.0 must not be negative"),
        ({"target": float("inf")}, r"layer 'g': target=inf must be finite"),
        ({"dtype": "mixed_bfloat16"}, r"layer 'g': dtype='mixed_bfloat16' is not exact"),
    ],
)
def test_wrong_parameters_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GatedDense(5, name="g", **options)


def test_no_units_are_refused() -> None:
    with pytest.raises(ConfigError, match="layer 'g': units=0 must be at least 1"):
        GatedDense(0, name="g")


# --- conversion -------------------------------------------------------------------------------------------------------


def test_a_signed_input_is_refused_by_name_and_value() -> None:
    with pytest.raises(ModelError, match=r"layer 'g': its input reaches -4; .*put a ReLU or quantized_relu in front"):
        lowered(gated(), input_precision="fixed<7,3>")
    with pytest.raises(ModelError, match=r"layer 'g': its input reaches -"):
        lowered(gated(dense(4, name="fc"), inputs=(3,)))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("threshold", math.nan, "layer 'g': threshold contains NaN or infinity"),
        ("kernel", math.inf, "layer 'g': kernel contains NaN or infinity"),
        ("alpha", math.nan, "layer 'g': alpha contains NaN or infinity"),
        ("alpha", -1.0, "layer 'g': its clip alpha=-1 has collapsed"),
    ],
)
def test_broken_variables_are_refused(variable: str, value: float, message: str) -> None:
    model = gated()
    broken = getattr(model.layers[-1], variable)
    broken.assign(np.full(broken.shape, value))
    with pytest.raises(ModelError, match=message):
        lowered(model, input_precision=UNSIGNED)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reuse_factor": 7}, r"layer 'g': reuse factor 7 does not divide .*legal neighbours are 1, 5, 10, 15"),
        ({"strategy": "folded"}, "layer 'g': strategy folded with reuse factor 1 is not available"),
        ({"strategy": "unrolled", "reuse_factor": 5}, "layer 'g': strategy unrolled with reuse factor 5"),
    ],
)
def test_schedules_that_do_not_exist_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FpgaqError, match=message):
        lowered(gated(), input_precision=UNSIGNED, **options)


@pytest.mark.parametrize(
    ("options", "reuse"),
    [
        ({"strategy": "auto"}, 1),
        ({"strategy": "auto", "reuse_factor": 7}, 1),  # engines of many multipliers are larger
        ({"strategy": "auto", "reuse_factor": 199}, 120),
        ({"target_ii": 20}, 1),
        ({"target_ii": 300}, 120),
        ({"target_ii": 243}, 60),  # 120 takes 2 * 120 + 4 cycles when all gates are open
        ({"target_ii": 300, "strategy": "unrolled"}, 1),
        ({"target_ii": 20, "strategy": "folded"}, 6),
        ({"target_ii": 300, "layers": {"g": {"reuse_factor": 24}}}, 24),
    ],
)
def test_the_schedule_is_chosen(options: dict[str, Any], reuse: int) -> None:
    model = sequential(GatedDense(12, name="g"), inputs=(10,), seed=1)
    model.layers[-1].alpha.assign(3.0)
    design = lowered(model, input_precision=UNSIGNED, **options)
    node = design.graph.nodes["g"]
    assert isinstance(node, GatedMatMul)
    assert node.reuse == reuse
    assert design.hardware.ii <= options.get("target_ii", design.hardware.ii)
    (row,) = (row for row in layers(design, []) if row["module"].endswith("_g"))
    assert (row["reuse"], "gated: reuse factor" in row["schedule"]) == (reuse, reuse > 1)


def test_thresholds_are_floored_and_kept_in_reach() -> None:
    model = gated()
    layer = model.layers[-1]
    unit = float(layer.activation_step() * layer.weight_step()) * 2**layer.low_bits
    layer.threshold.assign(np.array([-0.5, -1.0, 0.5, 1e30, -1e30]) * [unit, unit, unit, 1, 1])
    design = lowered(model, input_precision=UNSIGNED)
    node = design.graph.nodes["g"]
    assert isinstance(node, GatedMatMul)
    assert node.thresholds[:3].tolist() == [-1, -1, 0]
    mask = activity.open_gates(design.graph, [stimuli(design)])["g"]
    assert mask.mean(axis=0)[3:].tolist() == [0, 1]
    design.keras_gate(stimuli(design)).require()


MODELS = {
    "on the inputs": (lambda: gated(), UNSIGNED),
    "fine inputs": (lambda: gated(), "ufixed<12,3>"),
    "coarse inputs": (lambda: gated(alpha=0.2), "ufixed<3,4>"),
    "behind a rectifier": (lambda: gated(dense(7, name="fc"), keras.layers.ReLU()), "fixed<7,3>"),
    "behind a quantizer": (
        lambda: gated(dense(7, name="fc"), QActivation("quantized_relu(6,2)"), activation_bits=3, high_bits=1),
        "fixed<7,3>",
    ),
    "many low bits": (lambda: gated(activation_bits=9, high_bits=1, weight_bits=3), UNSIGNED),
}


@pytest.mark.parametrize("name", MODELS)
def test_golden_is_what_keras_computes(name: str) -> None:
    make, precision = MODELS[name]
    design = lowered(make(), input_precision=precision)
    x = stimuli(design, 500)
    design.keras_gate(x).require()
    mask = activity.open_gates(design.graph, [x])["g"]
    assert 0.02 < mask.mean() < 0.98
    distance = quality(design, x, None)[1]
    assert distance is not None
    assert distance["max_abs"] < 1e-5  # nothing is rounded; a float rectifier in front may be off in float32


def test_inputs_above_the_clip_saturate() -> None:
    design = lowered(gated(alpha=0.5), input_precision=UNSIGNED)
    x = np.full((1, 6), FixedType.parse(UNSIGNED)[0].max)
    codes = golden.trace(design.graph, [x])["g_codes"]
    assert codes.tolist() == [[15] * 6]


@pytest.mark.slow
def test_every_execution_is_equal(tmp_path: Path) -> None:
    """With a batch normalization and a second gated layer behind it; the C++ in every layer."""
    model = sequential(
        dense(7, name="fc"),
        QActivation("quantized_relu(6,2)", name="r"),
        GatedDense(6, name="g1"),
        keras.layers.BatchNormalization(name="bn"),
        QActivation("quantized_relu(4,1)", name="a"),
        GatedDense(5, 3, 1, 4, name="g2"),
        QActivation(bits(6, 2), name="last"),
    )
    for name in ("g1", "g2"):
        model.get_layer(name).alpha.assign(2.0)
    design = fpgaq.convert(model, output=tmp_path / "net", input_precision="fixed<7,3>")
    design.csim_library.build()
    x = stimuli(design)
    assert [gate.mismatches for gate in design.check(x, raw=True)] == [0, 0, 0]
    want = golden.trace(design.graph, [x])
    traced = design.csim_library.run(x, trace=True)
    assert {"g1_codes", "g1", "g2_codes", "g2"} <= set(traced)
    for layer, values in traced.items():
        assert np.array_equal(values, want[layer])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [("high > thresholds", "high >= thresholds"), ("= data[i] - high_bits[i]", "= data[i]")],
)
def test_planted_faults_of_the_cpp_are_found(pattern: str, replacement: str, tmp_path: Path) -> None:
    model = gated(weight_bits=3)
    model.layers[-1].threshold.assign(np.zeros(5))
    design = fpgaq.convert(model, output=tmp_path / "net", input_precision=UNSIGNED)
    header = tmp_path / "net" / "hls" / "firmware" / "nnet_utils" / "nnet_gated_dense.h"
    assert pattern in header.read_text()
    header.write_text(header.read_text().replace(pattern, replacement))
    design.csim_library.build()
    gate = design.csim_gate(stimuli(design))
    assert gate.first_mismatch is not None
    assert gate.first_mismatch.layer == "g"
