"""Strategy auto compares the cheapest form of each schedule."""

from __future__ import annotations

import dataclasses

import pytest
from coded_layers import EXAMPLES, coded_layer, matrix_of

from fpgaq.estimate.schedule_choice import cheapest_reuse, folded_cost, unrolled_cost
from fpgaq.ir import FixedType
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.hardware import make_hardware

S4, U8 = FixedType(4, 0, True), FixedType(8, 0, False)


def layer(name: str, size: tuple[int, int, int], inputs: FixedType | str) -> FoldedMatrix:
    return matrix_of(make_hardware(coded_layer("net", EXAMPLES[name], size, inputs), 5.0, "xc7"))


@pytest.mark.parametrize(("name", "inputs"), [("pot4", S4), ("ternary", U8)])
def test_codes_make_folding_pay(name: str, inputs: FixedType) -> None:
    """The same integers without their format need a multiplier each, and are cheaper unrolled."""
    coded = layer(name, (16, 8, 32), inputs)
    plain = dataclasses.replace(coded.matrix, format=None)
    for matrix, reuse in ((coded.matrix, 32), (plain, 1)):
        assert cheapest_reuse(matrix, coded.source, 32, [1, 2, 4, 8, 16, 32, 64]) == reuse
    costs = [folded_cost(matrix, coded.source, 32) for matrix in (coded.matrix, plain)]
    assert costs[0] < unrolled_cost(coded.matrix, coded.source, 3) <= unrolled_cost(plain, coded.source, 3) < costs[1]


def test_known_values_make_counting_possible() -> None:
    found = layer("binary", (64, 8, 16), "wide")
    assert found.levels == (-3, 5)
    least = folded_cost(found.matrix, found.source, 16, found.levels)
    assert least < folded_cost(found.matrix, found.source, 16)


def test_no_legal_factor_within_the_limit() -> None:
    found = layer("pot4", (16, 8, 32), S4)
    assert cheapest_reuse(found.matrix, found.source, 3, [1, 4, 32]) == 1
