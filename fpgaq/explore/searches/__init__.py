"""Searches: allocations within budgets by measured loss, compared at equal numbers of measurements."""

from __future__ import annotations

from collections.abc import Callable

from fpgaq.explore.problem import Problem
from fpgaq.explore.searches.anneal import anneal
from fpgaq.explore.searches.evolution import evolve
from fpgaq.explore.searches.ledger import Ledger
from fpgaq.explore.searches.reinforce import reinforce

#: By name; each measures allocations until the ledger is full.
SEARCHES: dict[str, Callable[[Problem, Ledger], None]] = {"anneal": anneal, "reinforce": reinforce, "evolution": evolve}
