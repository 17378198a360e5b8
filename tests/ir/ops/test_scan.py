"""The loop over a step: what a plain loop gives, bounds that hold, files, passes, and what does not fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrent_graphs import STATE, X, gated_step, looped, simple_step

from fpgaq.errors import ModelError
from fpgaq.ir import Graph, golden
from fpgaq.ir.files import dumps, loads
from fpgaq.ir.ops import Scan, with_steps
from fpgaq.ir.passes import optimize


def by_hand(graph: Graph, x: np.ndarray) -> np.ndarray:
    """Run the step by itself for one position after the other."""
    loop = graph.nodes["loop"]
    assert isinstance(loop, Scan)
    states = [np.full((len(x), 2), code) for code in loop.initial]
    results = []
    for position in range(x.shape[1]):
        result, *states = golden.run(loop.step, [x[:, position], *states])
        results.append(result)
    return np.stack(results, 1) if loop.sequences else results[-1]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    codes = st.integers(STATE.min, STATE.max)
    two = draw(st.booleans())
    initial = tuple(draw(codes) for _ in range(1 + two))
    step = gated_step() if two else simple_step()
    return looped("net", step, initial, steps=draw(st.integers(1, 6)), sequences=draw(st.booleans()))


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 1000))
def test_it_is_a_plain_loop(graph: Graph, seed: int) -> None:
    x = np.random.default_rng(seed).integers(X.min, X.max + 1, (20, *graph.inputs[0].shape))
    (got,) = golden.run(graph, [x])
    want = by_hand(graph, x)
    assert np.array_equal(got, want)
    lo, hi = graph.bounds["loop"]
    assert lo.shape == got.shape[1:]
    assert np.all(lo <= got)
    assert np.all(got <= hi)
    again = loads(dumps(graph))
    assert dumps(again) == dumps(graph)
    assert np.array_equal(golden.run(again, [x])[0], want)
    assert np.array_equal(golden.run(optimize(graph), [x])[0], want)


def test_no_samples_and_a_state_from_before() -> None:
    graph = looped("net", simple_step(), (3,), steps=2, sequences=True)
    assert golden.run(graph, [np.zeros((0, 2, 3), np.int64)])[0].shape == (0, 2, 2)
    zero = looped("net", simple_step(), (0,), steps=2, sequences=True)
    x = np.zeros((1, 2, 3), np.int64)
    assert not np.array_equal(golden.run(graph, [x])[0], golden.run(zero, [x])[0])


def test_the_steps_are_among_all_nodes() -> None:
    graph = looped("net", gated_step(), (0, 0), steps=2, sequences=False)
    names = [node.name for node in with_steps(graph)]
    assert names[:2] == ["x", "loop"]
    assert set(graph.nodes["loop"].step.nodes) < set(names)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"initial": (0,)}, "2 states, 2 next ones and 1 first ones"),
        ({"initial": (0, 16)}, r"state 'c_before' .* is 16 at first"),
        ({"type": STATE}, r"result of fixed<5,2>, its steps give"),
        ({"step": simple_step()}, "1 states, 1 next ones and 2 first ones"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    graph = looped("net", gated_step(), (0, 0), steps=2, sequences=False)
    loop = dataclasses.replace(graph.nodes["loop"], **change)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=f"layer 'loop': .*{message}"):
        Graph("net", [graph.nodes["x"], loop], ("loop",))


def test_other_states_than_before_are_refused() -> None:
    step = gated_step()
    with pytest.raises(ModelError, match=r"state 'h_before' of shape \[2\] .* becomes \[2\] of fixed<24"):
        looped("net", Graph("step", step.nodes.values(), ("result", "cell", "c")), (0, 0), steps=2, sequences=True)
