"""Activations in C++ and hardware: staircases of every kind, and clipping, each a parallel layer of one model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import bits, dense, lowered, sequential, stimuli
from qkeras import QActivation, quantized_bits, quantized_linear, quantized_relu
from written_designs import compiled, passed

from fpgaq.design import Design
from fpgaq.errors import ModelError
from fpgaq.frontend.staircase import Threshold
from fpgaq.frontend.supported import CURVES
from fpgaq.hls.derive_activations import _first_code
from fpgaq.ir import FixedType, Graph
from fpgaq.quantize.quantizers import ThresholdLevels

L = keras.layers

STAIRCASES = (
    "quantized_sigmoid(4)",
    "quantized_sigmoid(6,0,1)",
    "quantized_tanh(6,0,0,1)",
    "quantized_ulaw(2)",
    "quantized_po2(5)",
    "quantized_relu_po2(3,negative_slope=0.25)",
    "quantized_relu(5,1,use_sigmoid=1)",
    "stochastic_binary(alpha=0.5)",
    "stochastic_ternary(alpha=0.75)",
    "binary_tanh",
    "quantized_linear(1)",
    quantized_relu(6, 1, negative_slope=0.25),
    quantized_relu(4, 2, relu_upper_bound=1.5, is_quantized_clip=False),
    quantized_bits(5, 1, alpha=0.75),
    quantized_linear(5, 1, alpha=0.75),
    ThresholdLevels([-0.3, 0.1, 0.7], [-1.0, 0.0, 0.25, 2.0]),
)


def every_code(design: Design) -> np.ndarray:
    type_ = design.graph.inputs[0].type
    return np.arange(type_.min, type_.max + 1)[:, None]


def parallel(*layers: Any) -> Any:
    """Return a model in which every layer is an output of its own."""
    x = keras.Input((1,), name="features")
    return keras.Model(x, [layer(x) for layer in layers])


@pytest.mark.parametrize("kind", [pytest.param("staircases", marks=pytest.mark.extended), "functions"])
def test_all_inputs_in_keras_cpp_and_hardware(kind: str, tmp_path: Path) -> None:
    if kind == "staircases":
        layers = [QActivation(q, name=f"q{k}") for k, q in enumerate(STAIRCASES)]
    else:
        layers = [
            L.ReLU(6.0, name="six"),
            L.ReLU(0.40625, name="finer_than_the_input"),
            L.ReLU(100.0, name="never_reached"),
            L.Activation("relu6", name="relu6"),
            L.Activation("hard_tanh", name="hard_tanh"),
            L.Activation("leaky_relu", name="leaky_relu"),
            L.LeakyReLU(0.25, name="quarter"),
            L.LeakyReLU(0.0, name="flat"),
            L.LeakyReLU(1.0, name="straight"),
            L.ReLU(negative_slope=4.75, name="steep"),
            L.ReLU(2.5, negative_slope=0.1, name="limited"),
            *(L.Activation(name, name=name) for name in CURVES),
            *(
                L.PReLU(alpha_initializer=keras.initializers.Constant(a), name=f"own{k}")
                for k, a in enumerate((0.7, -0.5))
            ),
        ]
    design = compiled(parallel(*layers), tmp_path / "net", input_precision="fixed<9,5>")
    x = every_code(design)
    passed(design.keras_gate(x))
    passed(design.csim_gate(x))
    passed(design.rtl_gate(x)[0])


def test_clipping_is_what_keras_computes() -> None:
    design = lowered(parallel(L.ReLU(2.5, name="r"), L.Activation("hard_tanh", name="h")), input_precision="fixed<6,4>")
    x = every_code(design)
    relu, tanh = design.golden(x, raw=True)
    values = x / 4
    frac = [design.graph.nodes[name].type.frac for name in design.graph.outputs]
    assert np.array_equal(relu / 2 ** frac[0], np.clip(values, 0, 2.5))
    assert np.array_equal(tanh / 2 ** frac[1], np.clip(values, -1, 1))


def test_slopes_are_exact_where_they_are_short_and_stated_where_they_are_not() -> None:
    layers = [L.LeakyReLU(0.25, name="short"), L.LeakyReLU(0.3, name="long")]
    design = lowered(parallel(*layers), input_precision="fixed<9,5>", scale_precision=6)
    assert design.origin is not None
    (decision,) = design.origin.derivation.decisions
    assert (decision.layer, decision.what, decision.type) == ("long", "slope", "ufixed<5,-1>")
    assert decision.max_error == pytest.approx(0.3 - 19 / 64)
    x = every_code(design)
    short, long = design.golden(x, raw=True)
    values = x / 16
    frac = [design.graph.nodes[name].type.frac for name in design.graph.outputs]
    assert np.array_equal(short / 2 ** frac[0], np.where(values < 0, values / 4, values))
    assert np.array_equal(long / 2 ** frac[1], np.where(values < 0, values * 19 / 64, values))


def test_a_changed_slope_fails_the_gate() -> None:
    design = lowered(parallel(L.LeakyReLU(0.25, name="leaky")), input_precision="fixed<9,5>")
    x = every_code(design)
    passed(design.keras_gate(x))
    nodes = [
        dataclasses.replace(n, slope=n.slope + 1, type=FixedType(20, n.type.frac, True)) if n.op == "leaky_relu" else n
        for n in design.graph.nodes.values()
    ]
    changed = Graph(design.graph.name, nodes, design.graph.outputs)
    assert not Design(changed, design.options, design.folder, design.origin).keras_gate(x).passed


def test_long_slopes_get_short_inputs() -> None:
    """A product of two long numbers would not fit what Keras can compute."""
    model = sequential(L.Dense(4), L.BatchNormalization(name="bn"), L.LeakyReLU(0.3), L.Dense(2))
    assert lowered(model).graph.nodes["bn"].type.width == 16
    model = sequential(L.Dense(4), L.BatchNormalization(name="bn"), L.Activation("tanh"), L.Dense(2))
    assert lowered(model, activation_precision=12).graph.nodes["bn"].type.width == 12
    model = sequential(dense(4, name="fc"), L.LeakyReLU(0.25), dense(2))
    assert lowered(model, activation_precision=8).graph.nodes["fc"].type.width > 8


@pytest.mark.extended
def test_a_curve_and_a_limit_between_matrices(tmp_path: Path) -> None:
    design = compiled(
        sequential(
            dense(5, activation="relu6", name="fc1"),
            dense(5, name="fc2"),
            L.ReLU(1.5, name="limit"),
            dense(4, name="fc3"),
            QActivation("quantized_sigmoid(8,0,1)", name="curve"),
            dense(4, activation="tanh", name="fc7"),
            L.Dense(3, activation="sigmoid", name="fc8"),
            dense(3, bits(4), name="fc4"),
            QActivation("quantized_po2(5)", name="powers"),
            dense(2, bits(4), name="fc5"),
        ),
        tmp_path / "net",
    )
    x = stimuli(design, 200)
    passed(design.keras_gate(x))
    passed(design.csim_gate(x))
    passed(design.rtl_gate(x)[0])


def test_levels_of_a_quantizer_are_not_rounded_however_wide() -> None:
    model = sequential(QActivation("quantized_po2(5)", name="powers"), dense(2, bits(4)))
    design = lowered(model, input_precision="fixed<20,9>", activation_precision=8)
    assert design.graph.nodes["powers"].type == FixedType(17, 8, True)
    design.keras_gate(stimuli(design)).require()


INPUT = FixedType(8, 4, True)


@pytest.mark.parametrize(
    ("threshold", "code"),
    [
        (Threshold(0.5), 8),
        (Threshold(0.5, strict=True), 9),
        (Threshold(0.49), 8),
        (Threshold(0.49, relapses=(0.495,)), 8),  # between two codes
        (Threshold(0.5, relapses=(0.50001,)), 8),  # likewise
        (Threshold(0.5 - 2.0**-25, relapses=(0.5,)), 9),  # the only code that is touched
    ],
)
def test_first_code_at_or_above_a_threshold(threshold: Threshold, code: int) -> None:
    assert _first_code("act", threshold, INPUT, INPUT.max) == code


def test_a_relapse_at_a_later_code_is_refused_unless_it_is_out_of_reach() -> None:
    threshold = Threshold(0.5, relapses=(0.625,))
    with pytest.raises(ModelError, match=r"layer 'act': .* at 0\.5 and is below it again at 0\.625; .* fewer fraction"):
        _first_code("act", threshold, INPUT, INPUT.max)
    assert _first_code("act", threshold, INPUT, 9) == 8


def test_a_staircase_out_of_reach_is_constant() -> None:
    model = parallel(QActivation(ThresholdLevels([50.0], [-1.0, 1.0]), name="low"), QActivation("binary(alpha=1)"))
    design = lowered(model, input_precision="ufixed<4,4>")
    low, high = design.golden(np.arange(16)[:, None], raw=True)
    assert np.unique(low).tolist() == [-1]
    assert np.unique(high).tolist() == [1]
    design.keras_gate(np.arange(16)[:, None]).require()
