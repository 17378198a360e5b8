"""All choices of a network at one width of its activations: what they cost, and the network that tries them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fpgaq.config import Options
from fpgaq.explore.costs import corrected, uniform_costs
from fpgaq.explore.network import Data, Network
from fpgaq.explore.policies import POLICIES
from fpgaq.explore.problem import Allocation, Problem, Solution, Whole, whole_damage
from fpgaq.explore.searches import SEARCHES, Ledger
from fpgaq.explore.solvers import SOLVERS
from fpgaq.quantize.requantize import Choice, matrices, quantized_kernels, requantized

#: Candidates of a policy that are measured.
TOP = 10
#: Samples that losses are measured on.
_SAMPLES = 1024


@dataclass(frozen=True)
class Space:
    """The choices of all layers.

    Parameters
    ----------
    network : Network
    costs : mapping of int arrays by resource, one a layer
    """

    network: Network
    costs: Mapping[str, Sequence[Whole]]

    @property
    def uniform(self) -> Iterator[Allocation]:
        """The allocations with one choice for all layers."""
        return ((choice,) * len(self.network.layers) for choice in range(len(self.network.choices)))

    def layers(self, allocation: Allocation) -> dict[str, Choice]:
        """Return the choice of every layer by its name."""
        return {name: self.network.choices[c] for name, c in zip(self.network.layers, allocation, strict=True)}

    def free(self, limits: Mapping[str, int]) -> Problem:
        """Return the problem without any damage."""
        nothing = [np.zeros(len(self.network.choices), np.int64) for _ in self.network.layers]
        return Problem(nothing, self.costs, limits)

    def tables(self, policy: str) -> dict[str, list[Whole]]:
        """Return the damages of a policy, by the value of its parameter."""
        return {name: whole_damage(table) for name, table in POLICIES[policy](self.network).items()}

    def solved(
        self, tables: Mapping[str, list[Whole]], limits: Mapping[str, int], solver: str, evaluations: int, seed: int
    ) -> tuple[Problem, Solution]:
        """Return the problem and its solution; of several tables the one whose best allocation has the least loss."""
        found = []
        for name, damage in tables.items():
            problem = Problem(damage, self.costs, limits)
            if solver in SEARCHES:
                ledger = Ledger(problem, self.network.loss, evaluations, seed)
                SEARCHES[solver](problem, ledger)
                solution = ledger.solution(TOP)
            else:
                solution = SOLVERS[solver](problem, TOP)
            status = f"{solution.status}, {name}" if name else solution.status
            loss = self.network.loss(solution.allocations[0]) if solution.allocations else np.inf
            found.append((loss, problem, Solution(solution.allocations, status)))
        return min(found, key=lambda entry: entry[0])[1:]


def measured_space(
    model: Any, choices: Sequence[Choice], calibration: Data, options: Options, *, fast: bool = False
) -> Space:
    """Quantize every layer with every choice, and estimate what each costs.

    With `fast` only the choice in the middle is estimated in full, and says by how much the others are off.
    """
    counts = {name: int(model.get_layer(name).weights[0].shape.num_elements()) for name in matrices(model)}
    kernels, costs = [], []
    middle = len(choices) // 2
    for k, choice in enumerate(choices):
        quantized = requantized(model, choice, calibration.x)
        kernels.append(quantized_kernels(quantized))
        costs.append(uniform_costs(quantized, counts, choice, options, fast=fast))
        if fast and k == middle:
            known = uniform_costs(quantized, counts, choice, options)
    if fast:
        costs = corrected(costs, known, middle)
    by_resource = {name: list(np.stack([cost[name] for cost in costs], axis=1)) for name in costs[0]}
    return Space(Network(model, quantized, choices, kernels, calibration.first(_SAMPLES)), by_resource)
