"""Integer linear programming: one binary a choice, any number of budgets, solved by HiGHS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.explore.problem import Allocation, Problem, Solution

#: Seconds of one solution.
_PATIENCE = 60.0

Row = NDArray[np.float64]


class _Program:
    """The constraints of a problem; those that are added exclude what was found."""

    def __init__(self, problem: Problem) -> None:
        self.sizes = problem.sizes
        self.starts = np.cumsum([0, *self.sizes])
        self.rows: list[Row] = []
        self.low: list[float] = []
        self.high: list[float] = []
        for start, end in zip(self.starts, self.starts[1:], strict=False):
            row = np.zeros(self.starts[-1])
            row[start:end] = 1
            self.add(row, 1, 1)
        for name, limit in problem.limits.items():
            self.add(np.concatenate(problem.costs[name]).astype(float), -np.inf, limit)

    def add(self, row: Row, low: float, high: float) -> None:
        self.rows.append(row)
        self.low.append(low)
        self.high.append(high)

    def exclude(self, allocation: Allocation) -> None:
        """Ask for another choice in at least one layer."""
        row = np.zeros(self.starts[-1])
        row[self.starts[:-1] + np.asarray(allocation)] = 1
        self.add(row, -np.inf, len(allocation) - 1)

    def solve(self, objective: Row) -> tuple[Allocation | None, Any]:
        """Return an allocation of least objective, None if there is none, and what HiGHS says."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        found = milp(
            objective,
            integrality=np.ones(len(objective)),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(np.array(self.rows), self.low, self.high),
            options={"time_limit": _PATIENCE, "mip_rel_gap": 0.0},
        )
        if found.x is None:
            return None, found
        parts = np.split(found.x, self.starts[1:-1])
        return tuple(int(part.argmax()) for part in parts), found

    def least(self, objective: Row) -> tuple[Allocation | None, Any]:
        """Solve, and keep the objective at its least from now on."""
        allocation, found = self.solve(objective)
        if allocation is not None:
            least = float(objective[self.starts[:-1] + np.asarray(allocation)].sum())
            self.add(objective, -np.inf, least + 0.5)
        return allocation, found


def solve_milp(problem: Problem, count: int) -> Solution:
    """Return the best allocations within all budgets, one after the other."""
    program = _Program(problem)
    found: list[Allocation] = []
    statuses: list[Any] = []
    while len(found) < count:
        allocation, status = _best(program, problem)
        if allocation is None:
            if not found:
                return Solution([], str(status.message))
            break
        program.exclude(allocation)
        if problem.fits(allocation):  # HiGHS keeps constraints to a tolerance
            found.append(allocation)
            statuses.append(status)
    optimal = all(status.status == 0 for status in statuses)
    return Solution(found, "optimal (HiGHS)" if optimal else f"within the time limit (HiGHS): {statuses[0].message}")


def _best(program: _Program, problem: Problem) -> tuple[Allocation | None, Any]:
    """Return the first allocation in the order of the problem."""
    tied = len(program.rows)
    try:
        best, status = program.least(np.concatenate(problem.damage).astype(float))
        if best is None or status.status != 0:
            return best, status
        best = program.least(np.concatenate(problem.prices).astype(float))[0] or best
        if _is_alone(program, best):
            return best, status
        for k, size in enumerate(program.sizes):
            numbers = np.zeros(program.starts[-1])
            numbers[program.starts[k] : program.starts[k + 1]] = np.arange(size)
            best = program.least(numbers)[0] or best
        return best, status
    finally:
        for rows in (program.rows, program.low, program.high):
            del rows[tied:]


def _is_alone(program: _Program, best: Allocation) -> bool:
    """Whether nothing else is as good."""
    program.exclude(best)
    other, _ = program.solve(np.zeros(program.starts[-1]))
    for rows in (program.rows, program.low, program.high):
        del rows[-1]
    return other is None
