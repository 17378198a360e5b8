"""What a search has measured, and how much more it may."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fpgaq.explore.problem import Allocation, Problem, Solution

#: Draws a measurement that a search may take, so that one that only meets what it knows comes to an end.
_DRAWS = 20


class Ledger:
    """Measures allocations, each once.

    Parameters
    ----------
    problem : Problem
    measure : callable
        The loss of an allocation.
    evaluations : int
        Measurements that are allowed; an allocation that is known costs none.
    seed : int
    """

    def __init__(self, problem: Problem, measure: Callable[[Allocation], float], evaluations: int, seed: int) -> None:
        self.problem = problem
        self.losses: dict[Allocation, float] = {}
        self.rng = np.random.default_rng(seed)
        self._measure = measure
        self._evaluations = evaluations
        self._draws = _DRAWS * evaluations

    @property
    def is_open(self) -> bool:
        """Whether more may be measured."""
        return len(self.losses) < self._evaluations and self._draws > 0

    @property
    def progress(self) -> float:
        """The share of the measurements that is spent, 0 to 1."""
        return min(max(len(self.losses) / self._evaluations, 1 - self._draws / (_DRAWS * self._evaluations)), 1.0)

    def loss(self, allocation: Allocation) -> float:
        """Return the loss of an allocation within the budgets."""
        self.skip()
        if allocation not in self.losses:
            self.losses[allocation] = self._measure(allocation)
        return self.losses[allocation]

    def skip(self, draws: int = 1) -> None:
        """Count draws that are not measured."""
        self._draws -= draws

    def solution(self, count: int) -> Solution:
        """Return the best of what was measured."""
        best = sorted(self.losses, key=lambda a: (self.losses[a], *self.problem.order(a)))[:count]
        return Solution(best, f"heuristic, {len(self.losses)} evaluations")
