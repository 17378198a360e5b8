"""Gated convolutions: what they compute, saving, what is refused, and all executions of them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import bits, lowered, sequential, stimuli
from qkeras import QActivation, QConv2D

import fpgaq
from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.load import load_model
from fpgaq.ir import activity, golden
from fpgaq.ir.ops import GatedMatMul
from fpgaq.quantize.layers import GatedConv1D, GatedConv2D
from fpgaq.rtl.gated_engine import GatedEngine

UNSIGNED = "ufixed<4,1>"
IMAGE, SERIES = (5, 6, 2), (9, 3)


def gated(
    *before: Any, inputs: tuple[int, ...] = IMAGE, kernel: Any = (3, 2), after: tuple[Any, ...] = (), **options: Any
) -> Any:
    """Return a model with a gated convolution of random parameters, thresholds of both signs included."""
    make = GatedConv2D if len(inputs) == 3 else GatedConv1D
    layer = make(4, kernel, **{"weight_bits": 4, **options}, name="g")
    model = sequential(*before, layer, *after, inputs=inputs, seed=1)
    layer.alpha.assign(1.5)
    return model


def by_hand(layer: Any, x: np.ndarray) -> np.ndarray:
    """Compute an image's convolution position by position, from the trained variables."""
    step, kernel = float(layer.activation_step()), np.asarray(layer.quantized_weights(), float)
    codes = np.clip(np.rint(x / step), 0, 2**layer.activation_bits - 1)
    ranges = []
    for axis, (size, stride, dilation) in enumerate(
        zip(kernel.shape[:2], layer.strides, layer.dilation_rate, strict=True)
    ):
        length, reach, before = x.shape[axis + 1], (size - 1) * dilation + 1, 0
        count = (length - reach) // stride + 1
        if layer.padding == "same":
            count = -(-length // stride)
            margin = max((count - 1) * stride + reach - length, 0)
            before = margin // 2
            codes = np.pad(codes, [(before, margin - before) if k == axis + 1 else (0, 0) for k in range(4)])
        ranges.append((count, size, stride, dilation))
    counts = [count for count, *_ in ranges]
    high, low = np.zeros((2, len(x), *counts, kernel.shape[-1]))
    for place in itertools.product(*map(range, counts)):
        for tap in itertools.product(*map(range, kernel.shape[:2])):
            row, column = (p * s + t * d for p, t, (_, _, s, d) in zip(place, tap, ranges, strict=True))
            top, rest = np.divmod(codes[:, row, column], 2**layer.low_bits)
            high[(slice(None), *place)] += top @ kernel[tap] * step * 2**layer.low_bits
            low[(slice(None), *place)] += rest @ kernel[tap] * step
    return np.asarray(high + np.where(high > layer.threshold.numpy(), low, 0))


GEOMETRIES = [
    {},
    {"padding": "same"},
    {"padding": "same", "strides": 2},
    {"strides": (1, 3)},
    {"dilation_rate": (1, 2), "padding": "same"},
    {"kernel": 1, "strides": 2},
]


@pytest.mark.parametrize("options", GEOMETRIES)
def test_it_computes_the_definition(options: dict[str, Any]) -> None:
    model = gated(**options)
    x = np.random.default_rng(1).uniform(-0.5, 2.0, (20, *IMAGE)).astype(np.float32)
    wanted = by_hand(model.layers[-1], x)
    assert np.array_equal(model(x).numpy(), wanted)
    is_open = model.layers[-1].gate_activity(x)
    assert is_open.shape == wanted.shape
    assert 0 < is_open.mean() < 1


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("inputs", [IMAGE, SERIES])
def test_models_with_it_save_and_load(suffix: str, inputs: tuple[int, ...], tmp_path: Path) -> None:
    kernel = 3 if inputs is SERIES else (3, 2)
    model = gated(inputs=inputs, kernel=kernel, activation_bits=5, high_bits=3, target=2.0, penalty=0.1, strides=2)
    path = tmp_path / f"m{suffix}"
    model.save(path)
    again = load_model(path)
    x = np.random.default_rng(0).uniform(0, 3, (20, *inputs)).astype(np.float32)
    assert np.array_equal(again(x), model(x))
    assert again.layers[-1].get_config() == model.layers[-1].get_config()
    assert str(lowered(again, input_precision=UNSIGNED).graph) == str(lowered(model, input_precision=UNSIGNED).graph)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GatedConv2D(0, 3, name="g"), "layer 'g': filters=0 must be at least 1"),
        (lambda: GatedConv2D(2.0, 3, name="g"), r"layer 'g': filters=2\.0 must be an integer"),
        (lambda: GatedConv2D(4, (3,), name="g"), r"layer 'g': kernel_size=\(3,\) must be 1 or 2 numbers"),
        (lambda: GatedConv1D(4, 0, name="g"), r"layer 'g': kernel_size=0 must be 1 or 1 numbers of at least 1"),
        (lambda: GatedConv2D(4, 3, strides=(0, 1), name="g"), r"layer 'g': strides=\(0, 1\) must be"),
        (lambda: GatedConv1D(4, 3, padding="causal", name="g"), "layer 'g': padding='causal' is unknown; use 'valid'"),
        (lambda: GatedConv1D(4, 3, strides=2, dilation_rate=2, name="g"), "layer 'g': strides and dilation_rate"),
        (lambda: GatedConv1D(4, 3, high_bits=4, name="g"), r"layer 'g': high_bits=4 must lie in 1\.\.3"),
    ],
)
def test_wrong_parameters_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ModelError, match=r"layer 'g': its input reaches -1; .*put a ReLU"):
        lowered(gated(), input_precision="fixed<4,1>")
    with pytest.raises(ConfigError, match=r"layer 'g': reuse factor 7 does not divide its gated 12x4 matrix"):
        lowered(gated(), input_precision=UNSIGNED, layers={"g": {"reuse_factor": 7, "strategy": "folded"}})
    with pytest.raises(ConfigError, match=r"layer 'g': its matrix is applied at 30 positions of a frame"):
        lowered(gated(padding="same"), input_precision=UNSIGNED, target_ii=20)


