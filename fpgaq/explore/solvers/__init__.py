"""Solvers: the allocations of least damage within budgets."""

from __future__ import annotations

from collections.abc import Callable

from fpgaq.explore.problem import Problem, Solution
from fpgaq.explore.solvers.dynamic import solve_dynamic
from fpgaq.explore.solvers.greedy import solve_greedy
from fpgaq.explore.solvers.milp import solve_milp

#: By name; each gives at most so many allocations, the best one first.
SOLVERS: dict[str, Callable[[Problem, int], Solution]] = {
    "milp": solve_milp,
    "dp": solve_dynamic,
    "greedy": solve_greedy,
}
