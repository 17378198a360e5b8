"""What is ours of the comparison with rule4ml: how a network is told, and the ranks. No rule4ml is needed."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import estimator_rule4ml
from benchmarks.random_networks import random_network
from fpgaq.errors import ConfigError
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Input, MatMul, Merge, Relu, Requantize, Windows
from fpgaq.ir.types import FixedType, Overflow, Rounding


def _chain(least: int, activation: int) -> Graph:
    """A matrix whose least weight is given, a rectifier, activations of so many bits, another matrix."""
    weight, wide = np.array([[least, 3], [0, 1], [2, 1]]), FixedType(20, 0, True)
    few = FixedType(activation, 0, False)
    modes = {"rounding": Rounding.RND, "overflow": Overflow.SAT}
    known = {"weight_frac": 0, "bias": np.zeros(2, np.int64)}
    nodes = [
        Input(name="x", inputs=(), layer="x", type=FixedType(3, 0, False), shape=(3,)),
        MatMul(name="a", inputs=("x",), layer="a", type=wide, weight=weight, reuse=3, **known),
        Relu(name="r", inputs=("a",), layer="a", type=wide),
        Requantize(name="q", inputs=("r",), layer="q", type=few, source_frac=0, **modes),
        MatMul(name="b", inputs=("q",), layer="b", type=wide, weight=weight[:2], **known),
    ]
    return Graph("chain", nodes, ("b",))


def test_a_chain_is_told_with_all_its_sizes() -> None:
    assert estimator_rule4ml.described(_chain(-8, 3)) == {
        "name": "chain",
        "inputs": 3,
        "layers": [
            {"kind": "dense", "name": "a", "outputs": 2, "reuse": 3},
            {"kind": "relu", "name": "r"},
            {"kind": "dense", "name": "b", "outputs": 2, "reuse": 1},
        ],
        "bits": 4,
    }


@pytest.mark.parametrize(
    ("least", "activation", "bits"), [(-1, 3, 3), (-8, 3, 4), (-9, 3, 5), (-128, 3, 8), (-8, 9, 9)]
)
def test_the_precision_holds_weights_and_activations(least: int, activation: int, bits: int) -> None:
    known = estimator_rule4ml.described(_chain(least, activation))
    assert known is not None
    assert known["bits"] == bits


@pytest.mark.parametrize(("seed", "operation"), [(3, Windows), (6, Merge)])
def test_only_chains_of_dense_layers_are_told(seed: int, operation: type[Node]) -> None:
    graph = random_network(seed)
    assert any(isinstance(node, operation) for node in graph.nodes.values())
    assert estimator_rule4ml.described(graph) is None


def _beside(luts: list[int]) -> dict[str, object]:
    """Ranks of predictions for networks that took 10, 20 and 30 LUTs; a fourth was not built."""
    names = ["a", "b", "c", "unbuilt"]
    found = {
        "versions": {"rule4ml": "0"},
        "described": {name: {"name": name} for name in names},
        "networks": {name: {"lut": lut, "ff": lut, "seconds": 0.5} for name, lut in zip(names, luts, strict=True)},
    }
    rows = {
        name: {"synthesized": {"lut": lut, "ff": lut}, "estimated": {"lut": lut + 5, "ff": -lut}}
        for name, lut in zip(names[:3], (10, 20, 30), strict=True)
    }
    return estimator_rule4ml.beside(found, rows)


def test_ranks_follow_the_order_and_nothing_else() -> None:
    told = _beside([100, 900, 901, 0])
    assert told["ranks"] == {"estimated": {"lut": 1, "ff": -1}, "rule4ml": {"lut": 1, "ff": 1}}
    assert told["ms"] == 500
    assert [row["described"]["name"] for row in told["networks"]] == ["a", "b", "c"]


def test_a_swapped_prediction_lowers_the_rank() -> None:
    assert _beside([900, 100, 901, 0])["ranks"]["rule4ml"]["lut"] == 0.5


def test_a_python_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give a Python that has rule4ml"):
        estimator_rule4ml.predicted(tmp_path / "none", [_chain(-8, 3)])
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho No module named rule4ml >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(ConfigError, match="No module named rule4ml"):
        estimator_rule4ml.predicted(python, [_chain(-8, 3)])