@pytest.mark.parametrize("options", [*GEOMETRIES, {"activation_bits": 7, "high_bits": 2, "weight_bits": 8}])
def test_golden_is_what_keras_computes(options: dict[str, Any]) -> None:
    design = lowered(gated(**options), input_precision=UNSIGNED)
    x = stimuli(design, 100)
    design.keras_gate(x).require()
    mask = activity.open_gates(design.graph, [x])["g"]
    assert 0.02 < mask.mean() < 0.98
    (found,) = activity.activities(design.graph, golden.trace(design.graph, [x]))
    assert found.outputs == mask[0].size
    assert found.updates.tolist() == mask.reshape(len(x), -1).sum(1).tolist()


def test_the_schedule_is_chosen_for_all_positions() -> None:
    model = gated(padding="same")
    for target, strategy, reuse in ((3000, "folded", 48), (600, "folded", 4), (50, "auto", 1)):
        design = lowered(model, input_precision=UNSIGNED, target_ii=target, strategy=strategy)
        node = design.graph.nodes["g"]
        assert isinstance(node, GatedMatMul)
        assert node.reuse == reuse
        assert design.hardware.ii <= target


def network(inputs: tuple[int, ...]) -> Any:
    """A gated convolution between others, and alone on a series."""
    if inputs is SERIES:
        return gated(inputs=SERIES, kernel=3, padding="same", after=(keras.layers.ReLU(name="r"),))
    first = QConv2D(3, 2, kernel_quantizer=bits(4), bias_quantizer=bits(4), name="c")
    after = (keras.layers.BatchNormalization(name="n"), QActivation("quantized_relu(4,1)", name="a"))
    return gated(first, QActivation("quantized_relu(5,1)", name="r"), after=after, padding="same", strides=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        (IMAGE, {"layers": {"g": {"reuse_factor": 12, "strategy": "folded"}}}),
        (SERIES, {"io_type": "io_stream"}),
        pytest.param(IMAGE, {}, marks=pytest.mark.extended),
        pytest.param(IMAGE, {"io_type": "io_stream"}, marks=pytest.mark.extended),
        pytest.param(
            SERIES, {"layers": {"g": {"reuse_factor": 12, "strategy": "folded"}}}, marks=pytest.mark.extended
        ),
    ],
)  # fmt: skip
def test_every_execution_is_equal(inputs: tuple[int, ...], options: dict[str, Any], tmp_path: Path) -> None:
    """And every result leaves in the cycle that the gates of its pixels say."""
    design = fpgaq.convert(network(inputs), output=tmp_path / "net", input_precision=UNSIGNED, **options)
    x = stimuli(design, 60)
    gates = design.check(x, raw=True)
    assert [gate.mismatches for gate in gates] == [0, 0, 0], [str(gate.first_mismatch) for gate in gates]
    assert gates[-1].timetable is not None
    if "layers" in options:
        assert len(set(gates[-1].timetable.gaps(0))) > 3
        assert max(gates[-1].timetable.gaps(0)) <= design.hardware.ii


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ("row - WINDOW_T::pad_top", "row"),
        pytest.param("value = 0;", "value = 1;", marks=pytest.mark.extended),
    ],
)
def test_planted_faults_of_the_cpp_are_found(pattern: str, replacement: str, tmp_path: Path) -> None:
    design = fpgaq.convert(gated(padding="same"), output=tmp_path / "net", input_precision=UNSIGNED)
    header = tmp_path / "net" / "hls" / "firmware" / "nnet_utils" / "nnet_gated_convolution.h"
    text = header.read_text()
    assert text.count(pattern) == 1
    header.write_text(text.replace(pattern, replacement))
    design.csim_library.build()
    assert not design.csim_gate(stimuli(design, 50)).passed


@pytest.mark.slow
@pytest.mark.extended
def test_one_wrong_cycle_of_one_pixel_fails_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"layers": {"g": {"reuse_factor": 12, "strategy": "folded"}}}
    design = fpgaq.convert(gated(), output=tmp_path / "net", input_precision=UNSIGNED, **options)
    true = GatedEngine.cycles

    def wrong(self: GatedEngine, gates: np.ndarray) -> Any:
        found = true(self, gates).copy()
        found[40:41] += 1
        return found

    monkeypatch.setattr(GatedEngine, "cycles", wrong)
    assert not design.rtl_gate(stimuli(design, 10))[0].passed
