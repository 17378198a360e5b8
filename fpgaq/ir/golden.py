"""The golden model: a vectorised integer interpreter of the graph.

Tensors are int64. Matrices are multiplied in floating point where the graph's bounds prove every partial sum to be an
integer that the float type holds: numpy has no fast product of integer matrices. Samples go through in blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from threadpoolctl import ThreadpoolController

from fpgaq.errors import ConfigError
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Input, MatMul, Windows
from fpgaq.ir.types import IntArray

#: Elements of the largest tensor in a block of samples: few enough for the caches, enough to be worth a call.
_BLOCK_ELEMENTS = 1 << 20
#: Integers below are exact.
_EXACT = ((np.float32, 1 << 24), (np.float64, 1 << 53))

_factor_types: WeakKeyDictionary[Graph, Mapping[str, np.dtype]] = WeakKeyDictionary()


def trace(graph: Graph, inputs: Sequence[IntArray]) -> dict[str, IntArray]:
    """Run the graph and keep every tensor; arguments and errors as `tensors`."""
    return tensors(graph, inputs, list(graph.nodes))


def run(graph: Graph, inputs: Sequence[IntArray]) -> list[IntArray]:
    """Return the codes of the graph outputs; arguments and errors as `tensors`."""
    values = tensors(graph, inputs, graph.outputs)
    return [values[o] for o in graph.outputs]


def tensors(graph: Graph, inputs: Sequence[IntArray], names: Sequence[str]) -> dict[str, IntArray]:
    """Run the graph and keep some tensors.

    Parameters
    ----------
    graph : Graph
        What to run. That no intermediate result leaves int64 was proven from its bounds when it was built.
    inputs : sequence of int array, shape (samples, *shape)
        Codes of every graph input, in order.
    names : sequence of str
        Nodes that are wanted; what none of them needs is not computed.

    Returns
    -------
    dict
        Codes of the nodes by their names, in the order of the graph, each of shape (samples, *shape).

    Raises
    ------
    ConfigError
        If the number, shape or range of the inputs does not fit.
    """
    if len(inputs) != len(graph.inputs):
        raise ConfigError(f"the model has {len(graph.inputs)} inputs, {len(inputs)} arrays were given")
    given = {node.name: _checked(node, np.asarray(x)) for node, x in zip(graph.inputs, inputs, strict=True)}
    counts = {len(x) for x in given.values()}
    if len(counts) > 1:
        raise ConfigError(f"the inputs have {' and '.join(map(str, sorted(counts)))} samples; give as many each")
    samples = counts.pop() if counts else 1
    plan = _Plan(graph, set(names))
    found = {
        name: np.empty((samples, *graph.bounds[name].lo.shape), np.int64) for name in graph.nodes if name in set(names)
    }
    # Threads of BLAS wait for each other in a loop: beside the compilers of a build that is ten times slower than one.
    with _blas().limit(limits=1, user_api="blas"):
        for start in range(0, samples, plan.block):
            part = slice(start, min(start + plan.block, samples))
            for name, values in plan.evaluate({k: x[part] for k, x in given.items()}):
                if name in found:
                    found[name][part] = values
    return found


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


class _Plan:
    """What is computed for some wanted tensors, and when a tensor has been read for the last time."""

    def __init__(self, graph: Graph, wanted: set[str]) -> None:
        self.graph = graph
        needed = set(wanted)
        for node in reversed(list(graph.nodes.values())):
            needed.update(node.inputs if node.name in needed else ())
        sizes = [graph.bounds[name].lo.size for name in needed]
        self.block = max(_BLOCK_ELEMENTS // max(sizes, default=1), 1)
        self.steps = [n for n in graph.nodes.values() if n.name in needed and not self._is_left_out(n, wanted)]
        computed = {node.name for node in self.steps}
        self.reads = {node.name: [self._source(i, computed) for i in node.inputs] for node in self.steps}
        self.last_reader = {source: node.name for node in self.steps for source in self.reads[node.name]}

    def _is_left_out(self, node: Node, wanted: set[str]) -> bool:
        """Whether all that read it are matrices, which take windows from the image itself, in a type of their own."""
        readers = self.graph.consumers(node.name)
        return isinstance(node, Windows) and node.name not in wanted and all(isinstance(r, MatMul) for r in readers)

    def _source(self, name: str, computed: set[str]) -> str:
        return name if name in computed else self.graph.nodes[name].inputs[0]

    def evaluate(self, given: Mapping[str, IntArray]) -> Iterator[tuple[str, IntArray]]:
        """Yield the tensors of a block of samples."""
        values: dict[str, IntArray] = {}
        for node in self.steps:
            values[node.name] = given[node.name] if isinstance(node, Input) else self._value(node, values)
            yield node.name, values[node.name]
            for source in self.reads[node.name]:
                if self.last_reader[source] == node.name:
                    values.pop(source, None)

    def _value(self, node: Node, values: Mapping[str, IntArray]) -> IntArray:
        read = [values[source] for source in self.reads[node.name]]
        if not isinstance(node, MatMul):
            return node.evaluate(read)
        factor = read[0].astype(factor_types(self.graph)[node.name])
        (source,) = node.inputs
        return node.evaluate([factor if source in values else self.graph.nodes[source].evaluate([factor])])


def factor_types(graph: Graph) -> Mapping[str, np.dtype]:
    """Return the type in which every matrix is multiplied: the fastest one in which it is exact."""
    if graph not in _factor_types:
        _factor_types[graph] = {
            node.name: _exact_type(node.largest_partial_sum(graph.bounds[node.inputs[0]]))
            for node in graph.nodes.values()
            if isinstance(node, MatMul)
        }
    return _factor_types[graph]


def _exact_type(most: int) -> np.dtype:
    return np.dtype(next((kind for kind, limit in _EXACT if most < limit), np.int64))


def _checked(node: Input, x: np.ndarray) -> IntArray:
    if x.dtype.kind not in "iu":
        raise ConfigError(f"input {node.name!r}: integer codes are needed, not {x.dtype}")
    if x.shape[1:] != node.shape:
        raise ConfigError(f"input {node.name!r}: samples of shape {list(x.shape[1:])}, expected {list(node.shape)}")
    if x.size and not node.type.covers(int(x.min()), int(x.max())):
        raise ConfigError(f"input {node.name!r}: codes between {x.min()} and {x.max()} do not fit {node.type}")
    return x.astype(np.int64)
