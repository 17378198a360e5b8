"""Tries decompositions and keeps the cheapest graph. Imported when a matrix is solved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpgaq.cmvm._assemble import assemble
from fpgaq.cmvm._decompose import decompositions, separate
from fpgaq.cmvm._levels import allowed_levels, least_levels
from fpgaq.cmvm._patterns import Patterns, find_patterns
from fpgaq.cmvm.graph import AdderGraph
from fpgaq.errors import ConfigError

LEVEL_PRICE = 1  # percent of the added bits that one level of adders less is worth, as registers of a pipeline


def cheapest_graph(
    weights: NDArray[np.int64],
    bounds: list[tuple[int, int]],
    offsets: list[int],
    adder_inputs: int,
    max_depth: int | None,
) -> AdderGraph:
    """The graph of fewest added bits among all decompositions; arguments as for `solve`, checked."""
    graphs = []
    for system in decompositions(weights, bounds, offsets):
        levels = None if max_depth is None else allowed_levels(system, adder_inputs, max_depth)
        if max_depth is None or levels is not None:
            patterns = find_patterns(system, adder_inputs, levels, 0, 0)
            graphs.append(assemble(system, patterns, adder_inputs, levels))
    graphs = [graph for graph in graphs if max_depth is None or graph.depth <= max_depth]
    if not graphs:
        graphs = [_unshared(weights, bounds, offsets, adder_inputs, max_depth)]
    return min(graphs, key=lambda graph: (graph.total_bits * (100 + LEVEL_PRICE * graph.depth), graph.depth))


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
    return assemble(system, Patterns((), system.columns), adder_inputs, levels)
