"""Tries decompositions and keeps the cheapest graph. Imported when a matrix is solved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpgaq.cmvm._assemble import assemble
from fpgaq.cmvm._decompose import decompositions, separate
from fpgaq.cmvm._levels import allowed_levels, least_levels
from fpgaq.cmvm._patterns import Patterns, find_patterns
from fpgaq.cmvm._slack import without_idle_pairs
from fpgaq.cmvm._system import System
from fpgaq.cmvm.compose import followed, side_by_side
from fpgaq.cmvm.csd import digit_counts
from fpgaq.cmvm.graph import AdderGraph
from fpgaq.errors import ConfigError

LEVEL_PRICE = 1  # percent of the added bits that one level of adders less is worth, as registers of a pipeline
DIGIT_BUDGET = 30_000  # digits searched in all attempts together: seconds, whatever the size of the matrix
BLOCK_DIGITS = 12_000  # digits of a matrix that is searched as a whole
MOST_ATTEMPTS = 40
NOISE = 15  # percent; between 5 and 30 makes little difference


def cheapest_graph(
    weights: NDArray[np.int64],
    bounds: list[tuple[int, int]],
    offsets: list[int],
    adder_inputs: int,
    max_depth: int | None,
) -> AdderGraph:
    """The best graph of a fixed number of attempts; arguments as for `solve`, checked.

    A large matrix is cut into blocks of inputs, whose sums are added: the time of an attempt grows faster than the
    matrix, and what all outputs share is mostly sums of few inputs.
    """
    blocks = -(-int(digit_counts(weights).sum()) // BLOCK_DIGITS)
    if blocks > 1 and max_depth is None:
        return _in_blocks(weights, bounds, offsets, adder_inputs, min(blocks, len(weights)))
    return _cheapest(weights, bounds, offsets, adder_inputs, max_depth, DIGIT_BUDGET)


def _in_blocks(
    weights: NDArray[np.int64], bounds: list[tuple[int, int]], offsets: list[int], adder_inputs: int, blocks: int
) -> AdderGraph:
    """Return the sum of blocks of inputs with about as many digits each."""
    digits = np.cumsum(digit_counts(weights).sum(axis=1))
    ends = np.searchsorted(digits, digits[-1] * np.arange(1, blocks) / blocks) + 1
    found = []
    for rows in np.split(np.arange(len(weights)), ends):
        intervals, none = [bounds[i] for i in rows], [0] * weights.shape[1]
        found.append(_cheapest(weights[rows], intervals, none, adder_inputs, None, DIGIT_BUDGET // blocks))
    total = np.tile(np.eye(weights.shape[1], dtype=np.int64), (len(found), 1))
    return followed(
        side_by_side(found),
        total,
        np.array(offsets),
        lambda matrix, ends, constants: _cheapest(matrix, ends, constants.tolist(), adder_inputs, None, 1),
    )


def _cheapest(
    weights: NDArray[np.int64],
    bounds: list[tuple[int, int]],
    offsets: list[int],
    adder_inputs: int,
    max_depth: int | None,
    digits: int,
) -> AdderGraph:
    """The best graph of the attempts that so many digits allow."""
    best: tuple[int, AdderGraph, System] | None = None
    budget = Budget(digits)
    for system in decompositions(weights, bounds, offsets):
        best = _better(best, system, 0, adder_inputs, max_depth)
        if not budget.spend(system):
            break
    while best and budget.spend(best[2]):
        best = _better(best, best[2], budget.attempts, adder_inputs, max_depth)
    return best[1] if best else _unshared(weights, bounds, offsets, adder_inputs, max_depth)


class Budget:
    """Counts attempts and digits, never time, so that the result is the same on every machine."""

    def __init__(self, digits: int) -> None:
        self.attempts = 0
        self._left = digits

    def spend(self, system: System) -> bool:
        """Account for one attempt; whether another one is allowed."""
        self.attempts += 1
        self._left -= sum(len(column.terms) for column in system.columns)
        return self.attempts < MOST_ATTEMPTS and self._left > 0


def _better(
    best: tuple[int, AdderGraph, System] | None, system: System, seed: int, adder_inputs: int, max_depth: int | None
) -> tuple[int, AdderGraph, System] | None:
    """Attempt a system and return the better of `best` and the result."""
    levels = None if max_depth is None else allowed_levels(system, adder_inputs, max_depth)
    if max_depth is not None and levels is None:
        return best
    patterns = find_patterns(system, adder_inputs, levels, NOISE if seed else 0, seed)
    if adder_inputs == 3:
        patterns = without_idle_pairs(system, patterns)
    for offsets in _offset_choices(system, adder_inputs, max_depth):
        graph = assemble(system, patterns, adder_inputs, levels, offsets=offsets)
        price = graph.total_bits * (100 + LEVEL_PRICE * graph.depth)
        if (best is None or price < best[0]) and (max_depth is None or graph.depth <= max_depth):
            best = price, graph, system
    return best


def _offset_choices(system: System, adder_inputs: int, max_depth: int | None) -> tuple[bool, ...]:
    """Whether to keep inner nodes from being negative.

    The carry out that it saves is free on Xilinx only. Outputs pay with a constant, unless they have one anyway.
    """
    if adder_inputs == 2:
        return (False,)
    paid = all(column.constant for column in system.columns[: system.n_outputs])
    return (True,) if paid and max_depth is None else (True, False)


def _unshared(
    weights: NDArray[np.int64],
    bounds: list[tuple[int, int]],
    offsets: list[int],
    adder_inputs: int,
    max_depth: int | None,
) -> AdderGraph:
    """Columns without any sharing, which take the fewest levels there are."""
    system = separate(weights, bounds, offsets)
    least = max(least_levels(system, adder_inputs))
    if max_depth is not None and least > max_depth:
        raise ConfigError(f"cmvm: max_depth is {max_depth}, but the matrix needs {least} levels of adders.")
    levels = allowed_levels(system, adder_inputs, least)
    return assemble(system, Patterns((), system.columns), adder_inputs, levels, offsets=False)
