"""The graph type: what is legal, what a node's bounds and cost are, exact evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaq.cmvm import Adder, AdderGraph, Term
from fpgaq.cmvm.graph import IntegerRangeError
from fpgaq.errors import FpgaqError, ModelError


def plus(node: int, shift: int = 0) -> Term:
    return Term(node, shift, False)


def minus(node: int, shift: int = 0) -> Term:
    return Term(node, shift, True)


UNSIGNED = [(0, 63), (0, 63), (0, 63)]


@pytest.mark.parametrize(
    ("adder", "bounds", "bits"),
    [
        (Adder((plus(0), plus(1)), 0), (0, 126), 6),  # the top bit is a carry out
        (Adder((plus(0), plus(1), plus(2)), 0), (0, 189), 7),
        (Adder((plus(0), plus(1), minus(2)), 0, 64), (1, 190), 7),  # no sign to extend
        (Adder((plus(0), plus(1, 3)), 0), (0, 567), 6),  # the three low bits of input 0 pass through
        (Adder((minus(0), plus(1, 3)), 0), (-63, 504), 9),  # a negated operand borrows from bit 0 on
        (Adder((plus(0, 2), minus(1), minus(2)), 0), (-126, 252), 8),
        (Adder((plus(0),), 16), (16, 79), 2),
        (Adder((plus(0), minus(0, 2)), 0), (-189, 0), 6),  # one input: tighter than adding intervals
        (Adder((minus(0),), 0), (-63, 0), 6),
    ],
)
def test_bounds_and_added_bits(adder: Adder, bounds: tuple[int, int], bits: int) -> None:
    graph = AdderGraph.from_adders(UNSIGNED, [adder], [Term(3, 0, False)])
    assert graph.bounds[3] == bounds
    assert graph.adder_bits == (bits,)


def test_evaluation_and_statistics() -> None:
    adders = [Adder((plus(0), plus(1, 1), minus(2)), 0), Adder((plus(3, 2),), -5)]
    graph = AdderGraph.from_adders(UNSIGNED, adders, [plus(4), plus(3, 1), 42, plus(0)])
    x = np.array([[1, 2, 3], [63, 0, 63]])
    assert graph.evaluate(x).tolist() == [[3, 4, 42, 1], [-5, 0, 42, 63]]
    assert graph.depths == (0, 0, 0, 1, 2)
    assert graph.depth == 2
    assert graph.three_input_adders == 1
    assert graph.total_bits == sum(graph.adder_bits)
    forms, constants = graph.linear_forms()
    assert [list(form) for form in forms[3:]] == [[1, 2, -1], [4, 8, -4]]
    assert constants == [0, 0, 0, 0, -5]


@pytest.mark.parametrize(
    "adder",
    [
        Adder((), 5),
        Adder((plus(0),), 0),
        Adder((minus(0), minus(1), minus(2)), 0),
        Adder((plus(0), plus(1), plus(2)), 7),
        Adder((plus(0), plus(3)), 0),
        Adder((plus(0), Term(1, -1, False)), 0),
    ],
)
def test_illegal_adders_are_refused(adder: Adder) -> None:
    with pytest.raises(ModelError, match="node 3"):
        AdderGraph.from_adders(UNSIGNED, [adder], [])


@pytest.mark.parametrize("output", [minus(0), plus(3), Term(0, -1, False)])
def test_illegal_outputs_are_refused(output: Term) -> None:
    with pytest.raises(ModelError, match="output 0"):
        AdderGraph.from_adders(UNSIGNED, [], [output])


def test_wrong_number_of_bounds_is_refused() -> None:
    with pytest.raises(ModelError, match="2 bounds for 1 nodes"):
        AdderGraph(1, (), (), ((0, 1), (0, 1)))


def test_input_of_wrong_shape_is_refused() -> None:
    with pytest.raises(ModelError, match=r"\(2,\)"):
        AdderGraph.from_adders(UNSIGNED, [], [plus(0)]).evaluate(np.array([1, 2]))


@pytest.mark.parametrize(
    ("adders", "outputs"),
    [
        ([Adder((plus(0, 60), plus(1)), 0)], [plus(3)]),
        ([], [plus(0, 60)]),
        ([], [1 << 63]),
        ([Adder((minus(0),), 0), Adder((plus(3, 2),), 1 << 64)], []),
    ],
)
def test_values_beyond_64_bits_are_an_error_not_a_wrap(adders: list[Adder], outputs: list[Term | int]) -> None:
    graph = AdderGraph.from_adders(UNSIGNED, adders, outputs)
    with pytest.raises(IntegerRangeError, match="64 bits") as error:
        graph.evaluate(np.zeros((1, 3), np.int64))
    assert isinstance(error.value, OverflowError)
    assert isinstance(error.value, FpgaqError)


@pytest.mark.parametrize("adder", [Adder((plus(0), plus(1)), 0, 32), Adder((plus(0),), 0, 64)])
def test_an_offset_without_unused_bits_is_refused(adder: Adder) -> None:
    with pytest.raises(ModelError, match="no term has unused bits"):
        AdderGraph.from_adders(UNSIGNED, [adder], [Term(3, 0, False)])


def test_a_lifted_term_is_no_adder() -> None:
    graph = AdderGraph.from_adders([(-32, 31)], [Adder((plus(0),), 0, 32)], [Term(1, 0, False)])
    assert graph.bounds[1] == (0, 63)
    assert graph.depth == 0
    assert graph.evaluate(np.array([[-32], [31]])).tolist() == [[0], [63]]
