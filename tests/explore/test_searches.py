"""Searches that measure: within budgets, at most as many measurements as allowed, the same for the same seed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fpgaq.explore.problem import Problem
from fpgaq.explore.searches import SEARCHES, Ledger
from fpgaq.explore.searches.random_draws import draws, repaired

SIZES = (4, 4, 4, 4)
RNG = np.random.default_rng(0)
LOSSES = [np.sort(RNG.uniform(size=size))[::-1] for size in SIZES]
COST = [np.arange(1, size + 1) * scale for size, scale in zip(SIZES, (1, 5, 2, 3), strict=True)]
#: The damage table knows the order of the losses, not their amounts.
PROBLEM = Problem([np.arange(size)[::-1].astype(np.int64) for size in SIZES], {"lut": COST}, {"lut": 25})


def loss(allocation: tuple[int, ...]) -> float:
    return float(sum(layer[choice] for layer, choice in zip(LOSSES, allocation, strict=True)))


def ledger_of(search: str, seed: int, evaluations: int = 60, problem: Problem = PROBLEM) -> Ledger:
    ledger = Ledger(problem, loss, evaluations, seed)
    SEARCHES[search](problem, ledger)
    return ledger


@pytest.mark.parametrize("search", sorted(SEARCHES))
def test_they_find_what_random_draws_do_not(search: str) -> None:
    every = [a for a in itertools.product(*map(range, SIZES)) if PROBLEM.fits(a)]
    ranks = sorted(map(loss, every))
    found = []
    for seed in range(8):
        ledger = ledger_of(search, seed)
        assert all(map(PROBLEM.fits, ledger.losses))
        assert len(ledger.losses) <= 60
        found.append(ledger.losses[ledger.solution(1).allocations[0]])
    assert np.mean([ranks.index(value) for value in found]) < len(every) / 60 / 2, len(every)


@pytest.mark.parametrize("search", sorted(SEARCHES))
def test_a_seed_repeats(search: str) -> None:
    first, second, other = (ledger_of(search, seed).losses for seed in (3, 3, 4))
    assert list(first.items()) == list(second.items())
    assert list(first) != list(other)


@pytest.mark.parametrize("search", sorted(SEARCHES))
def test_a_space_with_little_in_it_ends(search: str) -> None:
    nothing = Problem(PROBLEM.damage, {"lut": COST}, {"lut": 10})
    assert not ledger_of(search, 0, problem=nothing).losses
    one = Problem(PROBLEM.damage, {"lut": COST}, {"lut": 11})
    assert list(ledger_of(search, 0, problem=one).losses) == [(0, 0, 0, 0)]


def test_repair_goes_from_the_last_layer_to_the_first() -> None:
    assert repaired(PROBLEM, (3, 3, 3, 3)) == (2, 1, 1, 1)
    assert repaired(PROBLEM, (0, 0, 0, 3)) == (0, 0, 0, 3)


def test_random_draws_are_different_and_within_the_budget() -> None:
    found = draws(PROBLEM, 10, 0)
    assert len(set(found)) == 10
    assert all(map(PROBLEM.fits, found))
    assert found == draws(PROBLEM, 10, 0)
