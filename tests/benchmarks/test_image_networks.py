"""The convolutional networks of the benchmarks are what they are said to be."""

from __future__ import annotations

from benchmarks.image_networks import cifar, small
from fpgaq.ir import Graph, golden
from fpgaq.ir.ops import MatMul
from fpgaq.stimuli import random_codes


def weights(graph: Graph) -> int:
    return sum(node.weight.size for node in graph.nodes.values() if isinstance(node, MatMul))


def test_shapes_and_sizes() -> None:
    shapes = {}
    for graph in (small(), cifar()):
        assert {kind.name for kind in golden.factor_types(graph).values()} == {"float32"}
        found = golden.run(graph, [random_codes(graph, 4, 0)])[0]
        assert found[0].tolist() != found[3].tolist()
        shapes[graph.name] = (graph.inputs[0].shape, found.shape[1:], weights(graph))
    # 144 * 16 weights three times, and so on
    expected = 27 * 16 + 3 * 144 * 16 + 144 * 32 + 2 * 288 * 32 + 288 * 64 + 576 * 64 + 640
    assert shapes == {
        "small_cnn": ((8, 8, 1), (10,), 9 * 4 + 36 * 8 + 128 * 10),
        "cifar": ((32, 32, 3), (10,), expected),
    }
