"""The first gate: Keras' own evaluation of the frozen model against the golden model, code by code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import bits, dense, lowered, quantized_mlp, sequential, stimuli
from qkeras import QActivation, binary, quantized_linear, ternary

from fpgaq.build import quality
from fpgaq.design import Design
from fpgaq.errors import FpgaqError, ModelError
from fpgaq.frontend.frozen import exact_dtype, hls_name, original_outputs
from fpgaq.hls.derive import Derivation
from fpgaq.ir import FixedType, Graph, files, golden
from fpgaq.ir.ops import Affine, Input, MatMul, Softmax

L = keras.layers


def one_matrix(weight: int, bits_in: int = 8) -> Graph:
    """Return a graph whose largest partial sum is ``2**(bits_in - 1) * weight * 2``."""
    x = Input(name="x", inputs=(), type=FixedType(bits_in, 0, True), layer="x", shape=(2,))
    type_ = FixedType(62, 0, True)
    fc = MatMul(name="m", inputs=("x",), type=type_, layer="m", weight=[[weight], [-weight]], weight_frac=0, bias=[0])
    return Graph("g", [x, fc], ("m",))


@pytest.mark.parametrize(("exponent", "dtype"), [(15, "float32"), (16, "float64"), (44, "float64")])
def test_float_type_follows_the_largest_partial_sum(exponent: int, dtype: str) -> None:
    """Sums stay below 2^24 for float32, 2^53 for float64; here they reach 2^(8 + exponent)."""
    assert exact_dtype(one_matrix(2**exponent)) == dtype


def test_sums_beyond_float64_are_refused() -> None:
    with pytest.raises(FpgaqError, match=r"up to 54 bits are not exact in float64.*lower the input, weight or scale"):
        exact_dtype(one_matrix(2**45))


def test_partial_sums_count_even_where_the_sum_is_small() -> None:
    """Weights +w and -w on inputs that could be equal: the float sum still passes through w * x."""
    x = Input(name="x", inputs=(), type=FixedType(1, 0, False), layer="x", shape=(1,))
    fc = Affine(
        name="a", inputs=("x",), type=FixedType(30, 0, True), layer="a", scale=[2**24], scale_frac=0, bias=[-(2**24)]
    )
    assert exact_dtype(Graph("g", [x, fc], ("a",))) == "float64"
    half = dataclasses.replace(fc, scale=np.array([2**22]), bias=np.array([-(2**22)]))
    assert exact_dtype(Graph("g", [x, half], ("a",))) == "float32"


def passes(design: Design, samples: int = 400) -> str:
    """Require the gate and return the float type it was computed in."""
    gate = design.keras_gate(stimuli(design, samples))
    gate.require()
    assert gate.samples == samples
    return design.frozen.dtype


MODELS: dict[str, Callable[[], Any]] = {
    "every quantizer": quantized_mlp,
    "floats only": lambda: sequential(L.Dense(5, activation="relu"), L.Dense(3)),
    "rectifier layers": lambda: sequential(L.Dense(5), L.ReLU(), L.Dense(4), L.Activation("relu"), L.Dropout(0.5)),
    "curves": lambda: sequential(
        L.Dense(5, activation="tanh"),
        L.Dense(4),
        L.BatchNormalization(),
        L.Activation("sigmoid"),
        L.Dense(3, activation="softsign"),
    ),
    "slopes": lambda: sequential(
        L.Dense(5, activation="leaky_relu"),
        L.Dense(4),
        L.BatchNormalization(),
        L.PReLU(),
        L.Dense(3),
        L.LeakyReLU(0.25),
    ),
    "slopes of channels": lambda: sequential(
        L.PReLU(shared_axes=[1, 2]), L.ReLU(2.0, 0.3), L.MaxPooling2D(2), L.Flatten(), L.Dense(2), inputs=(4, 4, 3)
    ),
    "batch norm": lambda: sequential(dense(5), L.BatchNormalization(), QActivation("quantized_relu(4)"), dense(3)),
    "float scales": lambda: sequential(dense(5, bits(4, alpha="auto")), dense(3, binary(alpha="auto"))),
    "reshapes": lambda: sequential(L.Reshape((3, 2)), QActivation(bits(4, 1)), L.Flatten(), dense(3), inputs=(2, 3)),
    "activation arguments": lambda: sequential(
        dense(5, activation="quantized_relu(4)"), dense(4, activation="binary(alpha=1)"), dense(3, activation="relu")
    ),
    "one-bit linear": lambda: sequential(dense(4, quantized_linear(1, 0, alpha=1.0)), dense(3, quantized_linear(3, 1))),
    "input named i": lambda: keras.Sequential([keras.Input((4,), name="i"), dense(3, name="n"), L.ReLU(name="p")]),
    "wide before narrow": lambda: sequential(L.Dense(4), QActivation(bits(3, -1)), QActivation("ternary(alpha=1)")),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("precision", ["fixed<7,3>", "fixed<18,6>"])
def test_golden_is_what_keras_computes(name: str, precision: str) -> None:
    passes(lowered(MODELS[name](), input_precision=precision))


@pytest.mark.parametrize(
    "quantizer",
    ["quantized_bits(8,0,alpha=1)", "quantized_relu(8,0)", "quantized_tanh(8)", "ternary(alpha=1)", "binary(alpha=1)"],
)
@pytest.mark.parametrize("precision", ["fixed<20,20>", "fixed<24,12>", "fixed<40,20>", "ufixed<12,-4>"])
def test_inputs_far_outside_or_far_below_the_range_of_a_quantizer(quantizer: str, precision: str) -> None:
    """QKeras computes x + (q - x) in float32, which is not q when x is large; the comparison must not suffer."""
    dtype = passes(lowered(sequential(QActivation(quantizer)), input_precision=precision), 2000)
    assert dtype == ("float64" if "40" in precision else "float32")


@pytest.mark.parametrize("integer", [0, 20])
def test_ties_are_decided_alike_in_both_float_types(integer: int) -> None:
    """Every value of the input, ties at half a step and one unit beside them; 20 integer bits make it float64."""
    width, integer_bits = 10, 3
    model = sequential(QActivation(bits(4, 1)), inputs=(1,))
    design = lowered(model, input_precision=f"fixed<{width + integer},{integer_bits + integer}>")
    codes = np.arange(-(2 ** (width - 1)), 2 ** (width - 1)).reshape(-1, 1)
    design.keras_gate(codes).require()


def test_float64_keeps_what_lies_below_float32() -> None:
    """A tie plus 2^-30 rounds up, the tie itself to even: float32 alone would see no difference."""
    design = lowered(sequential(QActivation(bits(4, 3)), inputs=(1,)), input_precision="fixed<40,8>")
    one, tie = 1 << 32, 1 << 31
    codes = np.array([[tie], [tie + 1], [tie - 1], [one + tie], [one + tie - 1], [-tie], [-tie - 1], [-one - tie + 1]])
    want = [0, 1, 0, 2, 1, 0, -1, -1]
    assert golden.run(design.graph, [codes])[0].reshape(-1).tolist() == want
    assert design.frozen.codes(codes).reshape(-1).tolist() == want
    assert design.frozen.dtype == "float64"


def with_changed_weight(design: Design) -> Design:
    """Return the design with one weight of its last matrix changed by one, in the golden model only."""
    assert design.origin is not None
    document = files.dumps(design.graph)
    graph = files.loads(document)
    nodes = list(graph.nodes.values())
    k = max(k for k, n in enumerate(nodes) if isinstance(n, MatMul))
    node = nodes[k]
    assert isinstance(node, MatMul)
    weight = node.weight.copy()
    weight[0, 0] ^= 1
    nodes[k] = dataclasses.replace(node, weight=weight, type=FixedType(40, node.type.frac, True))
    return Design(Graph(graph.name, nodes, graph.outputs), design.options, design.folder, design.origin)


def test_a_flipped_weight_bit_fails_the_gate() -> None:
    design = lowered(quantized_mlp())
    x = stimuli(design)
    assert design.keras_gate(x).passed
    gate = with_changed_weight(design).keras_gate(x)
    assert not gate.passed
    assert gate.first_mismatch is not None
    assert gate.first_mismatch.layer == "fc5"
    assert gate.first_mismatch.index == 0


EXACT: dict[str, Callable[[], Any]] = {
    "every quantizer": quantized_mlp,
    "ternary": lambda: sequential(
        dense(5, ternary(alpha=1)), QActivation("ternary(alpha=1)"), dense(3, ternary(alpha=1))
    ),
    "rectifiers": lambda: sequential(dense(5), L.ReLU(), dense(3, activation="relu")),
}


@pytest.mark.parametrize("name", EXACT)
def test_nothing_is_rounded_where_the_model_defines_every_number(name: str) -> None:
    design = lowered(EXACT[name]())
    assert design.origin is not None
    assert design.origin.derivation.decisions == []
    x = stimuli(design)
    original = original_outputs(design.origin.model, x, design.graph)
    assert np.array_equal(original, design.golden(x, raw=True) * design.graph.nodes[design.graph.outputs[0]].type.step)
    assert quality(design, x, None)[1] == {"of": "outputs", "max_abs": 0.0, "argmax_agreement": 1.0}


def test_what_is_rounded_is_stated_and_the_distance_measured() -> None:
    model = sequential(
        L.Dense(5, name="fc1"), L.BatchNormalization(name="bn"), dense(3, bits(4, alpha="auto"), name="fc2")
    )
    design = lowered(model, weight_precision=6, scale_precision=6, activation_precision=8)
    assert design.origin is not None
    derivation: Derivation = design.origin.derivation
    stated = {(d.layer, d.what) for d in derivation.decisions}
    assert {("fc1", "weight"), ("fc1", "bias"), ("bn", "scale"), ("bn", "bias"), ("bn", "activation")} <= stated
    assert ("fc2_scale", "scale") in stated
    for decision in derivation.decisions:
        assert decision.max_error is not None
        assert 0 < decision.max_error < 0.2
    x = stimuli(design)
    assert design.keras_gate(x).passed
    distance = quality(design, x, None)[1]
    assert distance is not None
    assert 0 < distance["max_abs"] < 3


def test_finer_precision_comes_closer_to_the_original() -> None:
    model = sequential(L.Dense(8, activation="relu"), L.Dense(4))
    far = []
    for width in (4, 8, 12, 16, 20):
        design = lowered(model, weight_precision=width, activation_precision=24, input_precision="fixed<8,3>")
        distance = quality(design, stimuli(design), None)[1]
        assert distance is not None
        far.append(distance["max_abs"])
    assert far == sorted(far, reverse=True)
    assert far[-1] < 1e-3 * far[0]


@pytest.mark.parametrize("name", ["i", "n", "p", "u", "t", "x"])
def test_one_letter_names_are_those_of_hls4ml(name: str) -> None:
    design = lowered(sequential(dense(3, name=name), L.ReLU(name=f"{name}r")))
    assert hls_name(name) in design.graph.nodes
    assert passes(design) == "float32"


@pytest.mark.parametrize("head", ["logits", "argmax"])
@pytest.mark.parametrize("layer", [True, False])
def test_heads(head: str, layer: bool) -> None:
    last = [dense(4), L.Softmax(name="sm")] if layer else [dense(4, activation="softmax")]
    design = lowered(sequential(*last), head=head)
    passes(design)
    x = stimuli(design)
    assert design.origin is not None
    original = original_outputs(design.origin.model, x, design.graph)
    values = golden.run(design.graph, [x])[0]
    chosen = values[:, 0] if head == "argmax" else values.argmax(1)
    assert values.shape[1] == (1 if head == "argmax" else 4)
    assert np.array_equal(original.argmax(1), chosen)


@pytest.mark.parametrize("layer", [True, False])
def test_the_softmax_table_passes_the_gate_and_comes_near_the_probabilities(layer: bool) -> None:
    """With and without a softmax in the model. Keras has no such table: it is compared in front of it."""
    model = sequential(dense(4, bits(5, 2), name="fc"), *([L.Softmax(name="sm")] if layer else []))
    design = lowered(model, head="softmax")
    passes(design)
    x = stimuli(design)
    assert design.origin is not None
    original = original_outputs(design.origin.model, x, design.graph)
    if not layer:
        original = np.asarray(keras.ops.softmax(original))
    probabilities = design.golden(x, raw=True) * design.graph.nodes[design.graph.outputs[0]].type.step
    assert np.abs(probabilities - original).max() < 0.03
    assert isinstance(design.graph.nodes[design.graph.outputs[0]], Softmax)
    gate = with_changed_weight(design).keras_gate(x)
    assert gate.first_mismatch is not None
    assert gate.first_mismatch.layer == "fc"


def test_argmax_needs_no_softmax() -> None:
    """A network trained on logits has none; its class is asked for all the same."""
    design = lowered(sequential(dense(5), QActivation("quantized_relu(4)"), dense(4)), head="argmax")
    passes(design)
    x = stimuli(design)
    assert design.origin is not None
    want = original_outputs(design.origin.model, x, design.graph).argmax(1)
    assert golden.run(design.graph, [x])[0][:, 0].tolist() == want.tolist()


def test_the_name_input_is_refused() -> None:
    with pytest.raises(ModelError, match=r"hls4ml keeps this name for itself; give the layer"):
        lowered(sequential(dense(3, name="input")))
