"""Signed digits represent their value, are canonical and are counted rightly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaq.cmvm.csd import csd, digit_counts


@given(st.integers(-(1 << 60), 1 << 60))
def test_digits_sum_to_the_value_and_are_never_adjacent(value: int) -> None:
    digits = csd(value)
    assert sum(sign << shift for shift, sign in digits) == value
    shifts = [shift for shift, _ in digits]
    assert all(b - a >= 2 for a, b in itertools.pairwise(shifts))


@pytest.mark.parametrize(("value", "digits"), [(0, []), (7, [(0, -1), (3, 1)]), (-3, [(0, 1), (2, -1)]), (8, [(3, 1)])])
def test_known_forms(value: int, digits: list[tuple[int, int]]) -> None:
    assert csd(value) == digits


@given(st.lists(st.integers(-(1 << 60), 1 << 60), min_size=1, max_size=8))
def test_count_is_the_length_of_the_form(values: list[int]) -> None:
    assert digit_counts(np.array(values)).tolist() == [len(csd(value)) for value in values]
