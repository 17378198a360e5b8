"""Replace per-channel scales and the casts behind them by integer thresholds, where that is less logic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpgaq.cmvm.csd import digit_counts
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Bounds, Node
from fpgaq.ir.ops import Affine, Clip, LeakyRelu, Relu, Requantize, Staircases, Thresholds
from fpgaq.ir.types import IntArray, Overflow, shift_round, signed_bits

#: Steps of a staircase; with more of them the scale is cheaper anyway.
MAX_STEPS = 15
_MONOTONE = (Affine, Clip, LeakyRelu, Relu, Requantize, Thresholds)


def merge_staircases(graph: Graph) -> Graph:
    """Return the graph with chains of elementwise operations that end in few codes as `Staircases`.

    Exact by construction: every threshold is found by bisection over the integer operations themselves.
    """
    replaced: dict[str, Node] = {}
    dropped: set[str] = set()
    for node in reversed(list(graph.nodes.values())):
        if node.name in dropped or not isinstance(node, _MONOTONE):
            continue
        chain = _chain(graph, node)
        if not any(isinstance(n, Affine) for n in chain):
            continue
        bounds = graph.bounds[chain[0].inputs[0]].channels  # one staircase for all positions of a channel
        merged = _staircases(chain, bounds)
        if merged is not None and _cost(merged, bounds) < _arithmetic_cost(graph, chain):
            replaced[node.name] = merged
            dropped.update(n.name for n in chain[:-1])
    nodes = [replaced.get(n.name, n) for n in graph.nodes.values() if n.name not in dropped]
    return Graph(graph.name, nodes, graph.outputs)


def _chain(graph: Graph, last: Node) -> list[Node]:
    """Return the monotone elementwise operations that end in `last` and feed nothing else."""
    chain = [last] if _is_monotone(graph, last) else []
    while chain:
        before = graph.nodes[chain[0].inputs[0]]
        if not isinstance(before, _MONOTONE) or not _is_monotone(graph, before):
            break
        if len(graph.consumers(before.name)) != 1 or before.name in graph.outputs:
            break
        chain.insert(0, before)
    return chain


def _is_monotone(graph: Graph, node: Node) -> bool:
    if isinstance(node, LeakyRelu):
        return bool(np.all(node.slope >= 0))
    if not isinstance(node, Requantize) or node.overflow in (Overflow.SAT, Overflow.SAT_SYM):
        return True
    lo, hi = shift_round(np.array(graph.bounds[node.inputs[0]].hull), node.shift, node.rounding)
    return node.type.covers(int(lo), int(hi))


def _staircases(chain: Sequence[Node], bounds: Bounds) -> Staircases | None:
    lo, hi = bounds
    first, last = _evaluate(chain, lo), _evaluate(chain, hi)
    if np.abs(last - first).max() > MAX_STEPS:
        return None
    steps = [_steps(chain, c, bounds, int(a), int(b)) for c, (a, b) in enumerate(zip(first, last, strict=True))]
    width = max(max(len(t) for t, _ in steps), 1)
    thresholds = [[*t, *range(int(h) + 1, int(h) + 1 + width - len(t))] for (t, _), h in zip(steps, hi, strict=True)]
    codes = [[*c, *[c[-1]] * (width + 1 - len(c))] for _, c in steps]
    end = chain[-1]
    return Staircases(
        name=end.name,
        inputs=chain[0].inputs,
        type=end.type,
        layer=end.layer,
        thresholds=np.array(thresholds),
        codes=np.array(codes),
    )


def _evaluate(chain: Sequence[Node], x: IntArray) -> IntArray:
    values = x[None]
    for node in chain:
        values = node.evaluate([values])
    return values[0]


def _steps(chain: Sequence[Node], channel: int, bounds: Bounds, first: int, last: int) -> tuple[list[int], list[int]]:
    """Return the thresholds of one channel and the codes below, between and above them."""
    thresholds: list[int] = []
    codes = [first]
    while codes[-1] != last:
        low = thresholds[-1] if thresholds else int(bounds.lo[channel])
        high = int(bounds.hi[channel])
        while low + 1 < high:  # the code at `low` is the current one, that at `high` another
            middle = (low + high) // 2
            if _at(chain, channel, bounds, middle) == codes[-1]:
                low = middle
            else:
                high = middle
        thresholds.append(high)
        codes.append(_at(chain, channel, bounds, high))
    return thresholds, codes


def _at(chain: Sequence[Node], channel: int, bounds: Bounds, value: int) -> int:
    x = bounds.lo.copy()
    x[channel] = value
    return int(_evaluate(chain, x)[channel])


def _cost(node: Staircases, bounds: Bounds) -> float:
    """Return LUTs: a comparison with a constant takes a quarter of a LUT a bit, a code bit one a step and a half."""
    total = 0.0
    for channel, thresholds in enumerate(node.thresholds):
        lo, hi = int(bounds.lo[channel]), int(bounds.hi[channel])
        steps = int(np.sum(thresholds <= hi))
        bits = max(signed_bits(lo), signed_bits(hi))
        total += steps * (bits / 4 + 1) if steps > 1 else bits / 4
    return total


def _arithmetic_cost(graph: Graph, chain: Sequence[Node]) -> float:
    """Return LUTs of the scales: one adder of the result's width for every two digits beyond the first."""
    total = 0.0
    for node in chain:
        if isinstance(node, Affine):
            b = graph.bounds[node.name].channels
            for digits, bias, lo, hi in zip(digit_counts(node.scale), node.bias, b.lo, b.hi, strict=True):
                operands = int(digits) + (bias != 0)
                total += np.ceil((operands - 1) / 2) * max(signed_bits(int(lo)), signed_bits(int(hi)))
    return float(total)
