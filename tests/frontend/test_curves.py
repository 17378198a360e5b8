"""Curves as staircases: every code against exact arithmetic, the gate against a fault, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction

import keras
import numpy as np
import pytest
from keras_models import dense, lowered, sequential, stimuli

from fpgaq.design import Design
from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend import curves
from fpgaq.frontend.curves import curve_steps, curve_type, float64_function
from fpgaq.frontend.supported import CURVES
from fpgaq.ir import FixedType, Graph
from fpgaq.ir.ops import Thresholds

L = keras.layers
INPUT = FixedType(10, 5, True)
EXACT: dict[str, Callable[[Fraction], Fraction]] = {
    "hard_sigmoid": lambda x: min(max(x / 6 + Fraction(1, 2), Fraction(0)), Fraction(1)),
    "softsign": lambda x: x / (1 + abs(x)),
}
LONG: dict[str, Callable[[np.longdouble], np.longdouble]] = {
    "elu": lambda x: x if x > 0 else np.expm1(x),
    "exponential": np.exp,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def of_every_code(name: str, source: FixedType, to: FixedType) -> np.ndarray:
    thresholds, codes = curve_steps(float64_function(name), source, source.min, source.max, to)
    return codes[np.searchsorted(thresholds, np.arange(source.min, source.max + 1), side="right")]


@pytest.mark.parametrize("name", [*EXACT, *LONG])
@pytest.mark.parametrize("bits", [2, 8, 10])
def test_every_code_is_rounded_half_to_even(name: str, bits: int) -> None:
    x = [Fraction(code, 2**INPUT.frac) for code in range(INPUT.min, INPUT.max + 1)]
    if name in EXACT:
        values = [EXACT[name](v) for v in x]
    else:
        values = [Fraction(*LONG[name](np.longdouble(float(v))).as_integer_ratio()) for v in x]
    to = curve_type(name, np.array([float(values[0]), float(values[-1])]), bits)
    want = [min(max(round(v * Fraction(2) ** to.frac), to.min), to.max) for v in values]
    assert of_every_code(name, INPUT, to).tolist() == want
    assert to.width == bits


@pytest.mark.parametrize("name", CURVES)
def test_bisection_finds_the_same_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = float64_function(name)(np.array([INPUT.min, INPUT.max]) * INPUT.step)
    to = curve_type(name, ends, 8)
    every = of_every_code(name, INPUT, to)
    monkeypatch.setattr(curves, "_EVERY", 0)
    monkeypatch.setattr(curves, "_WINDOW", 3)
    assert np.array_equal(of_every_code(name, INPUT, to), every)


@pytest.mark.parametrize("precision", ["fixed<24,5>", "fixed<40,12>", "ufixed<3,0>"])
def test_keras_gate_of_wide_and_narrow_inputs(precision: str) -> None:
    model = sequential(L.Activation("tanh"), dense(3), L.Activation("sigmoid"))
    design = lowered(model, input_precision=precision, curve_precision=7)
    assert [n.type.width for n in design.graph.nodes.values() if isinstance(n, Thresholds)] <= [7, 7]
    design.keras_gate(stimuli(design, 2000)).require()


def test_one_input_that_changes_its_code_fails_the_gate() -> None:
    design = lowered(sequential(L.Activation("tanh", name="curve"), inputs=(1,)))
    type_ = design.graph.inputs[0].type
    x = np.arange(type_.min, type_.max + 1)[:, None]
    design.keras_gate(x).require()
    node = design.graph.nodes["curve"]
    assert isinstance(node, Thresholds)
    moved = node.thresholds + (np.arange(node.thresholds.size) == node.thresholds.size - 1)
    changed = Graph("net", [design.graph.inputs[0], dataclasses.replace(node, thresholds=moved)], ("curve",))
    assert not Design(changed, design.options, design.folder, design.origin).keras_gate(x).passed


def test_what_is_rounded_is_stated() -> None:
    design = lowered(
        sequential(L.Activation("tanh", name="curve"), L.Activation("elu", name="second")), curve_precision=6
    )
    assert design.origin is not None
    tanh, elu = design.origin.derivation.decisions
    assert (tanh.layer, tanh.what, tanh.type) == ("curve", "activation", "fixed<6,1>")
    assert tanh.max_error == pytest.approx(1 / 32, rel=0.03)  # it saturates
    assert "float64 rounded half to even, saturating" in tanh.reason
    assert (elu.type, elu.max_error) == ("fixed<6,1>", 1 / 64)


@pytest.mark.parametrize(
    ("function", "to", "message"),
    [
        (np.sin, FixedType(8, 7, True), "it is not monotone"),
        (np.negative, FixedType(8, 0, True), "it is not monotone"),
        (lambda x: x + 0.25 + 2.0**-45, FixedType(8, 1, True), r"at -16 it is too near a tie of fixed<8,7> to be"),
    ],
)
def test_functions_without_safe_steps_are_refused(function: curves.Function, to: FixedType, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        curve_steps(function, INPUT, INPUT.min, INPUT.max, to)


def test_values_that_are_no_numbers_are_refused() -> None:
    model = sequential(L.Activation("exponential", name="second"))
    with pytest.raises(
        ModelError, match=r"layer 'second': exponential on inputs.*is inf at the ends.*narrow its input"
    ):
        lowered(model, input_precision="fixed<16,12>")
