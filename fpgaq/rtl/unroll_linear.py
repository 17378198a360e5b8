"""Adder graphs as operations of a datapath."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from fpgaq.cmvm import AdderGraph, Term
from fpgaq.ir.types import IntArray
from fpgaq.rtl.adder_graphs import adder_graph
from fpgaq.rtl.datapath import Constant, Datapath, Ref, Sum


def append_graph(path: Datapath, inputs: Sequence[Ref], graph: AdderGraph) -> list[Ref]:
    """Append an adder graph, and return its outputs."""
    nodes = list(inputs)
    for k, adder in enumerate(graph.adders):
        moved = dataclasses.replace(adder, terms=tuple(_moved(t, nodes) for t in adder.terms))
        nodes.append(Ref(path.add(Sum(moved), graph.bounds[graph.n_inputs + k])))
    return [_output(path, output, nodes) for output in graph.outputs]


def append_product(
    path: Datapath, inputs: Sequence[Ref], weight: IntArray, adder_inputs: int, bias: IntArray | None = None
) -> list[Ref]:
    """Append ``inputs @ weight + bias``, and return its elements."""
    bounds = [path.ref_bounds(ref) for ref in inputs]
    return append_graph(path, inputs, adder_graph(weight, bounds, bias, adder_inputs=adder_inputs))


def _moved(term: Term, nodes: Sequence[Ref]) -> Term:
    ref = nodes[term.node]
    return Term(ref.node, term.shift + ref.shift, term.negative)


def _output(path: Datapath, output: Term | int, nodes: Sequence[Ref]) -> Ref:
    if isinstance(output, int):
        return Ref(path.add(Constant(output), (output, output)))
    term = _moved(output, nodes)
    return Ref(term.node, term.shift)
