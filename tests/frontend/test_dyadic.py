"""Dyadic numbers: reading floats exactly, rounding them to a number of bits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fpgaq.errors import ModelError
from fpgaq.frontend.dyadic import Dyadic, exact, rounded, trailing_fraction_bits

CODES = hnp.arrays(np.int64, st.integers(1, 6), elements=st.integers(-(2**30), 2**30))
FLOATS = hnp.arrays(
    np.float64,
    st.integers(1, 6),
    elements=st.floats(-1e3, 1e3, allow_subnormal=False).map(lambda v: float(np.float32(v))),
)


def as_fractions(found: Dyadic) -> list[Fraction]:
    return [Fraction(int(c)) / Fraction(2) ** found.frac for c in found.codes.reshape(-1)]


@given(CODES, st.integers(-20, 40))
def test_exact_reads_back_every_dyadic_array_with_the_fewest_fraction_bits(codes: np.ndarray, frac: int) -> None:
    values = np.ldexp(codes.astype(np.float64), -frac)
    found = exact(values)
    assert as_fractions(found) == [Fraction(v) for v in values.tolist()]
    assert found.values.tolist() == values.tolist()
    assert found.frac <= frac or not codes.any()
    assert not codes.any() or np.any(found.codes & 1)


@given(FLOATS)
def test_trailing_fraction_bits_is_minimal(values: np.ndarray) -> None:
    bits = trailing_fraction_bits(values)
    fractions = [Fraction(v) for v in values.tolist()]
    assert all((f * Fraction(2) ** bits).denominator == 1 for f in fractions)
    if any(fractions):
        assert any((f * Fraction(2) ** (bits - 1)).denominator != 1 for f in fractions)
    else:
        assert bits == 0


@given(CODES)
def test_type_holds_every_code(codes: np.ndarray) -> None:
    type_ = Dyadic(codes, 3).type
    assert type_.covers(int(codes.min()), int(codes.max()))
    assert type_.frac == 3


@given(FLOATS, st.integers(2, 32))
def test_rounded_is_the_nearest_on_the_finest_grid(values: np.ndarray, bits: int) -> None:
    found = rounded(values, bits)
    fractions = [Fraction(v) for v in values.tolist()]
    step = Fraction(1) / Fraction(2) ** found.frac
    most = 2 ** (bits - 1) - 1
    top = max(abs(f) for f in fractions)
    if top == 0:
        assert not found.codes.any()
        return
    for want, got in zip(fractions, as_fractions(found), strict=True):
        clipped = min(max(round(want / step), -most - 1), most) * step
        assert got == clipped
    assert np.abs(found.codes).max() <= most + 1
    finer = found.frac + 1
    kept = as_fractions(found) == fractions
    assert kept or top * Fraction(2) ** finer > most


@given(CODES.filter(lambda c: bool(c.any())), st.integers(-20, 20))
def test_rounded_keeps_what_fits(codes: np.ndarray, frac: int) -> None:
    values = np.ldexp(codes.astype(np.float64), -frac)
    assert rounded(values, 32).values.tolist() == values.tolist()


def test_rounded_ties_go_to_even() -> None:
    """Top value 1 with 3 bits: a step of 1/2 would not hold 1, so steps are 1."""
    values = np.array([3.0, 2.5, 1.5, 0.5, -0.5, -1.5, -2.5])
    assert rounded(values, 3).codes.tolist() == [3, 2, 2, 0, 0, -2, -2]


def test_empty_and_zero_arrays() -> None:
    assert exact(np.zeros(3)).frac == 0
    assert rounded(np.zeros(3), 8).codes.tolist() == [0, 0, 0]
    assert rounded(np.zeros(0), 8).codes.size == 0


def test_too_wide_a_range_is_refused() -> None:
    with pytest.raises(ModelError, match=r"step of 2\^-40 do not fit 62 bits; narrow the range"):
        exact([2.0**30, 2.0**-40])
    assert exact([2.0**30, 2.0**-31]).codes.tolist() == [2**61, 1]
