"""Bits that are said to be the same wire, or a constant, are so for every input."""

import numpy as np
from hypothesis import given, settings
from random_layers import corners, layers, linear_first

from fpgaq.estimate.wires import KNOWN, Wires
from fpgaq.ir import Graph
from fpgaq.rtl.datapath import Datapath, evaluate_op
from fpgaq.rtl.unroll import unroll


def _differences(path: Datapath, wires: Wires, x: np.ndarray) -> list[str]:
    """Return the bits whose values are not what their numbers say."""
    values: dict[int, np.ndarray] = {}
    seen: dict[int, np.ndarray] = {}
    wrong = []
    for node, op in enumerate(path.ops):
        values[node] = evaluate_op(op, x, values)
        for k, bit in enumerate(wires.bits[node]):
            plane = values[node] >> k & 1
            known = plane[:1] if bit == KNOWN else seen.setdefault(bit, plane)
            if not np.array_equal(plane, np.broadcast_to(known, plane.shape)):
                wrong.append(f"bit {k} of node {node} ({op})")
    return wrong


@given(layers(sizes=8))
@settings(max_examples=60, deadline=None)
def test_equal_numbers_are_equal_bits(graph: Graph) -> None:
    nodes, source = linear_first(graph)
    path = unroll(nodes, source)
    x = corners(graph, 200, 0).reshape(-1, source.bounds.lo.size)
    assert _differences(path, Wires.of(path), x) == []


def test_a_wrong_number_is_found() -> None:
    from random_layers import Chain

    from fpgaq.ir import FixedType

    chain = Chain("net", 4, FixedType(4, 0, True), 1)
    chain.matmul(3, "dense", 4)
    graph = chain.graph
    nodes, source = linear_first(graph)
    path = unroll(nodes, source)
    wires = Wires.of(path)
    wires.bits[0][0] = wires.bits[1][0]
    assert _differences(path, wires, corners(graph, 200, 0).reshape(-1, 4))
