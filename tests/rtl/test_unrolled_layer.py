"""Generated unrolled layers against the golden model in Verilator, many of them in one build."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from batches import Batch, Trace, check
from random_layers import KINDS, MODES, Chain

from fpgaq import toolchain
from fpgaq.ir import FixedType, Graph, golden
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.words import pack


def matrix_and_cast(k: int) -> Graph:
    """A matrix, perhaps a rectifier, and a cast; over k: every mode, kind of weights, shift and sign."""
    rng = np.random.default_rng(k)
    type_ = FixedType(int(rng.integers(1, 9)), 2, bool(k & 1))
    chain = Chain(f"cast{k}", int(rng.integers(1, 17)), type_, k)
    chain.matmul(int(rng.integers(1, 13)), KINDS[k % len(KINDS)], int(rng.integers(1, 7)))
    if k // 2 % 2:
        chain.relu()
    return chain.requantize(int(rng.integers(1, 8)), bool(k // 4 % 2), int(rng.integers(-2, 7)), *MODES[k % 28]).graph


def several_layers(k: int) -> Graph:
    """Chains of everything, two matrices in most of them; bounds are no powers of two."""
    rng = np.random.default_rng(1000 + k)
    type_ = FixedType(int(rng.integers(1, 6)), 1, bool(k & 1))
    chain = Chain(f"mix{k}", int(rng.integers(3, 10)), type_, k)
    if k % 3 == 0:
        chain.clip()
    chain.matmul(int(rng.integers(3, 9)), ("dense", "binary", "ternary", "pot")[k % 4], int(rng.integers(1, 5)))
    chain.affine("binary" if k % 7 else "sparse", int(rng.integers(1, 5)))
    if k % 2:
        chain.relu().stairs(int(rng.integers(1, 16)), 3)
    else:
        chain.requantize(4, bool(k % 4), 3, *MODES[(5 * k) % 28]).clip()
    if k % 5 < 3:
        chain.matmul(int(rng.integers(3, 7)), "dense", 3).relu().requantize(3, False, 2, *MODES[(11 * k) % 28])
    return chain.graph


def special_shapes() -> list[Graph]:
    """Single elements, single bits, constants, words of more than 64 and of more than 256 bits."""
    bit, signed_bit = FixedType(1, 0, False), FixedType(1, 0, True)
    byte = FixedType(8, 0, True)
    return [
        Chain("one_bit", 1, bit, 1).matmul(1, "binary", 1).relu().requantize(1, False, 0, *MODES[1]).graph,
        Chain("one_signed_bit", 1, signed_bit, 2).matmul(1, "binary", 1).requantize(1, True, 0, *MODES[0]).graph,
        Chain("one_byte", 1, byte, 3).matmul(1, "dense", 8).graph,
        Chain("to_one", 9, byte, 4).matmul(1, "dense", 4).graph,
        Chain("from_one", 1, byte, 5).matmul(9, "dense", 4).graph,
        Chain("constant", 3, byte, 6).matmul(4, "zero", 4).graph,
        Chain("just_relu", 5, byte, 7).relu().graph,
        Chain("wires", 3, byte, 8).requantize(12, True, -2, *MODES[1]).graph,
        Chain("wide", 13, FixedType(10, 0, True), 9).matmul(13, "ternary", 2).graph,
        Chain("wider", 40, byte, 10).matmul(3, "binary", 1).graph,
        Chain("widest_out", 2, byte, 11).matmul(40, "dense", 4).graph,
    ]


def run(graphs: list[Graph], folder: Path, clock_period: float = 5.0, family: str = "xc7") -> None:
    batch = Batch(graphs, folder, clock_period, family)
    traces = batch.run(batch.stimulus(1, words=extremes(graphs)))
    for graph in graphs:
        check(graph, batch.hardware[graph.name], traces[graph.name])
    toolchain.lint(batch.sources, "batch")


def extremes(graphs: list[Graph]) -> list[int]:
    """All-ones, zero and alternating words, and per graph the words of its smallest and largest codes."""
    words = [0, (1 << 1024) - 1]
    for graph in graphs:
        type_, shape = graph.inputs[0].type, graph.inputs[0].shape
        words += pack(np.array([np.full(shape, type_.min), np.full(shape, type_.max)]), type_)
    return words


@pytest.mark.slow
def test_every_mode_of_a_cast_behind_a_matrix(tmp_path: Path) -> None:
    run([matrix_and_cast(k) for k in range(28)], tmp_path)


@pytest.mark.extended
def test_chains_of_everything_at_a_fast_clock(tmp_path: Path) -> None:
    graphs = [several_layers(k) for k in range(28)]
    constant = [g.name for g in graphs if np.array_equal(*g.bounds[g.outputs[0]])]
    assert len(constant) < 6
    run(graphs, tmp_path, clock_period=2.0)


@pytest.mark.parametrize(
    ("family", "clock_period"), [("ice40", 6.0), pytest.param("xcup", 100.0, marks=pytest.mark.extended)]
)
def test_special_shapes(family: str, clock_period: float, tmp_path: Path) -> None:
    run(special_shapes(), tmp_path, clock_period, family)


def test_more_stages_at_a_faster_clock() -> None:
    graph = several_layers(1)
    latencies = [make_hardware(graph, period, "xc7").latency for period in (100.0, 5.0, 3.0, 2.0, 1.5)]
    assert latencies == sorted(latencies)
    assert latencies[0] < latencies[-1]


# --- the check can fail ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, Batch, list[Trace]]:
    graph = Chain("sound", 3, FixedType(3, 0, True), 0).matmul(2, "dense", 3).graph
    batch = Batch([graph], tmp_path_factory.mktemp("sound"))
    return graph, batch, batch.run(batch.stimulus(0))["sound"]


def test_check_compares_with_golden(sound: tuple[Graph, Batch, list[Trace]]) -> None:
    graph, batch, traces = sound
    hardware = batch.hardware["sound"]
    check(graph, hardware, traces)
    for fault in ("value", "last", "lost", "late", "slow", "withdrawn"):
        with pytest.raises(AssertionError):
            check(graph, hardware, [spoiled(trace, fault) for trace in traces])


def spoiled(trace: Trace, fault: str) -> Trace:
    """Return a trace with one thing wrong."""
    taken, given, waiting = list(trace.taken), list(trace.given), list(trace.waiting)
    if fault == "value":
        given[5] = type(given[5])(given[5].cycle, given[5].word ^ 1, given[5].last)
    elif fault == "last":
        given[5] = type(given[5])(given[5].cycle, given[5].word, 1 - given[5].last)
    elif fault == "lost":
        del given[-9:]
    elif fault == "late":
        given[0] = type(given[0])(given[0].cycle + 1, given[0].word, given[0].last)
    elif fault == "slow":
        given[1] = type(given[1])(given[1].cycle + 1, given[1].word, given[1].last)
    else:
        waiting[0] = type(waiting[0])(waiting[0].cycle, waiting[0].word ^ 1, waiting[0].last)
    return Trace(taken, given, waiting)


def test_golden_inputs_are_those_of_the_words() -> None:
    graph = Chain("order", 3, FixedType(4, 0, True), 0).relu().graph
    x = np.array([[-1, 2, 7]])
    assert pack(x, graph.inputs[0].type) == [0x72F]
    assert golden.run(graph, [x])[0].tolist() == [[0, 2, 7]]
