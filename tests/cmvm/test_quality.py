"""Added bits of fixed matrices do not grow.

The matrices are the 64 x 32 layer of the benchmark network (unsigned 6-bit inputs): ternary, binary, 6-bit and 4-bit
powers of two. The numbers are counted, not timed; lower one when the solver gets better.
"""

from __future__ import annotations

import numpy as np
import pytest
from cmvm_matrices import is_equal, weights

from fpgaq.cmvm import solve


@pytest.mark.parametrize(
    ("kind", "bits", "most_bits", "most_depth"),
    [("ternary", 2, 2570, 7), ("binary", 1, 2240, 10), ("pot", 8, 4690, 8), ("int", 6, 10260, 10)],
)
def test_added_bits_and_depth_of_a_layer(kind: str, bits: int, most_bits: int, most_depth: int) -> None:
    rng = np.random.default_rng(1)
    matrix = weights(kind, (64, 32), bits, rng)
    bias = [int(b) for b in rng.integers(-1000, 1000, 32)]
    graph = solve(matrix, [(0, 63)] * 64, bias)
    assert is_equal(graph, matrix, bias)
    assert graph.total_bits <= most_bits
    assert graph.depth <= most_depth


def test_two_input_adders() -> None:
    rng = np.random.default_rng(1)
    matrix = weights("ternary", (64, 32), 2, rng)
    graph = solve(matrix, [(0, 63)] * 64, adder_inputs=2)
    assert is_equal(graph, matrix, [0] * 32)
    assert graph.total_bits <= 4600
    assert len(graph.adders) <= 535


def test_a_depth_limit_is_cheap() -> None:
    rng = np.random.default_rng(1)
    matrix = weights("ternary", (64, 32), 2, rng)
    graph = solve(matrix, [(0, 63)] * 64, max_depth=4)
    assert graph.depth <= 4
    assert graph.total_bits <= 2650


def test_fields_of_one_bit() -> None:
    """Sums of bits: a population count for every output, shared."""
    rng = np.random.default_rng(1)
    matrix = weights("binary", (32, 16), 1, rng)
    assert solve(matrix, [(0, 1)] * 32).total_bits <= 256
