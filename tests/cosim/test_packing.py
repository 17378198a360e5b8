"""Codes as bytes of beats: the words of the other simulation, for every width, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaq.cosim import packing
from fpgaq.cosim.packing import packed, unpacked
from fpgaq.ir import FixedType
from fpgaq.rtl.words import pack


@given(st.integers(1, 63), st.booleans(), st.integers(1, 40), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_words_are_those_of_the_other_simulation(width: int, signed: bool, count: int, seed: int) -> None:
    type_ = FixedType(width, 0, signed)
    codes = np.random.default_rng(seed).integers(type_.min, type_.max + 1, (7, count))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_BLOCK", 2 * count)
        words = packed(codes, width)
        assert [int.from_bytes(row.tobytes(), "little") for row in words] == pack(codes, type_)
        assert words.shape == (7, (width * count + 7) // 8)
        assert np.array_equal(unpacked(words, width, count, signed), codes)


@pytest.mark.parametrize("count", [1, 5])
def test_fields_of_a_whole_word(count: int) -> None:
    codes = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, (3, count), endpoint=True)
    assert np.array_equal(packed(codes, 64).view("<i8"), codes)
    assert np.array_equal(unpacked(packed(codes, 64), 64, count, True), codes)


def test_nothing_is_no_beats() -> None:
    assert packed(np.zeros((0, 3), np.int64), 5).shape == (0, 2)
    assert unpacked(np.zeros((0, 2), np.uint8), 5, 3, True).shape == (0, 3)
