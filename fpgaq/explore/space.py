"""All choices of a network: what they cost layer by layer, and the network that tries them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fpgaq.config import Options
from fpgaq.explore.costs import corrected, uniform_costs
from fpgaq.explore.network import Data, Network, Rounded
from fpgaq.explore.policies import POLICIES
from fpgaq.explore.problem import Allocation, Problem, Solution, Whole, whole_damage
from fpgaq.explore.searches import SEARCHES, Ledger
from fpgaq.explore.solvers import SOLVERS
from fpgaq.explore.solvers.clusters import CLUSTERS, solve_clusters
from fpgaq.quantize.requantize import Choice, matrices, requantized

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
        Of the layer's choices.
    """

    network: Network
    costs: Mapping[str, Sequence[Whole]]

    @property
    def uniform(self) -> Iterator[Allocation]:
        """The allocations with one choice for all layers."""
        for choice in self.network.grid:
            yield tuple(_place(offered, choice) for offered in self.network.choices.values())

    @property
    def widths(self) -> list[int | None]:
        """Bits of activations that there are."""
        return list(dict.fromkeys(choice.activations for choice in self.network.grid))

    def at(self, activations: int | None) -> Space:
        """Return the space of one width of activations."""
        network = self.network.at(activations)
        kept = [
            [_place(offered, choice) for choice in network.choices[name]]
            for name, offered in self.network.choices.items()
        ]
        return Space(network, {name: [t[k] for t, k in zip(c, kept, strict=True)] for name, c in self.costs.items()})

    def chosen(self, allocation: Allocation) -> list[Choice]:
        """Return what an allocation chooses; activations are those that a layer takes."""
        return [offered[c] for offered, c in zip(self.network.choices.values(), allocation, strict=True)]

    def layers(self, allocation: Allocation) -> dict[str, Choice]:
        """Return the choice of every layer by its name, with the activations of the rectifier behind it, if any."""
        chosen = self.chosen(allocation)
        widths = self.network.widths(chosen)
        return {
            name: replace(choice, activations=widths.get(name))
            for name, choice in zip(self.network.layers, chosen, strict=True)
        }

    def loss(self, allocation: Allocation) -> float:
        """Return the loss of an allocation on the calibration data."""
        return self.network.loss(self.chosen(allocation))

    def accuracy(self, allocation: Allocation, data: Data) -> float:
        """Return the share of right classes on labelled data."""
        return self.network.accuracy(self.chosen(allocation), data)

    def free(self, limits: Mapping[str, int]) -> Problem:
        """Return the problem without any damage."""
        nothing = [np.zeros(len(offered), np.int64) for offered in self.network.choices.values()]
        return Problem(nothing, self.costs, limits)

    def tables(self, policy: str) -> dict[str, list[Whole]]:
        """Return the damages of a policy, by the value of its parameter."""
        return {name: whole_damage(table) for name, table in POLICIES[policy](self.network).items()}

    def solved(
        self, tables: Mapping[str, list[Whole]], limits: Mapping[str, int], solver: str, evaluations: int, seed: int
    ) -> tuple[Problem, Solution]:
        """Return the problem and its solution; of several tables the one whose best allocation has the least loss."""
        if solver == CLUSTERS:  # it asks for no damage
            problem = Problem(next(iter(tables.values())), self.costs, limits)
            return problem, solve_clusters(problem, self.network, TOP)
        found = []
        for name, damage in tables.items():
            problem = Problem(damage, self.costs, limits)
            if solver in SEARCHES:
                ledger = Ledger(problem, self.loss, evaluations, seed)
                SEARCHES[solver](problem, ledger)
                solution = ledger.solution(TOP)
            else:
                solution = SOLVERS[solver](problem, TOP)
            status = f"{solution.status}, {name}" if name else solution.status
            loss = self.loss(solution.allocations[0]) if solution.allocations else np.inf
            found.append((loss, problem, Solution(solution.allocations, status)))
        return min(found, key=lambda entry: entry[0])[1:]


def _place(offered: Sequence[Choice], choice: Choice) -> int:
    """Return the number of a choice; a layer behind inputs of the network is offered its weights alone."""
    return offered.index(choice if choice in offered else replace(choice, activations=offered[0].activations))


def measured_space(
    model: Any,
    choices: Sequence[Choice],
    calibration: Data,
    options: Options,
    *,
    fast: bool = False,
    made: Callable[[Any, Choice, Any], Any] = requantized,
) -> Space:
    """Quantize every layer with every choice, and estimate what each costs.

    With `fast` only the choice in the middle of every width of activations is estimated in full, and says by how much
    the others are off. `made` returns the model with a choice everywhere, given calibration data.
    """
    counts = {name: int(model.get_layer(name).weights[0].shape.num_elements()) for name in matrices(model)}
    copies = {choice: made(model, choice, calibration.x) for choice in choices}
    costs: dict[Choice, dict[str, Whole]] = {}
    for width in dict.fromkeys(choice.activations for choice in choices):
        same = [choice for choice in choices if choice.activations == width]
        found = [uniform_costs(copies[choice], counts, choice, options, fast=fast) for choice in same]
        if fast:
            middle = len(same) // 2
            known = uniform_costs(copies[same[middle]], counts, same[middle], options)
            found = corrected(found, known, middle)
        costs |= dict(zip(same, found, strict=True))
    network = Network(model, Rounded.of(choices, list(copies.values())), choices, calibration.first(_SAMPLES))
    by_resource = {
        name: [
            np.array([costs[choice][name][k] for choice in offered])
            for k, offered in enumerate(network.choices.values())
        ]
        for name in costs[choices[0]]
    }
    return Space(network, by_resource)
