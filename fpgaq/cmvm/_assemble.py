"""From a system of columns to a finished adder graph."""

from __future__ import annotations

from collections.abc import Sequence

from fpgaq.cmvm._build import Builder
from fpgaq.cmvm._patterns import Patterns
from fpgaq.cmvm._system import Column, Signed, System
from fpgaq.cmvm.graph import AdderGraph, Term


def assemble(
    system: System, patterns: Patterns, adder_inputs: int, levels: list[int] | None, *, offsets: bool
) -> AdderGraph:
    """Build the shared nodes that are used more than once, then every column as a tree.

    With `offsets`, no node inside is ever negative; what that adds to an output is in its constant.
    """
    return _Assembly(system, patterns, adder_inputs, levels, offsets).graph()


class _Assembly:
    def __init__(
        self, system: System, patterns: Patterns, adder_inputs: int, levels: list[int] | None, offsets: bool
    ) -> None:
        self.system = system
        self.patterns = patterns
        self.levels = levels
        self.builder = Builder(system.bounds[: system.n_inputs], adder_inputs, offsets)
        self.n_leaves = len(system.bounds)
        self.constants = dict.fromkeys(range(system.n_inputs), 0)
        self.done: dict[int, list[Signed]] = {i: [(i, 0, 1)] for i in range(system.n_inputs)}
        self.uses = [0] * (self.n_leaves + len(patterns.nodes))
        self.depths = [0] * system.n_inputs + (levels or [0] * len(system.columns))
        for terms in patterns.nodes:
            self.depths.append(1 + max((self.depths[node] for node, _, _ in terms), default=0))
        for terms in [*patterns.nodes, *(column.terms for column in patterns.columns)]:
            for node, _, _ in terms:
                self.uses[node] += 1

    def graph(self) -> AdderGraph:
        outputs = [self.output(j) for j in range(self.system.n_outputs)]
        return self.builder.graph(outputs)

    def output(self, j: int) -> Term | int:
        column = self.patterns.columns[j]
        if not column.terms:
            return column.constant
        ((node, shift, _),) = self.resolve(self.system.n_inputs + j)
        return Term(node, shift, False)

    def resolve(self, node: int) -> list[Signed]:
        """A node of the system in terms of built nodes; one that is used once stays open and joins its user."""
        if node not in self.done:
            j = node - self.system.n_inputs
            pattern = node >= self.n_leaves
            output = j < self.system.n_outputs
            column = Column(self.patterns.nodes[node - self.n_leaves], 0) if pattern else self.patterns.columns[j]
            terms = self.expand(column.terms)
            self.constants[node] = column.constant
            self.constants[node] += sum((sign * self.constants[n]) << shift for n, shift, sign in column.terms)
            if self.uses[node] == 1 and not output and not column.constant:
                self.done[node] = terms
            else:
                levels = None if self.levels is None else self.depths[node]
                constant = self.constants[node]
                self.done[node] = [self.builder.total(terms, constant, positive=output, levels=levels)]
        return self.done[node]

    def expand(self, terms: Sequence[Signed]) -> list[Signed]:
        return [(n, s + shift, g * sign) for node, shift, sign in terms for n, s, g in self.resolve(node)]
