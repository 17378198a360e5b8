"""Choosing bits as a table: what every choice of every layer costs and damages, and what may be spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ModelError

#: The number of its choice for every layer.
Allocation = tuple[int, ...]
Whole = NDArray[np.int64]

#: Whole units that the largest damage of all layers together is divided into: ties are ties for every solver.
_DAMAGE_UNITS = 10**6
_PRICE_UNITS = 10**6


@dataclass(frozen=True)
class Problem:
    """Least damage within budgets.

    Parameters
    ----------
    damage : sequence of int arrays, shape (choices,), one a layer
        What a choice does to the network; lower is better.
    costs : mapping of the same by resource
    limits : mapping of int
        The most that may be spent of a resource; others are free.
    """

    damage: Sequence[Whole]
    costs: Mapping[str, Sequence[Whole]]
    limits: Mapping[str, int]

    @property
    def sizes(self) -> list[int]:
        """The number of choices of every layer."""
        return [len(layer) for layer in self.damage]

    @cached_property
    def prices(self) -> Sequence[Whole]:
        """What is limited as one number: shares of the budgets, which decide between equal damages."""
        weights = {name: max(_PRICE_UNITS // limit, 1) for name, limit in self.limits.items() if limit > 0}
        layers = range(len(self.damage))
        zeros = [np.zeros(size, np.int64) for size in self.sizes]
        return [zeros[k] + sum(weight * self.costs[name][k] for name, weight in weights.items()) for k in layers]

    def cost(self, allocation: Allocation) -> dict[str, int]:
        """Return what an allocation takes of every resource."""
        return {name: _sum(table, allocation) for name, table in self.costs.items()}

    def total_damage(self, allocation: Allocation) -> int:
        """Return the damage of an allocation."""
        return _sum(self.damage, allocation)

    def price(self, allocation: Allocation) -> int:
        """Return what an allocation takes of all budgets together, in shares of them."""
        return _sum(self.prices, allocation)

    def fits(self, allocation: Allocation) -> bool:
        """Whether an allocation is within every budget."""
        return all(_sum(self.costs[name], allocation) <= limit for name, limit in self.limits.items())

    def order(self, allocation: Allocation) -> tuple[int, int, Allocation]:
        """Return what allocations are ordered by: damage, then cost, then the numbers of the choices."""
        return self.total_damage(allocation), self.price(allocation), allocation

    def smallest(self) -> dict[str, int]:
        """Return the least that the network can take of every limited resource, each for itself."""
        return {name: int(sum(layer.min() for layer in self.costs[name])) for name in self.limits}


@dataclass(frozen=True)
class Solution:
    """What a solver found.

    Parameters
    ----------
    allocations : sequence of Allocation
        Within the budgets, the best one first; none if nothing was found.
    status : str
        What is known about them.
    """

    allocations: Sequence[Allocation]
    status: str


def whole_damage(damage: Sequence[NDArray[np.float64]]) -> list[Whole]:
    """Return damages as whole numbers; the least of every layer is 0.

    Raises
    ------
    ModelError
        If one is no number.
    """
    if not all(np.isfinite(layer).all() for layer in damage):
        raise ModelError("the damage of a choice is not finite: the network's outputs overflow on the calibration data")
    above = [layer - layer.min() for layer in damage]
    most = sum(float(layer.max()) for layer in above) or 1.0
    return [np.rint(layer / most * _DAMAGE_UNITS).astype(np.int64) for layer in above]


def _sum(table: Sequence[Whole], allocation: Allocation) -> int:
    return int(sum(layer[choice] for layer, choice in zip(table, allocation, strict=True)))
