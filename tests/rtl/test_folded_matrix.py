"""Folded matrices: the ROM holds the matrix, latency and II follow the reuse factor, the hardware equals golden."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from batches import Batch, check, codes, results
from coded_layers import EXAMPLES, coded_layer, matrix_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_layers import KINDS, Chain

from fpgaq import toolchain
from fpgaq.ir import FixedType, Graph, IntArray, Overflow, Rounding, golden
from fpgaq.ir.ops import MatMul
from fpgaq.ir.types import overflow_to, signed_bits
from fpgaq.rtl.folded_forms import SHIFTED
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.hardware import make_hardware


def legal(n_in: int, n_out: int) -> list[int]:
    """Reuse factors above 1: divisors of n_in, and n_in times divisors of n_out."""
    small = [r for r in range(2, n_in + 1) if n_in % r == 0]
    return sorted({*small, *(n_in * r for r in range(1, n_out + 1) if n_out % r == 0)} - {1})


def fields(word: int, width: int, count: int) -> IntArray:
    """Signed fields of a ROM word, lowest first."""
    raw = [(word >> (k * width)) & ((1 << width) - 1) for k in range(count)]
    return np.array([f - (1 << width) if f >> (width - 1) else f for f in raw], dtype=np.int64)


def folded(n_in: int, n_out: int, reuse: int, kind: str, seed: int, half: int = 0) -> FoldedMatrix:
    chain = Chain("net", n_in, FixedType(3, 0, bool(seed & 1)), seed)
    graph = chain.matmul(n_out, kind, 4, reuse).graph
    matrix = graph.nodes[graph.outputs[0]]
    assert isinstance(matrix, MatMul)
    return FoldedMatrix("net_fc", matrix, graph.operand("x"), half)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(KINDS), st.integers(0, 999), st.sampled_from([0, 4]))
def test_rom_and_schedule_are_the_matrix(n_in: int, n_out: int, kind: str, seed: int, half: int) -> None:
    """Replay what the engine does: every legal reuse factor, exactly as many cycles as it says."""
    x = np.random.default_rng(seed).integers(-4 * (seed & 1), 4, (5, n_in))
    for reuse in legal(n_in, n_out):
        layer = folded(n_in, n_out, reuse, kind, seed, half)
        plan, width = layer.schedule, layer.form.weight_width
        p, lanes = plan.inputs_per_cycle, plan.lanes
        assert layer.ii == reuse == plan.beats * plan.groups
        assert layer.latency == reuse + 4 + math.ceil(math.log2(p)) // 2  # a register every two levels of adders
        assert p * plan.beats == n_in
        assert lanes * plan.groups == n_out
        assert p * lanes * reuse == n_in * n_out  # multipliers, hls4ml's block factor
        words, biases = layer.weight_words(), layer.bias_words()
        assert len(words) == reuse
        assert len(biases) == plan.groups
        got = np.zeros((len(x), n_out), dtype=np.int64)
        for cycle, word in enumerate(words):
            group, beat = divmod(cycle, plan.beats)
            block = fields(word, width, lanes * p).reshape(lanes, p)
            columns = slice(group * lanes, (group + 1) * lanes)
            if beat == 0:
                got[:, columns] += fields(biases[group], layer.result_type.width, lanes)
            got[:, columns] += x[:, beat * p : (beat + 1) * p] @ block.T
        want = layer.matrix.evaluate([x]) + half
        acc = layer.result_type
        assert acc.covers(int(want.min()), int(want.max()))
        assert np.array_equal(overflow_to(got, acc, Overflow.WRAP), want)
        assert width == max(signed_bits(int(w)) for w in layer.matrix.weight.reshape(-1))


def design(name: str, n_in: int, n_out: int, reuse: int, type_: FixedType, tail: str, kind: str = "dense") -> Graph:
    """A matrix with what follows it; `nearest` has the rounding half merged into the biases."""
    chain = Chain(name, n_in, type_, n_in * 100 + n_out).matmul(n_out, kind, 5, reuse)
    if tail == "nearest":
        chain.requantize(5, True, 3, Rounding.RND_CONV, Overflow.SAT)
    elif tail == "relu":
        chain.relu().requantize(4, False, 3, Rounding.RND, Overflow.SAT)
    elif tail == "floor":
        chain.requantize(6, True, 2, Rounding.TRN, Overflow.WRAP)
    elif tail == "stairs":
        chain.relu().stairs(7, 2)
    elif tail == "argmax":
        chain.argmax()
    return chain.graph


SIGNED, UNSIGNED = FixedType(4, 1, True), FixedType(5, 1, False)
#: n_in, n_out, reuse, input type, tail
CONFIGURATIONS = [
    (8, 4, 2, SIGNED, ""),
    (8, 4, 4, UNSIGNED, "nearest"),
    (8, 4, 8, SIGNED, "relu"),
    (8, 4, 16, UNSIGNED, "floor"),
    (8, 4, 32, SIGNED, "stairs"),
    (6, 6, 3, UNSIGNED, ""),
    (6, 6, 6, SIGNED, "nearest"),
    (6, 6, 18, UNSIGNED, "relu"),
    (6, 6, 36, SIGNED, "argmax"),
    (1, 5, 5, UNSIGNED, "nearest"),
    (5, 1, 5, SIGNED, ""),
    (2, 1, 2, FixedType(1, 0, False), "relu"),
    (3, 2, 6, FixedType(1, 0, True), ""),
    (16, 9, 4, FixedType(8, 0, True), "nearest"),
    (7, 3, 21, FixedType(8, 0, False), "floor"),
]
#: A ROM deep enough for a block RAM
DEEP = (40, 13, 520, FixedType(2, 0, True), "")


def designs(reuse: bool) -> list[Graph]:
    prefix = "f" if reuse else "u"
    return [
        design(f"{prefix}{k}", n_in, n_out, r if reuse else 1, type_, tail)
        for k, (n_in, n_out, r, type_, tail) in enumerate(CONFIGURATIONS)
    ]


@pytest.mark.slow
def test_folded_equals_unrolled_equals_golden(tmp_path: Path) -> None:
    """With stalls and a reset in mid-stream; latency and II as predicted, to the cycle."""
    graphs = [*designs(True), *designs(False)]
    batch = Batch(graphs, tmp_path)
    traces = batch.run(batch.stimulus(5))
    for graph in graphs:
        check(graph, batch.hardware[graph.name], traces[graph.name])
    for k in range(len(CONFIGURATIONS)):  # the first vectors are the same ones: the unrolled design takes all
        f, u = batch.hardware[f"f{k}"], batch.hardware[f"u{k}"]
        pairs = [(t, g) for trace in traces[f"f{k}"] for t, g in zip(trace.taken, trace.given, strict=False)]
        of_unrolled = {
            t.word: g.word for trace in traces[f"u{k}"] for t, g in zip(trace.taken, trace.given, strict=False)
        }
        common = [(g.word, of_unrolled[t.word]) for t, g in pairs if t.word in of_unrolled]
        assert len(common) > 2
        assert np.array_equal(results(f, [a for a, _ in common]), results(u, [b for _, b in common]))
        assert codes(f, [t.word for t, _ in pairs]).shape[1:] == codes(u, [0]).shape[1:]
    toolchain.lint(batch.sources, "batch")


def test_deep_rom_equals_golden(tmp_path: Path) -> None:
    """Of integers, and of codes."""
    graphs = [design("deep", *DEEP), coded_layer("coded", EXAMPLES["pot4"], DEEP[:3], DEEP[3])]
    batch = Batch(graphs, tmp_path)
    assert matrix_of(batch.hardware["coded"]).form.name == SHIFTED
    traces = batch.run(batch.stimulus(6))
    for graph in graphs:
        check(graph, batch.hardware[graph.name], traces[graph.name])


@pytest.mark.parametrize(("n_in", "n_out", "reuse", "type_", "tail"), [*CONFIGURATIONS, DEEP])
def test_prediction_of_designs(n_in: int, n_out: int, reuse: int, type_: FixedType, tail: str) -> None:
    hardware = make_hardware(design("net", n_in, n_out, reuse, type_, tail), 5.0, "xc7")
    rest = hardware.blocks[1:]
    assert hardware.ii == reuse
    assert hardware.latency == hardware.blocks[0].hardware.latency + sum(block.hardware.latency for block in rest)
    assert bool(rest) == bool(tail)


def test_half_rides_along_with_the_biases() -> None:
    for tail, half in (("nearest", 4), ("relu", 4), ("floor", 0), ("", 0)):
        first = make_hardware(design("net", 8, 4, 4, SIGNED, tail), 5.0, "xc7").blocks[0].hardware
        assert isinstance(first, FoldedMatrix)
        assert first.half == half


def test_deep_rom_is_a_block_ram() -> None:
    styles = {}
    for reuse in (40, 520):
        layer = folded(40, 13, reuse, "dense", 3)
        rom = next(m for m in layer.modules() if m.name.endswith("_weights"))
        styles[reuse] = '"block"' in str(rom)
    assert styles == {40: False, 520: True}


def test_golden_of_the_largest_is_within_its_accumulator() -> None:
    """Every column at its extremes."""
    graph = design("net", 16, 9, 4, FixedType(8, 0, True), "")
    matrix = graph.nodes[graph.outputs[0]]
    assert isinstance(matrix, MatMul)
    layer = FoldedMatrix("net_fc", matrix, graph.operand("x"))
    x = np.concatenate([np.where(matrix.weight.T > 0, *ends) for ends in ((127, -128), (-128, 127))])
    y = golden.run(graph, [x])[0]
    assert layer.result_type.covers(int(y.min()), int(y.max()))
    narrower = FixedType(layer.result_type.width - 1, 0, layer.result_type.signed)
    assert not narrower.covers(int(y.min()), int(y.max()))
