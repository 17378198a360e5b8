"""Every weight format: codes and integers are a bijection, planes add up, and bad parameters are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats import (
    FORMATS,
    AdditivePowerOfTwo,
    Binary,
    Codebook,
    Integer,
    MultiBinary,
    PiecewiseLinear,
    PowerOfTwo,
    PowerOfTwoNoZero,
    Tapered,
    Ternary,
    TwoScaleTernary,
    WeightFormat,
    from_json,
)

EVERY: list[WeightFormat] = [
    *(Integer(w, signed, symmetric) for w in range(2, 17) for signed in (True, False) for symmetric in (True, False)),
    Integer(1),
    Integer(1, signed=False),
    Binary(),
    Binary(zero_one=True),
    Ternary(),
    TwoScaleTernary(1, 2),
    TwoScaleTernary(13, 7),
    *(PowerOfTwo(w) for w in range(2, 6)),
    PowerOfTwoNoZero(4, 8),
    PowerOfTwoNoZero(3, 3),
    PowerOfTwoNoZero(3, 8, signed=False),
    *(AdditivePowerOfTwo(w) for w in range(3, 8)),
    Codebook((0,), 1),
    Codebook((0, 3, -5, 4), 2),
    Codebook(tuple(range(0, 200, 3)), 8),
    *(PiecewiseLinear(w, 1 << (w - 1), 1) for w in range(2, 9)),
    PiecewiseLinear(4, 13, 3),
    *(Tapered(w) for w in range(3, 8)),
    MultiBinary((5,)),
    MultiBinary((4, 2, 1)),
    MultiBinary((3, 2, 1)),  # 3 - 2 - 1 = -3 + 2 + 1: two codes for one number
    MultiBinary((4, -3, 7), piecewise=True),
]


def test_every_registered_format_is_here() -> None:
    assert {type(f) for f in EVERY} == set(FORMATS.values())
    assert all(cls.name == name for name, cls in FORMATS.items())


@pytest.mark.parametrize("form", EVERY, ids=str)
def test_codes_are_a_bijection(form: WeightFormat) -> None:
    codes = np.array(list(form.table()))
    assert codes.min() >= 0
    assert codes.max() < 1 << form.bits
    values = form.decode(codes)
    assert np.array_equal(form.decode(form.encode(values)), values)
    assert np.array_equal(np.unique(values), form.levels)
    if len(set(values.tolist())) == len(values):
        assert np.array_equal(form.encode(values), codes)


@pytest.mark.parametrize("form", EVERY, ids=str)
def test_codes_and_values_outside_the_set_are_refused_by_value(form: WeightFormat) -> None:
    illegal = sorted(set(range(1 << form.bits)) - set(form.table()))
    for code in [*illegal[:3], 1 << form.bits, -1]:
        with pytest.raises(ConfigError, match=rf"code {code} is not in its set of {len(form.table())}"):
            form.decode(np.array([code]))
    outside = int(form.levels.max()) + 1
    with pytest.raises(ConfigError, match=rf"value {outside} is not in its set"):
        form.encode(np.array([[int(form.levels[0]), outside]]))


@pytest.mark.parametrize("form", EVERY, ids=str)
def test_json_round_trip(form: WeightFormat) -> None:
    assert from_json(json.loads(json.dumps(form.to_json()))) == form


@pytest.mark.parametrize("form", EVERY, ids=str)
def test_planes_add_up_to_the_matrix(form: WeightFormat) -> None:
    values = np.concatenate([form.levels, np.random.default_rng(0).choice(form.levels, 47)])
    matrix = np.resize(values, (len(values) // 2, 2))
    planes = form.planes(matrix)
    if planes is None:
        return
    assert np.array_equal(np.tensordot(planes.coefficients, planes.matrices, 1), matrix)
    assert np.abs(planes.matrices).max() <= np.abs(matrix).max()


def test_levels_are_those_of_the_papers() -> None:
    assert PowerOfTwo(3).levels.tolist() == [-4, -2, -1, 0, 1, 2, 4]
    assert PowerOfTwo(4).levels.max() == 64
    assert np.array_equal(PowerOfTwo(2).levels, Ternary().levels)
    # APoT with 5 bits: unit is alpha / 48.
    assert AdditivePowerOfTwo(5).levels.max() == 48
    assert len(AdditivePowerOfTwo(6).levels) == 2 * 32 - 1
    assert Tapered(4).levels[7:].tolist() == [0, 1, 2, 3, 4, 6, 8, 16]
    assert Tapered(5).levels[15:].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24, 32, 64]
    assert MultiBinary((4, 2, 1)).levels.tolist() == list(range(-7, 8, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Integer(17), "1 to 16 bits, not 17"),
        (lambda: Integer(0), "1 to 16 bits, not 0"),
        (lambda: Integer(1, symmetric=True), "no value but 0"),
        (lambda: TwoScaleTernary(5, 5), r"equal scales \(5\)"),
        (lambda: TwoScaleTernary(0, 5), "positive, not 0 and 5"),
        (lambda: PowerOfTwo(6), "2 to 5 bits, not 6"),
        (lambda: PowerOfTwoNoZero(4, 9), "18 levels and do not fit 4 bits"),
        (lambda: PowerOfTwoNoZero(8, 33), "33 exponents would shift by up to 32"),
        (lambda: AdditivePowerOfTwo(2), "3 to 7 bits, not 2"),
        (lambda: Codebook((1, 2), 1), "entry 0 of a codebook is 0, not 1"),
        (lambda: Codebook((), 1), "not missing"),
        (lambda: Codebook((0, 3, 3), 2), r"\[0, 3, 3\] are not distinct"),
        (lambda: Codebook((0, 1, 2), 1), "3 entries is larger than its index of 1 bits"),
        (lambda: PiecewiseLinear(4, 7, 1), r"breakpoint 7 must be beyond the centre \(at least 8\)"),
        (lambda: PiecewiseLinear(4, 8, 9), "shift 9 between 0 and 8"),
        (lambda: PiecewiseLinear(1, 8, 0), "2 to 8 bits, not 1"),
        (lambda: Tapered(8), "3 to 7 bits, not 8"),
        (lambda: MultiBinary((2, 2)), r"distinct and positive, not \[2, 2\]"),
        (lambda: MultiBinary((2, 0), piecewise=True), "distinct and not zero"),
        (lambda: MultiBinary(()), "1 to 8 planes, not 0"),
        (lambda: from_json({"format": "lns"}), "'lns' is not available.*with g = 1 they are 'pot'"),
        (lambda: from_json({"format": "posit"}), "unknown number format 'posit'; known are int, binary"),
        (lambda: from_json({"format": "int", "depth": 3}), "'int'.*depth"),
    ],
)
def test_bad_parameters_are_refused_with_their_value(make, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
