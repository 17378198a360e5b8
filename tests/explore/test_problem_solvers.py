"""Solvers against enumeration: the same allocations in the same order, and never one above a budget."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaq.errors import ConfigError, ModelError
from fpgaq.explore.problem import Problem, whole_damage
from fpgaq.explore.solvers import SOLVERS

COUNT = 5


@st.composite
def problems(draw: st.DrawFn, budgets: int) -> Problem:
    """Small tables, many of them with ties, and budgets from hopeless to ample."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    most = draw(st.sampled_from([2, 9, 10**6 // len(sizes)]))
    costly = draw(st.sampled_from([3, 2000]))

    def table(high: int) -> list[np.ndarray]:
        return [
            np.array(draw(st.lists(st.integers(0, high), min_size=size, max_size=size)), np.int64) for size in sizes
        ]

    damage, costs = table(most), {name: table(costly) for name in ("lut", "dsp")}
    names = ("lut", "dsp")[:budgets]
    limits = {name: draw(st.integers(0, sum(int(layer.max()) for layer in costs[name]))) for name in names}
    return Problem(damage, costs, limits)


def enumerated(problem: Problem) -> list[tuple[int, ...]]:
    every = itertools.product(*map(range, problem.sizes))
    return sorted((allocation for allocation in every if problem.fits(allocation)), key=problem.order)[:COUNT]


@settings(max_examples=80, deadline=None)
@given(problems(1))
def test_one_budget(problem: Problem) -> None:
    wanted = enumerated(problem)
    for solver in ("milp", "dp"):
        found = SOLVERS[solver](problem, COUNT)
        assert list(found.allocations) == wanted, solver
        assert found.status.startswith("optimal") == bool(wanted)
    greedy = SOLVERS["greedy"](problem, COUNT).allocations
    assert all(map(problem.fits, greedy))
    assert bool(greedy) == bool(wanted)  # with one budget, steps down end at the smallest network


@settings(max_examples=50, deadline=None)
@given(problems(2))
def test_two_budgets(problem: Problem) -> None:
    assert list(SOLVERS["milp"](problem, COUNT).allocations) == enumerated(problem)
    assert all(map(problem.fits, SOLVERS["greedy"](problem, COUNT).allocations))


def test_equal_damage_is_decided_by_cost_and_then_by_the_first_choice() -> None:
    damage = [np.array([1, 1, 1]), np.array([0, 0])]
    problem = Problem(damage, {"lut": [np.array([5, 3, 3]), np.array([2, 2])]}, {"lut": 9})
    for solver in ("milp", "dp", "greedy"):
        assert SOLVERS[solver](problem, 2).allocations[0] in {(1, 0), (0, 0)}
    for solver in ("milp", "dp"):
        assert list(SOLVERS[solver](problem, 3).allocations) == [(1, 0), (1, 1), (2, 0)]


def test_greedy_takes_what_saves_most_for_its_damage() -> None:
    problem = Problem(
        [np.array([9, 0]), np.array([1, 0])], {"lut": [np.array([0, 10]), np.array([4, 10])]}, {"lut": 15}
    )
    assert SOLVERS["greedy"](problem, 1).allocations == [(1, 0)]


def test_dynamic_programming_takes_one_budget() -> None:
    tables = [np.array([1])]
    with pytest.raises(ConfigError, match="solver dp takes one budget, not lut, dsp; use milp"):
        SOLVERS["dp"](Problem(tables, {"lut": tables, "dsp": tables}, {"lut": 1, "dsp": 1}), 1)


def test_damages_become_whole_shares_of_the_largest() -> None:
    assert [list(layer) for layer in whole_damage([np.array([-1.0, 2.0]), np.array([0.5, 1.5])])] == [
        [0, 750000],
        [0, 250000],
    ]
    assert list(whole_damage([np.zeros(2)])[0]) == [0, 0]
    with pytest.raises(ModelError, match="not finite"):
        whole_damage([np.array([np.inf])])
