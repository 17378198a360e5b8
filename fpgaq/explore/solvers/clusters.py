"""The form of lossy coding length that was published: layers are clustered by it, and clusters get ascending bits.

The paper knows no budget. Here all ascending bits for all numbers of clusters and several distortions are looked at,
and those within the budgets that spend most of them are given. Reconstructed from the idea.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from fpgaq.explore.network import Network
from fpgaq.explore.policies.coding_length import DISTORTIONS, rates
from fpgaq.explore.problem import Allocation, Problem, Solution

#: Its name among the solvers, and the policy that it belongs to.
CLUSTERS = "clusters"
CLUSTERED = "lossy-coding-length"


def solve_clusters(problem: Problem, network: Network, count: int) -> Solution:
    """Return the allocations of clusters within the budgets that spend most; `network` has one width of activations."""
    every = {a for share in DISTORTIONS for a in _ascending(network, list(rates(network, share).values()))}
    fitting = [allocation for allocation in every if problem.fits(allocation)]
    best = sorted(fitting, key=lambda allocation: (-problem.price(allocation), allocation))[:count]
    return Solution(best, "clusters of layers" if best else "no clusters within the budget")


def _ascending(network: Network, lengths: Sequence[float]) -> Iterator[Allocation]:
    """Give every clusters' number of them ascending bits, as the numbers of the first choice with so many."""
    offered = next(iter(network.choices.values()))
    first = {choice.weights: k for k, choice in reversed(list(enumerate(offered)))}
    for number in range(1, min(len(lengths), len(first)) + 1):
        of = clusters(lengths, number)
        for bits in itertools.combinations(sorted(first), number):
            yield tuple(first[bits[cluster]] for cluster in of)


def clusters(values: Sequence[float], number: int) -> list[int]:
    """Return the cluster of every value, ascending, of the clustering with the least sum of squares (exact, 1-D).

    Parameters
    ----------
    values : sequence of float
    number : int
        Of clusters, at most that of the values.
    """
    order = np.argsort(values, kind="stable")
    ascending = np.asarray(values, float)[order]

    def scatter(start: int, end: int) -> float:
        part = ascending[start:end]
        return float(((part - part.mean()) ** 2).sum())

    # For so many clusters of the first values: the least sum, and where clusters end.
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for _ in range(number):
        best = {
            end: min(
                (total + scatter(start, end), (*ends, end)) for start, (total, ends) in best.items() if start < end
            )
            for end in range(min(best) + 1, len(order) + 1)
        }
    found = np.empty(len(order), int)
    found[order] = np.repeat(np.arange(number), np.diff([0, *best[len(order)][1]]))
    return [int(cluster) for cluster in found]
