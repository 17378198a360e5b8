"""Random allocations within budgets."""

from __future__ import annotations

import numpy as np

from fpgaq.explore.budget import within
from fpgaq.explore.problem import Allocation, Problem

_DRAWS = 100


def repaired(problem: Problem, allocation: Allocation) -> Allocation | None:
    """Return an allocation within the budgets: from the last layer backwards, choices become cheaper by one step.

    None where steps in cost come to an end before the budgets are met. The rule is the one of HAQ.
    """
    current = list(allocation)
    while not problem.fits(tuple(current)):
        before = list(current)
        for k in reversed(range(len(current))):
            cheaper = [c for c, price in enumerate(problem.prices[k]) if price < problem.prices[k][current[k]]]
            if cheaper:
                current[k] = max(cheaper, key=lambda c: (problem.prices[k][c], -c))
            if problem.fits(tuple(current)):
                break
        if current == before:
            return None
    return tuple(current)


def draw(problem: Problem, rng: np.random.Generator) -> Allocation | None:
    """Return a random allocation within the budgets, all equally likely; a repaired one where they are rare."""
    if not within(problem.smallest(), problem.limits):
        return None
    allocation: Allocation = ()
    for _ in range(_DRAWS):
        allocation = tuple(int(rng.integers(size)) for size in problem.sizes)
        if problem.fits(allocation):
            return allocation
    return repaired(problem, allocation)


def draws(problem: Problem, count: int, seed: int) -> list[Allocation]:
    """Return so many different random allocations, fewer where there are not as many."""
    rng = np.random.default_rng(seed)
    found = [draw(problem, rng) for _ in range(4 * count)]
    return list(dict.fromkeys(allocation for allocation in found if allocation is not None))[:count]
