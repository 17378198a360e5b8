"""An evolution whose children are sorted by a damage table before they are measured.

The table of the policy takes the place of a trained predictor of accuracy, as APQ has one.
"""

from __future__ import annotations

import numpy as np

from fpgaq.explore.problem import Allocation, Problem
from fpgaq.explore.searches.ledger import Ledger
from fpgaq.explore.searches.random_draws import draw, repaired

_POPULATION = 32
_MUTATION = 0.1
#: Children that are bred for each that is measured.
_SURPLUS = 4


def evolve(problem: Problem, ledger: Ledger) -> None:
    """Breed until the ledger is full."""
    first = [draw(problem, ledger.rng) for _ in range(_POPULATION)]
    parents = _measured({allocation for allocation in first if allocation is not None}, ledger)
    while ledger.is_open and parents:
        bred = {_child(problem, parents, ledger.rng) for _ in range(_SURPLUS * _POPULATION)}
        children = {child for child in bred if child is not None and child not in ledger.losses}
        if not children:
            ledger.skip(_POPULATION)
            continue
        promising = sorted(children, key=problem.order)[: _POPULATION // 2]
        parents = _measured({*parents, *promising}, ledger)[:_POPULATION]


def _measured(allocations: set[Allocation], ledger: Ledger) -> list[Allocation]:
    """Return allocations by their losses, those that may still be measured."""
    measured = [a for a in sorted(allocations) if a in ledger.losses or (ledger.is_open and ledger.loss(a) is not None)]
    return sorted(measured, key=lambda a: (ledger.losses[a], a))


def _child(problem: Problem, parents: list[Allocation], rng: np.random.Generator) -> Allocation | None:
    """Return a mixture of two of the better half, with some choices drawn anew, within the budgets."""
    better = parents[: max(len(parents) // 2, 2)]
    mother, father = (better[rng.integers(len(better))] for _ in range(2))
    genes = []
    for k, size in enumerate(problem.sizes):
        gene = mother[k] if rng.random() < 0.5 else father[k]
        genes.append(int(rng.integers(size)) if rng.random() < _MUTATION else gene)
    return repaired(problem, tuple(genes))
