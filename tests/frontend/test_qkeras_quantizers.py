"""The integer meaning of QKeras quantizers against QKeras itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import qkeras
from qkeras import (
    bernoulli,
    binary,
    quantized_bits,
    quantized_linear,
    quantized_po2,
    quantized_relu,
    quantized_relu_po2,
    quantized_tanh,
    stochastic_binary,
    stochastic_ternary,
    ternary,
)

from fpgaq.errors import ModelError
from fpgaq.frontend.qkeras_quantizers import Cast, Staircase, activation_meaning, quantize_parameter
from fpgaq.ir import Rounding
from fpgaq.ir.types import cast
from fpgaq.quantize import quantizers

Maker = Callable[[], Any]
#: Fraction bits of the test inputs: far finer than any grid here.
FINE = 14


def kernel() -> np.ndarray:
    """Return a kernel with ties, zeros, a tiny and a large channel."""
    w = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    w[0] = 0
    w[1] = [0.5, -0.5, 0.25, 0.125, 1.5]
    w[2] = [1.0, -1.0, 2.0, -2.0, -1.5]
    w[:, 3] *= 0.01
    w[:, 4] *= 9
    return w


ALPHAS = (None, 1, 0.5, 2.0, 0.75, "auto", "auto_po2")
PARAMETERS: dict[str, list[Maker]] = {
    "quantized_bits": [
        lambda b=b, i=i, s=s, k=k, a=a: quantized_bits(b, i, s, k, alpha=a)
        for b, i, s, k, a in itertools.product((1, 2, 3, 6, 8), (0, 2), (0, 1), (True, False), ALPHAS)
        if not (b == 1 and a == "auto")  # QKeras divides by zero levels
    ],
    "quantized_linear": [
        lambda b=b, i=i, s=s, k=k, a=a: quantized_linear(b, i, s, k, alpha=a)
        for b, i, s, k, a in itertools.product((1, 2, 3, 6, 8), (0, 2), (0, 1), (True, False), ALPHAS)
    ],
    "binary": [lambda a=a, u=u: binary(alpha=a, use_01=u) for a, u in itertools.product(ALPHAS, (False, True))],
    "ternary": [
        lambda a=a, t=t: ternary(alpha=a, threshold=t)
        for a, t in itertools.product(ALPHAS, (None, 0.25, 0.5))
        if t is None or not isinstance(a, str)
    ],
    "quantized_po2": [lambda b=b, m=m: quantized_po2(b, m) for b, m in itertools.product((2, 3, 4, 5), (None, 0.5, 2))],
    "quantized_relu_po2": [
        lambda b=b, m=m: quantized_relu_po2(b, m) for b, m in itertools.product((2, 3, 4), (None, 0.5, 2))
    ],
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_codes_times_scale_is_what_qkeras_returns(name: str) -> None:
    w = kernel()
    for make in PARAMETERS[name]:
        quantizer = make()
        theirs = np.asarray(quantizer(w), dtype=np.float64)
        found = quantize_parameter("fc", "kernel", make(), w)
        about = str(quantizer.get_config())
        if getattr(quantizer, "alpha", None) != "auto":
            assert found.scale is None, about
            assert found.codes.tolist() == theirs.tolist(), about
            continue
        assert found.scale is not None, about
        scale = np.asarray(quantizer.scale, np.float64).reshape(-1)
        assert found.scale.tolist() == np.broadcast_to(scale, found.scale.shape).tolist(), about
        # QKeras multiplies, and adds and subtracts the float weight, in float32: its last bits differ.
        largest = np.maximum(np.abs(theirs), np.abs(w))
        assert np.all(np.abs(found.codes * found.scale - theirs) <= 2.0**-22 * largest), about
        integers = found.codes * 2.0**16
        assert integers.tolist() == np.rint(integers).tolist(), about


@pytest.mark.parametrize("kind", [quantized_po2, quantized_relu_po2])
@pytest.mark.parametrize("bits", [3, 4])
def test_powers_of_two_that_do_not_fit_the_bits_are_refused(kind: type, bits: int) -> None:
    signed = kind is quantized_po2
    levels = (2 ** (bits - signed) + 1) << signed
    with pytest.raises(ModelError, match=rf"'fc': kernel quantizer '{kind.__name__}'.* {levels} levels.*{bits} bits"):
        quantize_parameter("fc", "kernel", kind(bits, max_value=1), kernel())


FORMATS = {
    "int(width=4, signed=True, symmetric=True)": lambda: quantized_bits(4, 0, symmetric=1, alpha=1),
    "int(width=4, signed=True, symmetric=False)": lambda: quantized_bits(4, 0, alpha=1),
    "int(width=3, signed=False, symmetric=False)": lambda: quantized_bits(3, 0, keep_negative=0, alpha=1),
    "binary(zero_one=False)": lambda: binary(alpha="auto_po2"),
    "binary(zero_one=True)": lambda: binary(use_01=True, alpha=1),
    "ternary": lambda: ternary(alpha="auto"),
    "po2(width=4, exponents=8, signed=True)": lambda: quantized_po2(4),
    "pot(width=4)": lambda: quantizers.PowerOfTwo(4),
    "apot(width=5)": lambda: quantizers.AdditivePowerOfTwo(5),
    "tapered(width=4)": lambda: quantizers.Tapered(4),
    "pwlq(width=3, breakpoint=4, shift=2)": lambda: quantizers.PiecewiseLinear(3),
}


@pytest.mark.parametrize("name", FORMATS)
def test_values_are_integers_of_the_format_times_the_unit(name: str) -> None:
    found = quantize_parameter("fc", "kernel", FORMATS[name](), kernel())
    assert str(found.format) == name
    integers = found.codes / found.unit
    assert integers.tolist() == np.rint(integers).tolist()
    assert found.format is not None
    assert np.array_equal(found.format.decode(found.format.encode(integers.astype(int))), integers)


def test_codes_stay_within_the_bits_of_the_quantizer() -> None:
    w = kernel()
    for bits, alpha in itertools.product((2, 3, 6, 8), (1, "auto")):
        found = quantize_parameter("fc", "kernel", quantized_bits(bits, 0, alpha=alpha), w)
        codes = found.codes * 2 ** (bits - 1)
        assert codes.tolist() == np.rint(codes).tolist()
        assert np.abs(codes).max() <= 2 ** (bits - 1)
        assert np.unique(codes).size <= 2**bits


@pytest.mark.parametrize(
    ("quantizer", "message"),
    [
        (bernoulli(), r"kernel quantizer 'bernoulli' is not supported; use one of .*quantized_bits"),
        (quantized_tanh(4), r"kernel quantizer 'quantized_tanh' is not supported"),
        (stochastic_binary(alpha="auto"), r"rounds at random; use its deterministic form"),
        (stochastic_ternary(alpha="auto"), r"rounds at random; use its deterministic form"),
        (quantized_bits(4, 0, alpha=1, use_stochastic_rounding=True), r"rounds at random; use its deterministic form"),
    ],
)
def test_other_parameter_quantizers_are_refused_with_a_way_out(quantizer: Any, message: str) -> None:
    with pytest.raises(ModelError, match=rf"^layer 'fc7': .*{message}"):
        quantize_parameter("fc7", "kernel", quantizer, kernel())


class OffGrid(quantized_bits):
    """A quantizer whose results are not on the grid that its name promises."""

    def __call__(self, x: Any) -> Any:
        return super().__call__(x) * 1.01


def test_results_off_the_grid_are_refused() -> None:
    OffGrid.__name__ = "quantized_bits"
    with pytest.raises(ModelError, match=r"layer 'fc7': the values of kernel quantizer .* are not on a .* grid"):
        quantize_parameter("fc7", "kernel", OffGrid(4, 0, alpha=1), kernel())


def grid_around(meaning: Cast | Staircase) -> np.ndarray:
    """Return codes with FINE fraction bits: a coarse grid, and every decision point with its neighbours and ties."""
    parts = [np.arange(-24, 24, 2.0**-6), np.arange(-1, 1, 2.0**-9)]
    if isinstance(meaning, Cast):
        step = meaning.type.step
        middles = np.arange(meaning.type.min - 2, meaning.type.max + 3) * step
        parts += [middles + d * step for d in (-0.5, -0.25, 0.0, 0.25)]
    else:
        parts += [np.array([value for value, _ in meaning.thresholds])]
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
    passed = sum(((x > t) if strict else (x >= t)).astype(int) for t, strict in meaning.thresholds)
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
        lambda b=b, s=s: quantized_tanh(b, symmetric=s) for b, s in itertools.product(BITS, (False, True))
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
        (quantized_bits(4, 0, alpha=2.0), "alpha=2.0", "use alpha=1"),
        (quantized_bits(4, 0, alpha=1, use_stochastic_rounding=True), "use_stochastic_rounding=True", "switch it off"),
        (quantized_bits(4, 0, alpha=1, qnoise_factor=0.5), "qnoise_factor=0.5", "set it to 1"),
        (quantized_relu(4, 0, negative_slope=0.25), "negative_slope=0.25", "use negative_slope=0"),
        (quantized_relu(4, 0, use_sigmoid=1), "use_sigmoid=1", "use use_sigmoid=0"),
        (
            quantized_relu(4, 2, relu_upper_bound=1.5, is_quantized_clip=False),
            "relu_upper_bound=1.5",
            "so that the type saturates",
        ),
        (quantized_tanh(4, use_real_tanh=True), "use_real_tanh=True", "use the hard form"),
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


@pytest.mark.parametrize(
    "text",
    ["quantized_sigmoid(4)", "quantized_ulaw(4)", "quantized_hswish(6)", "quantized_po2(4)", "quantized_linear(4)"],
)
def test_other_activation_quantizers_are_refused_with_the_alternatives(text: str) -> None:
    with pytest.raises(ModelError, match=rf"'{text.split('(')[0]}' is not supported; use one of binary, .*ternary"):
        activation_meaning("act", qkeras.get_quantizer(text))
