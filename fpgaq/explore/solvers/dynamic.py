"""Exact dynamic programming for one budget: layer after layer, all sums that may still become one of the best."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from fpgaq.errors import ConfigError
from fpgaq.explore.problem import Allocation, Problem, Solution


class _State(NamedTuple):
    """The layers so far; states are ordered as `_kept` wants them."""

    cost: int
    damage: int
    chosen: Allocation


def solve_dynamic(problem: Problem, count: int) -> Solution:
    """Return the best allocations within one budget.

    Raises
    ------
    ConfigError
        If there are several budgets.
    """
    if len(problem.limits) != 1:
        raise ConfigError(f"solver dp takes one budget, not {', '.join(problem.limits)}; use milp")
    ((resource, limit),) = problem.limits.items()
    costs = problem.costs[resource]
    least = [int(layer.min()) for layer in costs]
    states = [_State(0, 0, ())]
    for k, layer in enumerate(costs):
        room = limit - sum(least[k + 1 :])
        longer = (
            _State(state.cost + int(layer[c]), state.damage + int(problem.damage[k][c]), (*state.chosen, c))
            for state in states
            for c in range(len(layer))
        )
        states = _kept((state for state in longer if state.cost <= room), count)
    best = sorted((state.chosen for state in states), key=problem.order)[:count]
    return Solution(best, "optimal (exact)" if best else "nothing within the budget")


def _kept(states: Iterable[_State], count: int) -> list[_State]:
    """Return the states that have fewer than `count` others that are better in cost and in damage."""
    kept: list[_State] = []
    best: list[tuple[int, ...]] = []  # a heap of the least damages so far, the largest of them first
    for state in sorted(states):
        entry = (-state.damage,)
        if len(best) == count and entry <= best[0]:
            continue
        heapq.heappush(best, entry)
        if len(best) > count:
            heapq.heappop(best)
        kept.append(state)
    return kept
