"""Gated matrices as datapaths: the values, what a closed gate keeps still, and the SystemVerilog of all of it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from batches import Batch, check, first_difference
from hypothesis import given, settings
from hypothesis import strategies as st
from random_layers import KINDS, Chain, corners

from fpgaq import toolchain
from fpgaq.ir import FixedType, Graph, Overflow, Rounding, golden
from fpgaq.ir.ops import GatedMatMul
from fpgaq.rtl.datapath import Datapath, Masked, Sum, evaluate_op
from fpgaq.rtl.unroll import unroll


def gated_node(graph: Graph) -> GatedMatMul:
    return next(n for n in graph.nodes.values() if isinstance(n, GatedMatMul))


def datapath(graph: Graph, adder_inputs: int = 3) -> Datapath:
    nodes = [n for n in graph.nodes.values() if n.inputs]
    return unroll(nodes, graph.operand("x"), adder_inputs=adder_inputs)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(KINDS),
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(1, 5),
    st.sampled_from([2, 3]),
)
def test_datapath_is_the_golden_model(
    seed: int, kind: str, n_in: int, n_out: int, low_bits: int, adder_inputs: int
) -> None:
    graph = Chain("net", n_in, FixedType(5, 1, False), seed).gated(n_out, kind, 4, low_bits).graph
    path, x = datapath(graph, adder_inputs), corners(graph, 60, seed)
    want = golden.run(graph, [x])[0]
    assert np.array_equal(path.evaluate(x), want), first_difference(path.evaluate(x), want)
    values: dict[int, np.ndarray] = {}
    for n, op in enumerate(path.ops):
        values[n] = evaluate_op(op, x, values)
        assert path.bounds[n][0] <= values[n].min() <= values[n].max() <= path.bounds[n][1], (n, op)


def test_nothing_toggles_behind_a_closed_gate() -> None:
    """Low bits change, high bits do not: where a gate is closed, only shared adders see it."""
    rng = np.random.default_rng(2)
    graph = Chain("net", 16, FixedType(4, 0, False), 3).gated(8, "dense", 6, 2).graph
    base = rng.integers(0, 4, (40, 16)) << 2
    typical = np.median((base >> 2) @ gated_node(graph).weight, axis=0).astype(int)
    node = dataclasses.replace(gated_node(graph), thresholds=typical, type=FixedType(40, 0, True), weight_frac=0)
    graph = Graph("net", [graph.inputs[0], node], (node.name,))
    path = datapath(graph)
    ends = [base + rng.integers(0, 4, base.shape) for _ in range(2)]
    traces: list[dict[int, np.ndarray]] = [{}, {}]
    for x, values in zip(ends, traces, strict=True):
        for n, op in enumerate(path.ops):
            values[n] = evaluate_op(op, x, values)
    gates = {op.gate.node for op in path.ops if isinstance(op, Masked)}
    assert len(gates) == 8
    behind = {n: op.gate.node for n, op in enumerate(path.ops) if isinstance(op, Masked)}
    for n in range(len(path.ops)):  # adders that read nothing but what stands behind one gate
        found = {behind.get(o) for o in path.operands(n)}
        if isinstance(path.ops[n], Sum) and len(found) == 1 and None not in found:
            behind[n] = found.pop()
    assert sum(isinstance(path.ops[n], Sum) for n in behind) > 8
    for n, gate in behind.items():
        closed = traces[0][gate] == 0
        assert 0.2 < closed.mean() < 0.8
        assert np.array_equal(traces[0][n][closed], traces[1][n][closed])
        assert not np.array_equal(traces[0][n], traces[1][n])


@pytest.mark.parametrize(("threshold", "masks"), [(-1000, 0), (1000, 0), (0, 3)])
def test_gates_that_never_move_are_not_built(threshold: int, masks: int) -> None:
    chain = Chain("net", 6, FixedType(4, 0, False), 1).gated(3, "dense", 4, 2)
    node = dataclasses.replace(gated_node(chain.graph), thresholds=np.full(3, threshold), type=FixedType(20, 0, True))
    node = dataclasses.replace(node, weight_frac=0)
    graph = Graph("net", [chain.graph.inputs[0], node], (node.name,))
    path = datapath(graph)
    gates = {op.gate.node for op in path.ops if isinstance(op, Masked)}
    assert len(gates) == masks
    x = corners(graph, 50, 0)
    assert np.array_equal(path.evaluate(x), golden.run(graph, [x])[0])


def graphs() -> list[Graph]:
    chains = []
    for k, (n_in, n_out, bits, low_bits, kind) in enumerate(
        [
            (8, 5, 4, 2, "dense"),
            (5, 4, 3, 1, "ternary"),
            (3, 3, 6, 4, "pot"),
            (1, 2, 2, 1, "dense"),
            (6, 4, 5, 7, "dense"),
        ]
    ):
        chain = Chain(f"g{k}", n_in, FixedType(bits, 1, False), k).gated(n_out, kind, 4, low_bits)
        if k % 2 == 0:
            chain.relu().requantize(4, False, 2, Rounding.RND_CONV, Overflow.SAT)
        if k == 2:
            chain.gated(3, "dense", 4, 2)
        chains.append(chain.graph)
    return chains


def test_systemverilog_equals_golden(tmp_path: Path) -> None:
    found = graphs()
    batch = Batch(found, tmp_path)
    traces = batch.run(batch.stimulus(3))
    for graph in found:
        check(graph, batch.hardware[graph.name], traces[graph.name])
        assert batch.hardware[graph.name].ii == 1
    toolchain.lint(batch.sources, "batch")


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        # >= t + 1 is > t: a smaller constant by one lets equal sums through
        (r"(>= \$?s?i?g?n?e?d?\(?\d+'d)(\d+)", lambda m: f"{m[1]}{int(m[2]) - 1}"),
        (r"\? (\w+) : (\d+'d\d+);", lambda m: f"? {m[1]} : {m[1]};"),  # a gate that is always open
    ],
)
def test_planted_faults_are_found(pattern: str, replacement: object, tmp_path: Path) -> None:
    graph = graphs()[1]
    batch = Batch([graph], tmp_path)
    for path in batch.sources:
        if path.name == "g1_gated1.sv":
            text, count = re.subn(pattern, replacement, path.read_text())  # type: ignore[call-overload]
            assert count
            path.write_text(text)
    with pytest.raises(AssertionError, match="vector"):
        check(graph, batch.hardware["g1"], batch.run(batch.stimulus(3))["g1"])
