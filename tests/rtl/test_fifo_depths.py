"""FIFOs of branches that meet again on pixels: none is too short, none is longer than it must be."""

from __future__ import annotations

import dataclasses

import pytest
from merged_graphs import Branches, cast, convolution, residual

from fpgaq.ir import FixedType, Graph
from fpgaq.ir.ops import Function
from fpgaq.rtl.dataflow import Dataflow
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.timetable import SETTLED, UNBOUNDED, DeadlockError, Handshakes, Pace, paces, settled

BYTE = FixedType(4, 0, False)


def flow_of(graph: Graph) -> Dataflow:
    return make_hardware(graph, 5.0, "xc7").flow


def skip(rows: int, cols: int, size: tuple[int, int]) -> Dataflow:
    """One convolution, and its input around it."""
    net = Branches()
    net.input("x", BYTE, rows, cols, 1)
    net.then("conv", "x", lambda c: cast(convolution(c, 1, size)))
    net.merge("sum", Function.ADD, "conv", "x")
    return flow_of(net.graph("skip", "sum"))


@pytest.fixture(scope="module")
def flow() -> Dataflow:
    return flow_of(residual())


def unlimited(flow: Dataflow, places: object) -> list[Pace]:
    free = dataclasses.replace(flow, depths=dict.fromkeys(places, UNBOUNDED))  # type: ignore[call-overload]
    return settled(Handshakes(free, {}, SETTLED).run())


def is_slower(flow: Dataflow, than: list[Pace]) -> bool:
    """Whether some figure is worse, or nothing ever comes."""
    try:
        found = paces(flow)
    except DeadlockError:
        return True
    return any(a.first > b.first or a.last > b.last or a.ii > b.ii for a, b in zip(found, than, strict=True))


def test_they_are_as_good_as_unlimited_ones_and_one_word_less_is_worse(flow: Dataflow) -> None:
    assert flow.depths
    assert len(flow.depths) >= 4
    best = unlimited(flow, flow.depths)
    assert paces(flow) == best
    assert {pace.ii for pace in best} == {7 * 8}  # as without branches: a frame with its margin
    for place, depth in flow.depths.items():
        shorter = {**flow.depths, place: depth - 1 if depth > 2 else 0}
        assert is_slower(dataclasses.replace(flow, depths=shorter), best), (place, depth)


def test_they_are_filled_and_never_overflow(flow: Dataflow) -> None:
    run = Handshakes(flow, {}, SETTLED)
    run.run()
    held = {(e.block, e.place): words for e, words in zip(flow.edges, run.needed, strict=True) if e.depth}
    assert held.keys() == (flow.depths or {}).keys()
    assert all(words <= flow.depths[place] for place, words in held.items())  # type: ignore[index]
    assert max(held.values()) > 6  # a row


def test_far_too_short_ones_are_a_deadlock(flow: Dataflow) -> None:
    """The convolution waits for pixels of the next row, its fork for the other branch, that one for the convolution."""
    with pytest.raises(DeadlockError, match="no block can go on"):
        paces(dataclasses.replace(flow, depths=dict.fromkeys(flow.depths or {}, 2)))


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 3), (5, 1)])
def test_a_skip_holds_what_a_window_waits_for(size: tuple[int, int]) -> None:
    """Rows and columns below and right of the center, and what is in the registers on the way."""
    rows, cols = 6, 8
    found = skip(rows, cols, size)
    (depth,) = (found.depths or {}).values()
    ahead = size[0] // 2 * cols + size[1] // 2
    assert ahead < depth <= ahead + 8
    assert paces(found) == unlimited(found, found.depths)


def test_streams_that_share_nothing_need_none() -> None:
    net = Branches()
    for name in ("x", "y"):
        net.input(name, BYTE, 4, 4, 1)
    net.then("conv", "x", lambda c: cast(convolution(c, 1)))
    net.merge("difference", Function.SUBTRACT, "conv", "y")
    assert flow_of(net.graph("apart", "difference")).depths == {}


def test_two_inputs_that_meet_twice_need_some() -> None:
    """Each of them is late at one of the merges; the loop goes through both inputs."""
    net = Branches()
    for name in ("x", "y"):
        net.input(name, BYTE, 4, 5, 1)
        net.then(f"conv_{name}", name, lambda c: cast(convolution(c, 1)))
    net.merge("first", Function.ADD, "conv_x", "y")
    net.merge("second", Function.ADD, "conv_y", "x")
    found = flow_of(net.graph("crossed", "first", "second"))
    assert len(found.depths or {}) == 2
    assert max(pace.ii for pace in paces(found)) == 6 * 7
    with pytest.raises(DeadlockError):
        paces(dataclasses.replace(found, depths={}))


def test_the_same_graph_gives_the_same_depths(flow: Dataflow) -> None:
    assert flow_of(residual()).depths == flow.depths
