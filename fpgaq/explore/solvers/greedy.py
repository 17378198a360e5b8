"""Stepping down: from the least damage, always the step that saves most for the damage it does."""

from __future__ import annotations

from collections.abc import Iterator

from fpgaq.explore.problem import Allocation, Problem, Solution


def solve_greedy(problem: Problem, count: int) -> Solution:
    """Return where the steps end, and what differs from it in one layer, within the budgets."""
    current = tuple(int(layer.argmin()) for layer in problem.damage)
    while not problem.fits(current):
        cheaper = [step for step in _steps(problem, current) if _excess(problem, step) < _excess(problem, current)]
        if not cheaper:
            return Solution([], "nothing within the budget on the way down")
        current = min(cheaper, key=lambda step: (-_gain(problem, current, step), problem.order(step)))
    around = {current, *(step for step in _steps(problem, current) if problem.fits(step))}
    return Solution(sorted(around, key=problem.order)[:count], "heuristic, within the budget")


def _steps(problem: Problem, current: Allocation) -> Iterator[Allocation]:
    """Give the allocations that differ in one layer."""
    for k, size in enumerate(problem.sizes):
        for choice in range(size):
            if choice != current[k]:
                yield (*current[:k], choice, *current[k + 1 :])


def _excess(problem: Problem, allocation: Allocation) -> float:
    """Return how far an allocation is above its budgets, as shares of them."""
    cost = problem.cost(allocation)
    return sum(max(cost[name] - limit, 0) / max(limit, 1) for name, limit in problem.limits.items())


def _gain(problem: Problem, current: Allocation, step: Allocation) -> float:
    """Return the excess that a step saves for its damage."""
    damage = problem.total_damage(step) - problem.total_damage(current)
    saved = _excess(problem, current) - _excess(problem, step)
    return saved / damage if damage > 0 else float("inf")
