"""Datapaths against the golden model: values, bounds, and where the rounding constant goes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_layers import KINDS, MODES, Chain, corners, layers, linear_first

from fpgaq.ir import FixedType, Graph, IntArray, Overflow, Rounding, golden
from fpgaq.rtl.datapath import Cast, Constant, Datapath, Max0, Ref, Source, Stair, Sum, interval_width
from fpgaq.rtl.unroll import rounding_half, unroll


def every_value(path: Datapath, x: IntArray) -> IntArray:
    """Values of all nodes, not only of the outputs."""
    return Datapath(path.ops, path.bounds, [Ref(n) for n in range(len(path.ops))]).evaluate(x)


def check(graph: Graph, path: Datapath, seed: int = 0) -> None:
    x = corners(graph, 40, seed)
    want = golden.run(graph, [x])[0]
    assert np.array_equal(path.evaluate(x), want)
    values = every_value(path, x)
    lo, hi = np.array(path.bounds, dtype=np.int64).T
    assert np.all(lo <= values)
    assert np.all(values <= hi)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(layers(), st.sampled_from([2, 3]))
def test_equals_golden_within_bounds(graph: Graph, adder_inputs: int) -> None:
    nodes, source = linear_first(graph)
    check(graph, unroll(nodes, source, adder_inputs=adder_inputs))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(layers(sizes=6))
def test_bounds_of_outputs_are_not_wider_than_those_of_the_graph(graph: Graph) -> None:
    nodes, source = linear_first(graph)
    path = unroll(nodes, source)
    inferred = graph.bounds[graph.outputs[0]]
    for ref, lo, hi in zip(path.outputs, inferred.lo, inferred.hi, strict=True):
        least, most = path.ref_bounds(ref)
        assert lo <= least <= most <= hi


@pytest.mark.parametrize(("rounding", "overflow"), MODES)
@pytest.mark.parametrize("signed", [False, True])
def test_every_cast_on_every_input(rounding: Rounding, overflow: Overflow, signed: bool) -> None:
    """All codes of 7 bits; results narrower and wider than them; shifts in both directions and beyond the width."""
    x = np.arange(128)[:, None] - 64 * signed
    for drop in (-2, 0, 1, 2, 4, 7, 9):
        for width in (1, 2, 3, 6, 9):
            for to_signed in (False, True):
                chain = Chain("net", 1, FixedType(7, 3, signed), 0)
                graph = chain.requantize(width, to_signed, drop, rounding, overflow).graph
                path = unroll(*linear_first(graph))
                assert np.array_equal(path.evaluate(x), golden.run(graph, [x])[0]), (drop, width, to_signed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rounding", "overflow"), MODES)
def test_merged_half_equals_golden(kind: str, rounding: Rounding, overflow: Overflow) -> None:
    """A matrix, perhaps a rectifier, and a cast: the half may ride along with the biases."""
    for rectified in (False, True):
        for drop in (0, 1, 5):
            chain = Chain("net", 5, FixedType(4, 0, True), 7).matmul(6, kind, 5)
            if rectified:
                chain.relu()
            graph = chain.requantize(5, not rectified, drop, rounding, overflow).graph
            check(graph, unroll(*linear_first(graph)))


def test_half_is_merged_where_it_can_be() -> None:
    def half(rounding: Rounding, overflow: Overflow, drop: int, relu: bool) -> int:
        chain = Chain("net", 3, FixedType(4, 0, True), 1).matmul(2, "dense", 4)
        if relu:
            chain.relu()
        nodes, _ = linear_first(chain.requantize(4, True, drop, rounding, overflow).graph)
        return rounding_half(nodes, 0)

    for rounding, overflow in MODES:
        nearest = rounding in (Rounding.RND, Rounding.RND_CONV)
        clamps = overflow in (Overflow.SAT, Overflow.SAT_SYM)
        assert half(rounding, overflow, 3, relu=False) == (4 if nearest else 0)
        assert half(rounding, overflow, 3, relu=True) == (4 if nearest and clamps else 0)
        assert half(rounding, overflow, 0, relu=False) == 0
        assert half(rounding, overflow, -2, relu=False) == 0


def test_merged_cast_adds_nothing() -> None:
    chain = Chain("net", 3, FixedType(4, 0, True), 1).matmul(2, "dense", 4)
    path = unroll(*linear_first(chain.requantize(4, True, 2, Rounding.RND_CONV, Overflow.SAT).graph))
    casts = [op for op in path.ops if isinstance(op, Cast)]
    assert len(casts) == 2
    assert all(c.biased for c in casts)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.data())
def test_half_from_a_matrix_in_front(data: st.DataObject) -> None:
    """What follows a folded matrix reads its results with the half added already."""
    chain = Chain("net", 4, FixedType(5, 0, True), data.draw(st.integers(0, 10**6))).matmul(5, "dense", 5)
    if data.draw(st.booleans()):
        chain.relu()
    rounding, overflow = data.draw(st.sampled_from(MODES))
    drop = data.draw(st.integers(-2, 9))
    graph = chain.requantize(data.draw(st.integers(1, 8)), data.draw(st.booleans()), drop, rounding, overflow).graph
    nodes, _ = linear_first(graph)
    half = rounding_half(nodes, 0)
    exact = graph.operand(nodes[0].name)
    shifted = dataclasses.replace(nodes[0], bias=nodes[0].bias + half, type=FixedType(40, exact.type.frac, True))
    source = graph.operand(graph.inputs[0].name)
    reads = source._replace(type=shifted.type, bounds=shifted.infer([source]))
    path = unroll(nodes[1:], reads, half=half)
    x = corners(graph, 30, 1)
    assert np.array_equal(path.evaluate(shifted.evaluate([x])), golden.run(graph, [x])[0])


def test_logic_that_cannot_happen_is_not_built() -> None:
    unsigned = Chain("net", 2, FixedType(4, 0, False), 0)
    path = unroll(*linear_first(unsigned.relu().requantize(9, True, -2, Rounding.RND, Overflow.SAT).graph))
    assert all(isinstance(op, Source) for op in path.ops)
    assert path.outputs == [Ref(0, 2), Ref(1, 2)]

    zero = Chain("net", 3, FixedType(4, 0, False), 0).matmul(2, "zero", 4).stairs(3, 2)
    path = unroll(*linear_first(zero.graph))
    assert [type(op) for op in path.ops[3:]] == [Constant, Constant]

    steep = Chain("net", 1, FixedType(2, 0, False), 0)
    steep.stairs(40, 4)
    path = unroll(*linear_first(steep.graph))
    assert all(len(op.thresholds) <= 3 for op in path.ops if isinstance(op, Stair))


def test_unused_operations_are_dropped() -> None:
    """Sources stay, they are the ports."""
    path = unroll(*linear_first(Chain("net", 6, FixedType(4, 0, True), 3).matmul(4, "dense", 4).clip(3, 3).graph))
    assert sum(isinstance(op, Source) for op in path.ops) == 6
    assert not any(isinstance(op, (Sum, Max0)) for op in path.ops)


@given(st.integers(-(2**40), 2**40), st.integers(0, 2**40))
def test_interval_width(lo: int, extent: int) -> None:
    hi = lo + extent
    width = interval_width(lo, hi)
    type_ = FixedType(width, 0, lo < 0)
    assert type_.covers(lo, hi)
    assert width == 1 or not FixedType(width - 1, 0, lo < 0).covers(lo, hi)
