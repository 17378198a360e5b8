"""Annealing with a memory of good choices, after AMED.

AMED's Markov process, with the hardware's own figures and a penalty below a quality, is known; its exact update is not.
This is a reconstruction: Metropolis acceptance of steps of one choice in one layer, over losses measured after
quantization instead of epochs of training, with a moving average of the quality of every choice that steers the steps.
"""

from __future__ import annotations

import math

import numpy as np

from fpgaq.explore.problem import Allocation, Problem
from fpgaq.explore.searches.ledger import Ledger
from fpgaq.explore.searches.random_draws import draw

_HOT, _COLD = 0.3, 0.01
_MEMORY = 0.8
_TOLERATED, _PENALTY = 0.1, 1.0
_STEERING = 2.0
#: Steps to what is known after which the walk goes on somewhere else.
_PATIENCE = 20


def anneal(problem: Problem, ledger: Ledger) -> None:
    """Walk until the ledger is full; allocations above a budget are never measured."""
    current = draw(problem, ledger.rng)
    if current is None:
        return
    unit = max(ledger.loss(current), 1e-9)  # temperatures are shares of the first loss
    quality = [np.zeros(size) for size in problem.sizes]
    score, highest, stale = -1.0, -1.0, 0
    while ledger.is_open:
        step = _step(problem, current, quality, ledger.rng)
        stale = stale + 1 if step in ledger.losses else 0
        if stale == _PATIENCE:  # everything around is known
            step, score, stale = draw(problem, ledger.rng) or step, -math.inf, 0
        if not problem.fits(step):
            ledger.skip()
            continue
        plain = -ledger.loss(step) / unit
        highest = max(highest, plain)
        found = plain - _PENALTY * max(highest - _TOLERATED - plain, 0.0)
        for layer, choice in zip(quality, step, strict=True):
            layer[choice] = _MEMORY * layer[choice] + (1 - _MEMORY) * np.clip(found - score, -1, 1)
        temperature = _HOT * (_COLD / _HOT) ** ledger.progress
        if found >= score or ledger.rng.random() < math.exp((found - score) / temperature):
            current, score = step, found


def _step(problem: Problem, current: Allocation, quality: list[np.ndarray], rng: np.random.Generator) -> Allocation:
    """Return another allocation: one layer a choice up or down, rather where it was good before.

    Where that is above a budget, another layer goes down: near the budget single steps lead nowhere.
    """
    moves = [
        (k, choice)
        for k, size in enumerate(problem.sizes)
        for choice in (current[k] - 1, current[k] + 1)
        if 0 <= choice < size
    ]
    if not moves:
        return current
    gains = np.array([quality[k][choice] - quality[k][current[k]] for k, choice in moves])
    weights = np.exp(_STEERING * np.clip(gains, -1, 1))
    k, choice = moves[rng.choice(len(moves), p=weights / weights.sum())]
    step = [*current]
    step[k] = choice
    others = [other for other in range(len(step)) if other != k and step[other] > 0]
    if others and not problem.fits(tuple(step)):
        step[others[rng.integers(len(others))]] -= 1
    return tuple(step)
