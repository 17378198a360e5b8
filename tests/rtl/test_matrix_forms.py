"""Every form of a matrix computes the same integers, and the cheapest is chosen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaq.errors import ModelError
from fpgaq.ir.ops import MatMul
from fpgaq.ir.types import FixedType
from fpgaq.quantize.formats import (
    AdditivePowerOfTwo,
    Binary,
    Codebook,
    Integer,
    MultiBinary,
    PiecewiseLinear,
    PowerOfTwo,
    Ternary,
    TwoScaleTernary,
    WeightFormat,
)
from fpgaq.rtl.matrix_forms import CONSTANTS, matrix_forms

SUGGESTED: dict[WeightFormat, str | None] = {
    Integer(5): None,
    Ternary(): None,
    PowerOfTwo(4): None,
    Binary(): "shared sum",
    Binary(zero_one=True): None,
    TwoScaleTernary(11, 53): "two accumulators",
    AdditivePowerOfTwo(5): "sums of powers of two",
    Codebook((0, 23, -23, 91), 2): "accumulate, then multiply",
    PiecewiseLinear(4, 9, 3): "three accumulators",
    MultiBinary((29, 11, 3)): "binary planes",
    MultiBinary((29, -11, 3), piecewise=True): "binary planes",
}


def matrix(form: WeightFormat, n_in: int, n_out: int, rng: np.random.Generator, *, present: float = 1.0) -> MatMul:
    """Return a matrix of random levels, at some places only."""
    unit = rng.choice([1, 2, -4], n_out)
    there = rng.random((n_in, n_out)) < present
    weight = rng.choice(form.levels, (n_in, n_out)) * unit * there
    return MatMul(
        name="fc",
        inputs=("x",),
        type=FixedType(40, 0, True),
        layer="fc",
        weight=weight,
        weight_frac=0,
        bias=np.zeros(n_out),
        format=form,
        unit=unit,
        present=np.ones(0) if there.all() else there,
    )


@pytest.mark.parametrize("form", SUGGESTED, ids=str)
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_in=st.integers(1, 20),
    n_out=st.integers(1, 8),
    adder_inputs=st.sampled_from([2, 3]),
    low=st.sampled_from([-8, -1, 0]),
    present=st.sampled_from([1.0, 0.5, 0.0]),
)
def test_every_form_is_the_matrix_product(
    form: WeightFormat, seed: int, n_in: int, n_out: int, adder_inputs: int, low: int, present: float
) -> None:
    rng = np.random.default_rng(seed)
    node = matrix(form, n_in, n_out, rng, present=present)
    bias = rng.integers(-99, 99, n_out)
    found = matrix_forms(node, [(low, 7)] * n_in, bias, adder_inputs=adder_inputs)
    x = rng.integers(low, 8, (500, n_in))
    x[0], x[1] = low, 7
    for each in found:
        assert np.array_equal(each.graph.evaluate(x), x @ node.weight + bias), each.name
    assert [f.lut for f in found] == sorted(f.lut for f in found)
    assert {f.name for f in found} <= {CONSTANTS, SUGGESTED[form]}


def test_codebooks_of_wide_entries_accumulate_before_they_multiply() -> None:
    """Products with constants of many digits cost more than three sums and three products."""
    node = matrix(Codebook((0, 0x5555, 0x2DB7, -0x3B6D), 2), 64, 8, np.random.default_rng(0))
    forms = matrix_forms(node, [(0, 15)] * 64, np.zeros(8, np.int64))
    assert [f.name for f in forms] == ["accumulate, then multiply", CONSTANTS]
    assert forms[0].lut < 0.8 * forms[1].lut


def test_zeros_that_are_no_weights_are_in_no_plane() -> None:
    """One sum of all inputs for all outputs, which binary weights share, would be wrong between channels."""
    node = matrix(Binary(), 6, 6, np.random.default_rng(0), present=0.5)
    assert {form.name for form in matrix_forms(node, [(0, 7)] * 6, np.zeros(6, np.int64))} == {CONSTANTS, "shared sum"}
    assert node.format is not None
    assert np.array_equal(node.format.decode(node.codes) * node.unit * node.is_weight, node.weight)


def test_weights_where_none_are_present_are_refused() -> None:
    node = matrix(Binary(), 6, 6, np.random.default_rng(0))
    with pytest.raises(ModelError, match="layer 'fc': it has weights where none are present"):
        dataclasses.replace(node, present=np.eye(6))
    with pytest.raises(ModelError, match=r"layer 'fc': format binary.*: value 0 is not in its set"):
        dataclasses.replace(node, weight=node.weight * np.eye(6, dtype=np.int64))


def test_matrices_without_a_format_have_one_form() -> None:
    node = matrix(Ternary(), 4, 3, np.random.default_rng(0))
    plain = node.with_weights(node.weight * 5 + 1, node.unit)
    assert plain.format is None
    assert [f.name for f in matrix_forms(plain, [(0, 1)] * 4, np.zeros(3, np.int64))] == [CONSTANTS]
