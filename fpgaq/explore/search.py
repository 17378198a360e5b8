"""A search: choices within a budget are proposed, measured, estimated as whole networks, and one of them wins."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fpgaq.config import Options
from fpgaq.errors import ConfigError
from fpgaq.explore.budget import nothing_fits, within
from fpgaq.explore.candidates import Candidate
from fpgaq.explore.costs import whole_cost
from fpgaq.explore.evaluate import train
from fpgaq.explore.network import Data, Network, accuracy_of_model
from fpgaq.explore.policies import MEASURED
from fpgaq.explore.problem import Problem
from fpgaq.explore.searches import SEARCHES
from fpgaq.explore.searches.random_draws import draws
from fpgaq.explore.solvers.clusters import CLUSTERS
from fpgaq.explore.space import TOP, Space, measured_space
from fpgaq.progress import Progress
from fpgaq.quantize.requantize import Choice, requantized

_RANDOM = 10
#: Candidates that are trained.
_TRAINED = 3
#: Tries with smaller budgets where no whole network was within them.
_TRIES = 4


@dataclass(frozen=True)
class Task:
    """What to search.

    Parameters
    ----------
    model : keras.Model
        Trained.
    options : Options
        Of the conversion.
    limits : mapping of int
        Budgets.
    choices : sequence of Choice
        Of a layer.
    policy, solver : str
    calibration : Data
        For the ranges of activations and for losses.
    test : Data or None
        For accuracy.
    evaluations : int
        Of the searches that measure.
    epochs : int
        Of training of the finalists.
    seed : int
    fast : bool
        Whether costs of layers come from fast estimates.
    """

    model: Any
    options: Options
    limits: Mapping[str, int]
    choices: Sequence[Choice]
    policy: str
    solver: str
    calibration: Data
    test: Data | None
    evaluations: int = 200
    epochs: int = 0
    seed: int = 0
    fast: bool = False


@dataclass(frozen=True)
class Found:
    """What came out.

    Parameters
    ----------
    candidates : sequence of Candidate
        The best first.
    winner : Candidate
    model : keras.Model
        The winner's.
    statuses : sequence of str
        What the solver said.
    """

    candidates: Sequence[Candidate]
    winner: Candidate
    model: Any
    statuses: Sequence[str]


def search(task: Task, progress: Progress) -> Found:
    """Search.

    Raises
    ------
    ConfigError
        If nothing is within the budgets.
    """
    with progress.phase("costs", "estimating every choice of every layer"):
        spaces = _spaces(task, measured_space(task.model, task.choices, task.calibration, task.options, fast=task.fast))
    problems = [space.free(task.limits) for space in spaces]
    spaces = [space for space, problem in zip(spaces, problems, strict=True) if within(problem.smallest(), task.limits)]
    if not spaces:
        raise nothing_fits(problems)
    with progress.phase("damage", f"policy {task.policy}"):
        tables = [space.tables(task.policy) for space in spaces]
    limits, candidates = dict(task.limits), dict[tuple[object, ...], Candidate]()
    for _ in range(_TRIES):
        with progress.phase("solve", f"solver {task.solver} and baselines"):
            statuses = []
            for space, table in zip(spaces, tables, strict=True):
                problem, solution = space.solved(table, limits, task.solver, task.evaluations, task.seed)
                statuses.append(f"{solution.status} (activations of {', '.join(map(str, space.widths))} bits)")
                for candidate in _candidates(task, space, problem, solution.allocations):
                    candidates.setdefault(tuple(candidate.layers.items()), candidate)
        if not any(candidate.fits for candidate in candidates.values()):
            raise nothing_fits(problems)
        with progress.phase("whole", "estimating the best candidates as whole networks"):
            chosen, model = _winner(task, spaces[0].network, list(candidates.values()))
        if chosen is not None:
            chosen.chosen = True
            return Found(sorted(candidates.values(), key=lambda c: c.order), chosen, model, statuses)
        limits = _smaller(limits, task.limits, list(candidates.values()))
    closest = _closest(task.limits, list(candidates.values()))
    raise ConfigError(f"candidates are within the budget layer by layer, but no whole network is; closest is {closest}")


def _spaces(task: Task, space: Space) -> list[Space]:
    """Return what is solved: all bits of activations together, and every width of them for itself.

    What only knows weights would always take the narrowest activations; a search that measures needs no other spaces.
    """
    if len(space.widths) == 1:
        return [space]
    each = [space.at(width) for width in space.widths]
    if task.policy not in MEASURED or task.solver == CLUSTERS:
        return each
    return [space] if task.solver in SEARCHES else [space, *each]


def _candidates(
    task: Task, space: Space, problem: Problem, allocations: Sequence[tuple[int, ...]]
) -> Iterator[Candidate]:
    """Give what the policy found, and the baselines."""
    source = task.solver if task.solver in SEARCHES else task.policy
    baselines = [("uniform", a) for a in space.uniform]
    baselines += [("random", a) for a in draws(problem, _RANDOM, task.seed)]
    for origin, allocation in [*((source, a) for a in allocations), *baselines]:
        cost = problem.cost(allocation)
        accuracy = None if task.test is None else space.accuracy(allocation, task.test)
        yield Candidate(
            origin,
            space.layers(allocation),
            allocation,
            problem.total_damage(allocation),
            cost,
            space.loss(allocation),
            accuracy,
            within(cost, task.limits),
        )


def _winner(task: Task, network: Network, candidates: Sequence[Candidate]) -> tuple[Candidate | None, Any]:
    """Estimate candidates as whole networks, the best ones first, until one is within the budgets; train some."""
    wanted = _TRAINED if task.epochs else 1
    good: list[tuple[Candidate, Any]] = []
    for candidate in sorted((c for c in candidates if c.fits), key=lambda c: c.order)[:TOP]:
        model = requantized(task.model, candidate.layers, task.calibration.x)
        _estimate(task, candidate, model)
        if candidate.fits and task.epochs:
            _train(task, network, candidate, model)
        if candidate.fits:
            good.append((candidate, model))
        if len(good) == wanted:
            break
    return min(good, key=lambda pair: pair[0].order, default=(None, None))


def _estimate(task: Task, candidate: Candidate, model: Any) -> None:
    candidate.whole = whole_cost(model, task.options, candidate.cost["size"])
    candidate.fits = within(candidate.whole.value, task.limits)


def _train(task: Task, network: Network, candidate: Candidate, model: Any) -> None:
    """Train a finalist; other weights have another loss, and cost something else."""
    assert task.calibration.labels is not None
    train(model, task.calibration.x, task.calibration.labels, task.epochs)
    candidate.epochs, candidate.loss = task.epochs, network.loss_of(model)
    candidate.accuracy = None if task.test is None else accuracy_of_model(model, task.test)
    _estimate(task, candidate, model)


def _smaller(limits: Mapping[str, int], wanted: Mapping[str, int], candidates: Sequence[Candidate]) -> dict[str, int]:
    """Return budgets for the sums over layers, smaller by what whole networks were above the wanted ones."""
    found = dict(limits)
    wholes = [candidate.whole.value for candidate in candidates if candidate.whole is not None]
    for name, limit in limits.items():
        least = min(whole[name] for whole in wholes)
        if least > wanted[name]:
            found[name] = min(limit - 1, math.floor(limit * wanted[name] / least))
    return found


def _closest(limits: Mapping[str, int], candidates: Sequence[Candidate]) -> str:
    """Return what the whole network that is least above the budgets takes, in words."""
    wholes = [candidate.whole.value for candidate in candidates if candidate.whole is not None]
    closest = min(wholes, key=lambda whole: sum(max(whole[n] - m, 0) / max(m, 1) for n, m in limits.items()))
    return ", ".join(f"{name} {closest[name]} (budget {limit})" for name, limit in limits.items())
