"""Adder graphs made of adder graphs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fpgaq.cmvm.graph import Adder, AdderGraph, Term

#: Matrix, bounds of the inputs and biases to an adder graph.
Solver = Callable[[NDArray[np.int64], list[tuple[int, int]], NDArray[np.int64]], AdderGraph]


def side_by_side(graphs: Sequence[AdderGraph]) -> AdderGraph:
    """Return one graph whose inputs and outputs are those of all graphs, one after the other."""
    inputs, known = 0, sum(graph.n_inputs for graph in graphs)
    bounds = [bound for graph in graphs for bound in graph.bounds[: graph.n_inputs]]
    adders: list[Adder] = []
    outputs: list[Term | int] = []
    for graph in graphs:
        place = [*range(inputs, inputs + graph.n_inputs), *range(known, known + len(graph.adders))]
        adders += [_moved_adder(adder, place) for adder in graph.adders]
        outputs += [_moved(o, place) if isinstance(o, Term) else o for o in graph.outputs]
        bounds += graph.bounds[graph.n_inputs :]
        inputs, known = inputs + graph.n_inputs, known + len(graph.adders)
    return AdderGraph(inputs, tuple(adders), tuple(outputs), tuple(bounds))


def followed(first: AdderGraph, matrix: NDArray[np.int64], bias: NDArray[np.int64], solved: Solver) -> AdderGraph:
    """Return the graph that continues with another matrix.

    Parameters
    ----------
    first : AdderGraph
    matrix : array of int, [n_outputs of first, n_outputs]
    bias : array of int, [n_outputs]
    solved : callable
        The solver of that matrix.
    """
    constant = np.array([o if isinstance(o, int) else 0 for o in first.outputs], np.int64)
    nodes = sorted({o.node for o in first.outputs if isinstance(o, Term)})
    place = {node: k for k, node in enumerate(nodes)}
    weights = np.zeros((len(nodes), matrix.shape[1]), np.int64)
    for output, row in zip(first.outputs, matrix, strict=True):
        if isinstance(output, Term):
            weights[place[output.node]] += row << output.shift
    second = solved(weights, [first.bounds[n] for n in nodes], bias + constant @ matrix)
    known = len(first.bounds)
    numbers = [*nodes, *range(known, known + len(second.adders))]
    later = [_moved_adder(adder, numbers) for adder in second.adders]
    outputs = tuple(_moved(o, numbers) if isinstance(o, Term) else o for o in second.outputs)
    # The second graph's intervals enclose what its nodes reach, and its offsets were chosen for them.
    bounds = (*first.bounds, *second.bounds[second.n_inputs :])
    return AdderGraph(first.n_inputs, (*first.adders, *later), outputs, bounds)


def _moved(term: Term, place: Sequence[int]) -> Term:
    return dataclasses.replace(term, node=place[term.node])


def _moved_adder(adder: Adder, place: Sequence[int]) -> Adder:
    return dataclasses.replace(adder, terms=tuple(_moved(term, place) for term in adder.terms))
