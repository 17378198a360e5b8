"""From a system of columns to a finished adder graph."""

from __future__ import annotations

from collections.abc import Sequence

from fpgaq.cmvm._build import Builder
from fpgaq.cmvm._cost import trailing_zeros
from fpgaq.cmvm._patterns import Patterns
from fpgaq.cmvm._system import Column, Signed, System
from fpgaq.cmvm.graph import AdderGraph, Term


def assemble(system: System, patterns: Patterns, adder_inputs: int, levels: list[int] | None) -> AdderGraph:
    """Build the shared nodes that are used more than once, then every column as a tree."""
    return _Assembly(system, patterns, adder_inputs, levels).graph()


class _Assembly:
    def __init__(self, system: System, patterns: Patterns, adder_inputs: int, levels: list[int] | None) -> None:
        self.system = system
        self.patterns = patterns
        self.levels = levels
        self.builder = Builder(system.bounds[: system.n_inputs], adder_inputs)
        self.n_leaves = len(system.bounds)
        self.done: dict[int, list[Signed]] = {i: [(i, 0, 1)] for i in range(system.n_inputs)}
        self.uses = [0] * (self.n_leaves + len(patterns.nodes))
        self.depths = [0] * system.n_inputs + (levels or [0] * len(system.columns))
        for terms in patterns.nodes:
            self.depths.append(1 + max(self.depths[node] for node, _, _ in terms))
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
            if self.uses[node] == 1 and not output and not column.constant:
                self.done[node] = terms
            else:
                levels = None if self.levels is None else self.depths[node]
                self.done[node] = [self.total(terms, column.constant, output, levels)]
        return self.done[node]

    def expand(self, terms: Sequence[Signed]) -> list[Signed]:
        return [(n, s + shift, g * sign) for node, shift, sign in terms for n, s, g in self.resolve(node)]

    def total(self, terms: list[Signed], constant: int, positive: bool, levels: int | None) -> Signed:
        base = min(shift for _, shift, _ in terms)
        if constant:
            base = min(base, trailing_zeros(constant))
        terms = [(node, shift - base, sign) for node, shift, sign in terms]
        node, shift, sign = self.builder.total(terms, constant >> base, positive=positive, levels=levels)
        return node, shift + base, sign
