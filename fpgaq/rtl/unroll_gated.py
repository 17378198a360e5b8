"""A gated matrix as scalar operations: two adder graphs, and gates that keep the second one still.

The sums of the low bits share adders like those of any matrix. From the point on where an adder serves one output only,
its operands pass a gate: where the gate of the output is closed, they have the values they would have if all low bits
were zero, so that nothing behind them toggles and the sum is zero. Adders that several outputs share keep working.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from fpgaq.cmvm import Adder, AdderGraph, Term
from fpgaq.ir.node import Bounds
from fpgaq.ir.ops import GatedMatMul
from fpgaq.ir.types import FixedType, Rounding
from fpgaq.rtl.adder_graphs import adder_graph
from fpgaq.rtl.datapath import Cast, Constant, Datapath, Interval, Masked, Ref, Stair, Sum


def unroll_gated(
    path: Datapath, inputs: Sequence[Ref], node: GatedMatMul, result: Bounds, adder_inputs: int
) -> list[Ref]:
    """Append the operations of a gated matrix and return its outputs.

    Parameters
    ----------
    path : Datapath
    inputs : sequence of Ref
        Elements of the input vector.
    node : GatedMatMul
    result : Bounds
        Of the outputs.
    adder_inputs : int
        Operands of an adder that the device has for free.
    """
    high_bits = [_high_bits(path, ref, node.low_bits) for ref in inputs]
    predict = adder_graph(node.weight, [path.ref_bounds(r) for r in high_bits], adder_inputs=adder_inputs)
    high = _AdderGraphWriter(path, predict, high_bits).outputs()
    gates, can_open = [], []
    for ref, threshold in zip(high, node.thresholds.tolist(), strict=True):
        lo, hi = path.ref_bounds(ref)
        depends = lo <= threshold < hi
        gates.append(Ref(path.add(Stair(ref, (threshold + 1,), (0, 1)), (0, 1))) if depends else None)
        can_open.append(hi > threshold)
    low_bits = [_low_bits(path, ref, node.low_bits) for ref in inputs]
    # With zero among the inputs, what stands behind a closed gate lies within the bounds of every adder.
    bounds = [(0, path.ref_bounds(ref)[1]) for ref in low_bits]
    update = adder_graph(node.weight * np.array(can_open), bounds, adder_inputs=adder_inputs)
    low = _AdderGraphWriter(path, update, low_bits, gates).outputs()
    hulls = zip(result.lo.tolist(), result.hi.tolist(), strict=True)
    return [_joined(path, a, b, node.low_bits, hull) for a, b, hull in zip(high, low, hulls, strict=True)]


def _high_bits(path: Datapath, ref: Ref, low_bits: int) -> Ref:
    lo, hi = (bound >> low_bits for bound in path.ref_bounds(ref))
    op = Constant(lo) if lo == hi else Cast(ref, low_bits, Rounding.TRN)
    return Ref(path.add(op, (lo, hi)))


def _low_bits(path: Datapath, ref: Ref, low_bits: int) -> Ref:
    lo, hi = path.ref_bounds(ref)
    rest = (1 << low_bits) - 1
    if hi <= rest:
        return ref
    if lo == hi:
        return Ref(path.add(Constant(lo & rest), (lo & rest, lo & rest)))
    return Ref(path.add(Cast(ref, 0, Rounding.TRN, wrap=FixedType(low_bits, 0, False)), (0, rest)))


def _joined(path: Datapath, high: Ref, low: Ref, low_bits: int, bounds: Interval) -> Ref:
    """Append ``(high << low_bits) + low``."""
    fixed = path.ops[high.node]
    if path.ref_bounds(low) == (0, 0):
        return Ref(high.node, high.shift + low_bits)
    if not isinstance(fixed, Constant):
        terms = Term(high.node, high.shift + low_bits, False), Term(low.node, low.shift, False)
        return Ref(path.add(Sum(Adder(terms, 0)), bounds))
    constant = fixed.value << (high.shift + low_bits)
    if constant == 0:
        return low
    return Ref(path.add(Sum(Adder((Term(low.node, low.shift, False),), constant)), bounds))


class _AdderGraphWriter:
    """Appends an adder graph to a datapath, with gates in front of what serves one output only.

    Parameters
    ----------
    path : Datapath
    graph : AdderGraph
    inputs : sequence of Ref
    gates : sequence of Ref or None
        The gate of every output, None for those that are always open; no gates at all by default.
    """

    def __init__(
        self, path: Datapath, graph: AdderGraph, inputs: Sequence[Ref], gates: Sequence[Ref | None] = ()
    ) -> None:
        self.path, self.graph, self.gates = path, graph, gates
        self.nodes = list(inputs)
        self.owner = _owners(graph) if gates else [None] * (len(inputs) + len(graph.adders))
        self.at_zero = _values_at_zero(graph)
        self.masked: dict[tuple[int, int], Ref] = {}

    def outputs(self) -> list[Ref]:
        """Append everything and return the outputs."""
        n = self.graph.n_inputs
        for k, adder in enumerate(self.graph.adders):
            terms = tuple(self._operand(term, self.owner[n + k]) for term in adder.terms)
            moved = Sum(dataclasses.replace(adder, terms=terms))
            self.nodes.append(Ref(self.path.add(moved, self.graph.bounds[n + k])))
        return [self._output(j, output) for j, output in enumerate(self.graph.outputs)]

    def _output(self, j: int, output: Term | int) -> Ref:
        if isinstance(output, int):
            return Ref(self.path.add(Constant(output), (output, output)))
        term = self._operand(output, j if self.gates else None)
        return Ref(term.node, term.shift)

    def _operand(self, term: Term, owner: int | None) -> Term:
        """Return a term of the datapath, behind the gate of the output that alone reads it."""
        ref = self.nodes[term.node]
        gate = None if owner is None else self.gates[owner]
        if gate is not None and self.owner[term.node] != owner:
            ref = self._behind(term.node, owner, gate)
        return Term(ref.node, term.shift + ref.shift, term.negative)

    def _behind(self, node: int, owner: int | None, gate: Ref) -> Ref:
        assert owner is not None
        if (node, owner) not in self.masked:
            ref, closed = self.nodes[node], self.at_zero[node]
            op = Masked(Ref(ref.node), gate, closed)
            lo, hi = self.path.bounds[ref.node]
            self.masked[node, owner] = Ref(self.path.add(op, (min(lo, closed), max(hi, closed))), ref.shift)
        return self.masked[node, owner]


def _owners(graph: AdderGraph) -> list[int | None]:
    """Return for every node the only output that depends on it; None for inputs and where there are several."""
    readers: list[set[int]] = [set() for _ in range(graph.n_inputs + len(graph.adders))]
    for j, output in enumerate(graph.outputs):
        if isinstance(output, Term):
            readers[output.node].add(j)
    for k in reversed(range(len(graph.adders))):
        for term in graph.adders[k].terms:
            readers[term.node] |= readers[graph.n_inputs + k]
    return [
        min(outputs) if len(outputs) == 1 and node >= graph.n_inputs else None for node, outputs in enumerate(readers)
    ]


def _values_at_zero(graph: AdderGraph) -> list[int]:
    """Return the value of every node when all inputs are zero."""
    values = [0] * graph.n_inputs
    for adder in graph.adders:
        terms = sum((-1 if t.negative else 1) * (values[t.node] << t.shift) for t in adder.terms)
        values.append(terms + adder.constant + adder.offset)
    return values
