"""Policy gradients over independent choices, after FLIQS.

FLIQS trains weights and policy in one run, with an entropy bonus that decays as a cosine. This is a reconstruction of
its policy: REINFORCE over losses measured after quantization, without training of weights.
"""

from __future__ import annotations

import math

import numpy as np

from fpgaq.explore.problem import Allocation, Problem
from fpgaq.explore.searches.ledger import Ledger
from fpgaq.explore.searches.random_draws import repaired

_RATE = 0.5
_ENTROPY = 0.1
_BASELINE = 0.9
_UNSPENT = 0.1


def reinforce(problem: Problem, ledger: Ledger) -> None:
    """Draw, repair to the budgets, measure and learn, until the ledger is full."""
    logits = [np.zeros(size) for size in problem.sizes]
    unit, baseline = 0.0, None
    while ledger.is_open:
        chances = [_softmax(layer) for layer in logits]
        drawn = repaired(problem, tuple(int(ledger.rng.choice(len(p), p=p)) for p in chances))
        if drawn is None:
            ledger.skip()
            continue
        loss = ledger.loss(drawn)
        unit = unit or max(loss, 1e-9)
        reward = -loss / unit - _UNSPENT * _unspent(problem, drawn)
        baseline = reward if baseline is None else _BASELINE * baseline + (1 - _BASELINE) * reward
        bonus = _ENTROPY * (1 + math.cos(math.pi * ledger.progress)) / 2
        for layer, p, choice in zip(logits, chances, drawn, strict=True):
            gradient = -p * (reward - baseline)
            gradient[choice] += reward - baseline
            layer += _RATE * (gradient + bonus * _entropy_gradient(p))


def _unspent(problem: Problem, allocation: Allocation) -> float:
    """Return how far the tightest budget is from being spent, as a share of it."""
    cost = problem.cost(allocation)
    return min((abs(cost[name] / limit - 1) for name, limit in problem.limits.items() if limit), default=0.0)


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def _entropy_gradient(p: np.ndarray) -> np.ndarray:
    logs = np.log(np.maximum(p, 1e-12))
    return np.asarray(-p * (logs - (p * logs).sum()))
