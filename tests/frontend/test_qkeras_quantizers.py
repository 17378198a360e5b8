"""The integer meaning of QKeras quantizers against QKeras itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qkeras import (
    bernoulli,
    binary,
    quantized_bits,
    quantized_linear,
    quantized_po2,
    quantized_relu_po2,
    quantized_tanh,
    ternary,
)

from fpgaq.errors import ModelError
from fpgaq.frontend.qkeras_quantizers import quantize_parameter
from fpgaq.quantize import quantizers

Maker = Callable[[], Any]


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
        (
            binary(alpha=1, use_stochastic_rounding=True),
            r"use_stochastic_rounding=True: QKeras cannot evaluate",
        ),
        (
            quantized_bits(4, 0, alpha="auto", scale_axis=0),
            r"scales of shape \[8, 1\] \(scale_axis=0.*leave scale",
        ),
        (
            quantized_bits(4, 0, alpha="auto_po2", scale_axis=0, elements_per_scale=2),
            r"scales of shape \[8, 1\] \(scale_axis=0, elements_per_scale=2\)",
        ),
        (quantized_bits(1, 0, alpha="auto"), r"with bits=1, alpha='auto' gives NaN or infinity"),
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
    with pytest.raises(ModelError, match=r"layer 'fc7': kernel quantizer .*: its values are not on a .* grid"):
        quantize_parameter("fc7", "kernel", OffGrid(4, 0, alpha=1), kernel())
