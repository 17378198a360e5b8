"""Vectors of codes as words of a stream, and back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fpgaq.ir import FixedType
from fpgaq.rtl.words import pack, unpack

types = st.builds(FixedType, st.integers(1, 62), st.integers(-4, 70), st.booleans())


@given(types, st.integers(0, 6), st.integers(1, 9), st.data())
def test_round_trip(type_: FixedType, samples: int, count: int, data: st.DataObject) -> None:
    code = st.integers(type_.min, type_.max)
    rows = data.draw(st.lists(st.lists(code, min_size=count, max_size=count), min_size=samples, max_size=samples))
    codes = np.array(rows, dtype=np.int64).reshape(samples, count)
    words = pack(codes, type_)
    assert all(0 <= word < 1 << (count * type_.width) for word in words)
    assert np.array_equal(unpack(words, type_, type_.width, count), codes)


@given(types, st.integers(0, 20), st.integers(1, 5), st.integers(0, 999))
def test_fields_may_be_wider_than_the_type(type_: FixedType, extra: int, count: int, seed: int) -> None:
    """A sign-extended field, and any padding above the last one, mean the same codes."""
    width = min(type_.width + extra, 62)
    codes = np.random.default_rng(seed).integers(type_.min, type_.max, (3, count), endpoint=True)
    words = [w | 1 << (count * width) for w in pack(codes, FixedType(width, 0, True))]
    assert np.array_equal(unpack(words, type_, width, count), codes)


def test_element_0_is_in_the_low_bits_and_pixels_come_first() -> None:
    assert pack(np.array([[[1, 2], [3, -1]]]), FixedType(4, 0, True)) == [0xF321]
