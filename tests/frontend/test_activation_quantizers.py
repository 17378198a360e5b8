"""The integer meaning of QKeras activation quantizers against QKeras itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import qkeras
from qkeras import binary, quantized_bits, quantized_relu, quantized_tanh, ternary

from fpgaq.errors import ModelError
from fpgaq.frontend.activation_quantizers import Cast, activation_meaning, evaluation_on_steps
from fpgaq.frontend.staircase import Staircase
from fpgaq.ir import Rounding
from fpgaq.ir.types import cast

Maker = Callable[[], Any]
#: Fraction bits of the test inputs: far finer than any grid here.
FINE = 14


def grid_around(meaning: Cast | Staircase) -> np.ndarray:
    """Return codes with FINE fraction bits: a coarse grid, and every decision point with its neighbours and ties."""
    parts = [np.arange(-24, 24, 2.0**-6), np.arange(-1, 1, 2.0**-9)]
    if isinstance(meaning, Cast):
        step = meaning.type.step
        middles = np.arange(meaning.type.min - 2, meaning.type.max + 3) * step
        parts += [middles + d * step for d in (-0.5, -0.25, 0.0, 0.25)]
    else:
        parts += [np.array([threshold.value for threshold in meaning.thresholds])]
    codes = np.unique(np.floor(np.concatenate(parts) * 2.0**FINE).astype(np.int64))
    return np.unique(np.concatenate([codes - 1, codes, codes + 1]))


def apply(meaning: Cast | Staircase, codes: np.ndarray) -> np.ndarray:
    """Evaluate the integer meaning on codes with FINE fraction bits."""
    if isinstance(meaning, Cast):
        x = np.maximum(codes, 0) if meaning.rectify else codes
        return np.ldexp(
            cast(x, FINE, meaning.type, meaning.rounding, meaning.overflow).astype(float), -meaning.type.frac
        )
    x = np.ldexp(codes.astype(float), -FINE)
    passed = sum(((x > t.value) if t.strict else (x >= t.value)).astype(int) for t in meaning.thresholds)
    return np.array(meaning.levels)[passed]


BITS = range(1, 9)
ACTIVATIONS: dict[str, list[Maker]] = {
    "quantized_bits": [
        lambda b=b, i=i, s=s, k=k, a=a: quantized_bits(b, i, s, k, alpha=a)
        for b, i, s, k, a in itertools.product(BITS, range(-1, 4), (0, 1), (True, False), (None, 1))
    ],
    "quantized_relu": [
        lambda b=b, i=i, o=o: quantized_relu(b, i, **o)
        for b, i, o in itertools.product(BITS, range(4), ({}, {"relu_upper_bound": 1.0, "is_quantized_clip": True}))
    ],
    "quantized_tanh": [
        lambda b=b, s=s: quantized_tanh(b, symmetric=s) for b, s in itertools.product(BITS, (False, True)) if b > s
    ],
    "binary": [lambda a=a, u=u: binary(alpha=a, use_01=u) for a, u in itertools.product((None, 1, 2, 0.5), (0, 1))],
    "ternary": [
        lambda a=a, t=t: ternary(alpha=a, threshold=t)
        for a, t in itertools.product((None, 1, 2, 0.5), (None, 0, 0.25, 0.33, 0.5, 0.7, 1))
    ],
    "binary_tanh": [lambda: qkeras.quantizers.binary_tanh],
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_meaning_of_an_activation_is_what_qkeras_computes(name: str) -> None:
    for make in ACTIVATIONS[name]:
        quantizer = make()
        meaning = activation_meaning("act", quantizer)
        codes = grid_around(meaning)
        theirs = np.asarray(quantizer(np.ldexp(codes.astype(np.float64), -FINE).astype(np.float32)), np.float64)
        ours = apply(meaning, codes)
        wrong = np.flatnonzero(ours != theirs)
        assert not wrong.size, f"{quantizer} {meaning} at {math.ldexp(codes[wrong[0]], -FINE)}"


def test_another_rounding_mode_is_noticed() -> None:
    """The grid holds ties and range ends: no other mode than half to even fits."""
    quantizer = quantized_bits(3, 0, alpha=1)
    meaning = activation_meaning("act", quantizer)
    assert isinstance(meaning, Cast)
    codes = grid_around(meaning)
    theirs = np.asarray(quantizer(np.ldexp(codes.astype(np.float64), -FINE).astype(np.float32)), np.float64)
    for rounding in set(Rounding) - {Rounding.RND_CONV}:
        other = Cast(meaning.rectify, meaning.type, rounding, meaning.overflow)
        assert apply(other, codes).tolist() != theirs.tolist(), rounding


@pytest.mark.parametrize(
    ("quantizer", "what", "way_out"),
    [
        (quantized_bits(4, 0, alpha="auto"), "alpha='auto'", "use alpha=1"),
        (quantized_bits(4, 0, alpha="auto_po2"), "alpha='auto_po2'", "use alpha=1"),
        (quantized_bits(4, 0, alpha=-1), "alpha=-1", "use a positive alpha"),
        (quantized_bits(4, 0, alpha=[1.0, 2.0]), "alpha=[1.0, 2.0]", "an activation has one scale"),
        (binary(alpha=1, use_stochastic_rounding=True), "use_stochastic_rounding=True", "switch it off"),
        (quantized_bits(4, 0, alpha=1, qnoise_factor=0.5), "qnoise_factor=0.5", "set it to 1"),
        (binary(alpha="auto"), "alpha='auto'", "use alpha=1"),
        (ternary(alpha="auto_po2"), "alpha='auto_po2'", "use alpha=1"),
        (ternary(alpha=1, threshold=-0.5), "threshold=-0.5", "not negative"),
    ],
)
def test_options_without_integer_form_are_refused_with_a_way_out(quantizer: Any, what: str, way_out: str) -> None:
    with pytest.raises(ModelError) as caught:
        activation_meaning("act3", quantizer)
    message = str(caught.value)
    assert message.startswith("layer 'act3': ")
    assert what in message
    assert way_out in message


def test_functions_are_refused_with_the_alternatives() -> None:
    with pytest.raises(ModelError, match=r"'act': .*'hard_sigmoid' is not supported; use one of .*binary, .*ternary"):
        activation_meaning("act", qkeras.quantizers.hard_sigmoid)


def test_another_sigmoid_is_noticed() -> None:
    """QKeras' hard sigmoid can be exchanged for the whole process; then the hard tanh is no cast any more."""
    quantizer = quantized_tanh(4)
    assert isinstance(activation_meaning("act", quantizer), Cast)
    qkeras.quantizers.set_internal_sigmoid("smooth")
    try:
        meaning = activation_meaning("act", quantizer)
        x = np.linspace(-4, 4, 1001, dtype=np.float32)
        assert isinstance(meaning, Staircase)
        assert evaluation_on_steps(quantizer, meaning)(x).tolist() == np.asarray(quantizer(x)).tolist()
    finally:
        qkeras.quantizers.set_internal_sigmoid("hard")


def test_random_rounding_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_random(self: Any, x: Any) -> Any:
        return np.floor(np.asarray(x) + np.random.default_rng().uniform(size=x.shape) * self.use_stochastic_rounding)

    monkeypatch.setattr(quantized_relu, "__call__", at_random)
    with pytest.raises(ModelError, match="'act': quantized_relu with use_stochastic_rounding=True has no exact"):
        activation_meaning("act", quantized_relu(4, 0, use_stochastic_rounding=True))
