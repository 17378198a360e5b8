"""Fixed-point types and casts against exact fractions and hls4ml's own reading of a precision."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from fraction_model import brought_into_range, cast_code, rounded
from hypothesis import given
from hypothesis import strategies as st

from fpgaq.errors import ConfigError, FpgaqError
from fpgaq.ir import FixedType, Overflow, Rounding
from fpgaq.ir.types import cast, overflow_to, shift_round, signed_bits

MODES = list(itertools.product(Rounding, Overflow))


@pytest.mark.parametrize("prefix", ["", "ap_"])
@pytest.mark.parametrize("sign", ["", "u"])
@pytest.mark.parametrize("suffix", ["", ",RND", ",AP_RND_CONV,AP_SAT", ", TRN_ZERO , SAT_SYM ", ",RND_INF,WRAP,0"])
@pytest.mark.parametrize(("width", "integer"), [(16, 6), (8, 0), (4, -3), (3, 7), (1, 1)])
def test_parse_reads_fixed_as_hls4ml_does(prefix: str, sign: str, suffix: str, width: int, integer: int) -> None:
    from hls4ml.backends.fpga.fpga_backend import FPGABackend

    text = f"{prefix}{sign}fixed<{width},{integer}{suffix}>"
    type_, rounding, overflow = FixedType.parse(f" {text} ")
    theirs = FPGABackend.convert_precision_string(text.replace(" ", ""))
    assert (type_.width, type_.integer_bits, type_.signed) == (theirs.width, theirs.integer, theirs.signed)
    assert rounding.value == theirs.rounding_mode.name
    assert overflow.value == theirs.saturation_mode.name


@pytest.mark.parametrize("text", ["int<4>", "uint<4>", "ap_int<1>", "ap_uint<12>"])
def test_parse_reads_integers_as_hls4ml_does(text: str) -> None:
    from hls4ml.backends.fpga.fpga_backend import FPGABackend

    theirs = FPGABackend.convert_precision_string(text)
    assert FixedType.parse(text) == (FixedType(theirs.width, 0, theirs.signed), Rounding.TRN, Overflow.WRAP)


@pytest.mark.parametrize(
    "text", ["ac_fixed<8,3>", "ac_fixed<8,3,true>", "ac_fixed<8,3,false,AC_RND,AC_SAT>", "ac_int<4,false>"]
)
def test_quartus_spellings(text: str) -> None:
    """The third argument of ac_fixed is the sign: it must never be lost."""
    from hls4ml.backends.fpga.fpga_backend import FPGABackend

    type_, rounding, overflow = FixedType.parse(text)
    theirs = FPGABackend.convert_precision_string(text)
    assert (type_.width, type_.integer_bits, type_.signed) == (theirs.width, theirs.integer, theirs.signed)
    assert (rounding, overflow) == ((Rounding.RND, Overflow.SAT) if "RND" in text else (Rounding.TRN, Overflow.WRAP))


@pytest.mark.parametrize("width", [1, 2, 17])
@pytest.mark.parametrize("integer", [-2, 0, 1, 17, 20])
@pytest.mark.parametrize("signed", [False, True])
def test_text_form_reads_back(width: int, integer: int, signed: bool) -> None:
    type_ = FixedType(width, width - integer, signed)
    assert FixedType.parse(str(type_))[0] == type_


@pytest.mark.parametrize(
    "text",
    [
        "",
        "auto",
        "float",
        "fixed",
        "fixed<>",
        "fixed<16>",
        "fixed<16,>",
        "fixed<a,b>",
        "fixed<16,6.5>",
        "fixed<16,6",
        "fixed<16,6>>",
        "fixed<16,6> extra",
        "sfixed<16,6>",
        "fixed<16,6,ROUND>",
        "fixed<16,6,RND,SATURATE>",
        "fixed<16,6,SAT,RND>",
        "fixed<16,6,RND,SAT,1>",
        "fixed<16,6,RND,SAT,0,0>",
        "fixed<0,0>",
        "fixed<-4,2>",
        "int<0>",
        "int<4,RND,SAT,3>",
    ],
)
def test_what_is_no_precision_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not a precision|needs at least 1 bit") as caught:
        FixedType.parse(text)
    assert "at least 1 bit" in str(caught.value) or repr(text) in str(caught.value)


@pytest.mark.parametrize("width", range(1, 6))
def test_ranges(width: int) -> None:
    signed, unsigned = FixedType(width, 2, True), FixedType(width, 2, False)
    assert (signed.min, signed.max) == (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    assert (unsigned.min, unsigned.max) == (0, 2**width - 1)
    assert signed.covers(signed.min, signed.max)
    assert not signed.covers(signed.min - 1, 0)
    assert not unsigned.covers(0, unsigned.max + 1)
    assert signed.step == 0.25
    assert signed.integer_bits == width - 2


def test_from_interval_covers_and_is_minimal() -> None:
    """Every interval of [-35, 35]: the type covers it and no type with one bit less does."""
    for lo, hi in itertools.combinations_with_replacement(range(-35, 36), 2):
        type_ = FixedType.from_interval(lo, hi, 3)
        assert type_.covers(lo, hi)
        assert type_.frac == 3
        assert type_.signed == (lo < 0)
        narrower = [FixedType(type_.width - 1, 3, s) for s in (False, True) if type_.width > 1]
        assert not any(n.covers(lo, hi) for n in narrower)


@given(st.integers(-(2**70), 2**70))
def test_signed_bits_is_minimal(value: int) -> None:
    bits = signed_bits(value)
    assert -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
    assert bits == 1 or not -(2 ** (bits - 2)) <= value < 2 ** (bits - 2)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", range(-2, 6))
def test_shift_round_exhaustively(rounding: Rounding, shift: int) -> None:
    from fractions import Fraction

    codes = range(-140, 141)
    got = shift_round(np.array(codes), shift, rounding)
    assert got.tolist() == [rounded(Fraction(c) / Fraction(2) ** shift, rounding) for c in codes]


@given(st.integers(-(2**62), 2**62), st.integers(0, 61), st.sampled_from(Rounding))
def test_shift_round_of_large_numbers(code: int, shift: int, rounding: Rounding) -> None:
    from fractions import Fraction

    assert int(shift_round(np.array([code]), shift, rounding)[0]) == rounded(Fraction(code, 2**shift), rounding)


@pytest.mark.parametrize("overflow", Overflow)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width", range(1, 6))
def test_overflow_exhaustively(overflow: Overflow, signed: bool, width: int) -> None:
    to = FixedType(width, 0, signed)
    codes = range(-130, 131)
    want = [brought_into_range(c, to, overflow) for c in codes]
    assert overflow_to(np.array(codes), to, overflow).tolist() == want


@given(st.integers(-(2**62), 2**62), st.integers(1, 62), st.booleans(), st.sampled_from(Overflow))
def test_overflow_of_large_numbers(code: int, width: int, signed: bool, overflow: Overflow) -> None:
    to = FixedType(width, 0, signed)
    assert int(overflow_to(np.array([code]), to, overflow)[0]) == brought_into_range(code, to, overflow)


def test_wrap_beyond_the_interpreter_is_refused() -> None:
    with pytest.raises(FpgaqError, match=r"cannot wrap to fixed<63,63>"):
        overflow_to(np.array([1]), FixedType(63, 0, True), Overflow.WRAP)


@pytest.mark.parametrize(("rounding", "overflow"), MODES)
def test_cast_exhaustively(rounding: Rounding, overflow: Overflow) -> None:
    """All codes of 7 bits with 3 fraction bits, to every type of 1 to 4 bits with -1 to 4 fraction bits."""
    codes = np.arange(-64, 64)
    for width, frac, signed in itertools.product(range(1, 5), range(-1, 5), (False, True)):
        to = FixedType(width, frac, signed)
        want = [cast_code(int(c), 3, to, rounding, overflow) for c in codes]
        assert cast(codes, 3, to, rounding, overflow).tolist() == want, to


def test_rounding_comes_before_overflow() -> None:
    """7.5 rounds to 8 and then leaves the range of 4 bits."""
    to = FixedType(4, 0, True)
    assert cast(np.array([15]), 1, to, Rounding.RND, Overflow.WRAP).tolist() == [-8]
    assert cast(np.array([15]), 1, to, Rounding.RND, Overflow.SAT).tolist() == [7]
    assert cast(np.array([15]), 1, to, Rounding.TRN, Overflow.WRAP).tolist() == [7]
