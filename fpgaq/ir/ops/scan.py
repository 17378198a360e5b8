"""A graph that is evaluated for one step of a series after the other, and hands states from each to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Bounds, Node, Operand
from fpgaq.ir.ops.linear import MatMul
from fpgaq.ir.ops.structure import Input
from fpgaq.ir.types import IntArray

#: Integers up to here are exact in float64, whose matrices numpy multiplies fast.
_EXACT = 1 << 53


@dataclass(frozen=True, eq=False, kw_only=True)
class Scan(Node):
    """A recurrent layer: a step for every position of the first axis.

    Parameters
    ----------
    step : Graph
        Its inputs are a position of the series and the states, its outputs the result and the states of the next step,
        in the same order.
    initial : tuple of int
        Code that all elements of each state have in the first step.
    sequences : bool
        Whether the result is that of every step; it is that of the last one else.
    """

    step: Graph
    initial: tuple[int, ...]
    sequences: bool
    op = "scan"

    @property
    def states(self) -> tuple[Input, ...]:
        """The inputs of the step that come from the step before."""
        return self.step.inputs[1:]

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        """Return bounds that hold whatever the states are: those of the step, for any codes of their types."""
        (x,) = operands
        given, *states = self.step.inputs
        if len(x.shape) < 2 or x.shape[1:] != given.shape or x.type != given.type:
            raise self.fail(
                f"a series of shape {list(x.shape)} of {x.type} for steps that read {list(given.shape)} of {given.type}"
            )
        result, *following = self.step.outputs
        if not len(states) == len(following) == len(self.initial):
            raise self.fail(f"{len(states)} states, {len(following)} next ones and {len(self.initial)} first ones")
        for state, name, code in zip(states, following, self.initial, strict=True):
            after = self.step.operand(name)
            if after.shape != state.shape or after.type != state.type or not state.type.covers(code, code):
                raise self.fail(
                    f"state {state.name!r} of shape {list(state.shape)} of {state.type} becomes {list(after.shape)} of "
                    f"{after.type}, and is {code} at first"
                )
        if self.step.nodes[result].type != self.type:
            raise self.fail(f"result of {self.type}, its steps give {self.step.nodes[result].type}")
        bounds = self.step.bounds[result]
        if not self.sequences:
            return bounds
        return Bounds(*(np.broadcast_to(end, (x.shape[0], *end.shape)) for end in bounds))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        (x,) = values
        states = [np.full((len(x), *s.shape), code) for s, code in zip(self.states, self.initial, strict=True)]
        results = []
        for position in range(x.shape[1]):
            result, *states = self._stepped([x[:, position], *states])
            results.append(result)
        return np.stack(results, axis=1) if self.sequences else results[-1]

    def _stepped(self, given: Sequence[IntArray]) -> list[IntArray]:
        known = {node.name: codes for node, codes in zip(self.step.inputs, given, strict=True)}
        for node in self.step.nodes.values():
            if node.name not in known:
                read = [known[name] for name in node.inputs]
                known[node.name] = node.evaluate([read[0].astype(np.float64)] if node.name in self._fast else read)
        return [known[name] for name in self.step.outputs]

    @cached_property
    def _fast(self) -> frozenset[str]:
        """Matrices that are exact in float64."""
        matrices = [node for node in self.step.nodes.values() if isinstance(node, MatMul)]
        return frozenset(m.name for m in matrices if m.largest_partial_sum(self.step.bounds[m.inputs[0]]) < _EXACT)

    def describe(self) -> str:
        return f"states={len(self.initial)} nodes={len(self.step.nodes)}{' sequences' if self.sequences else ''}"


def with_steps(graph: Graph) -> Iterator[Node]:
    """Yield the nodes of a graph, and behind each recurrent layer those of its step."""
    for node in graph.nodes.values():
        yield node
        if isinstance(node, Scan):
            yield from with_steps(node.step)
