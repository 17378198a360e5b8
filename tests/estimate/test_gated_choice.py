"""The estimate of a gated matrix chooses as synthesis would, and only what is fast enough."""

from __future__ import annotations

import pytest
from random_layers import Chain

from fpgaq.estimate.gated_choice import cheapest_gated_reuse, engine_of, parallel_cost, sequential_cost
from fpgaq.ir import FixedType
from fpgaq.ir.node import Operand
from fpgaq.ir.ops import GatedMatMul
from fpgaq.rtl.gated_schedule import legal_reuse

#: Inputs, outputs; bits of an input, low ones; weights and their bits; LUT equivalents after synthesis for xc7
MEASURED = [
    ((16, 16), 4, 2, "dense", 4, {1: 1846, 16: 768, 64: 572}),
    ((16, 8), 8, 4, "dense", 8, {1: 2475, 2: 13888, 8: 3850, 32: 1376}),
]


def gated(shape: tuple[int, int], bits: int, low: int, kind: str, weight_bits: int) -> tuple[GatedMatMul, Operand]:
    graph = Chain("net", shape[0], FixedType(bits, 1, False), 1).gated(shape[1], kind, weight_bits, low).graph
    (matrix,) = (node for node in graph.nodes.values() if isinstance(node, GatedMatMul))
    name = matrix.inputs[0]
    return matrix, Operand(graph.nodes[name].type, graph.bounds[name])


@pytest.mark.parametrize(("shape", "bits", "low", "kind", "weight_bits", "measured"), MEASURED)
def test_costs_are_near_those_of_synthesis(
    shape: tuple[int, int], bits: int, low: int, kind: str, weight_bits: int, measured: dict[int, int]
) -> None:
    matrix, source = gated(shape, bits, low, kind, weight_bits)
    for reuse, cost in measured.items():
        found = parallel_cost(matrix, source) if reuse == 1 else sequential_cost(matrix, source, reuse)
        assert 0.85 < found / cost < 1.2, reuse
        chosen = cheapest_gated_reuse(matrix, source, [1, reuse])
        assert chosen == (reuse if cost < measured[1] else 1)


def test_nothing_slower_than_allowed_is_chosen() -> None:
    matrix, source = gated((16, 16), 4, 2, "dense", 4)
    assert cheapest_gated_reuse(matrix, source, [1]) == 1
    for limit in (40, 60, 200, 600):
        allowed = [r for r in legal_reuse(16, 16) if r == 1 or engine_of(matrix, source, r).ii <= limit]
        assert cheapest_gated_reuse(matrix, source, allowed) == max(allowed)


def test_a_large_matrix_is_not_unrolled_to_know_its_cost() -> None:
    matrix, source = gated((512, 256), 4, 2, "dense", 4)
    assert cheapest_gated_reuse(matrix, source, legal_reuse(512, 256)) == 512 * 256
