"""Convolutional networks as pixel streams against the golden model in Verilator, many of them in one build."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from batches import Batch, Cycle, Trace, assert_held, first_difference
from random_layers import KINDS, MODES, Chain

from fpgaq import toolchain
from fpgaq.errors import ModelError
from fpgaq.ir import FixedType, Graph, Overflow, Rounding, golden
from fpgaq.ir.ops import MatMul
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.hardware import Hardware, make_hardware
from fpgaq.rtl.stream_collect import StreamCollect
from fpgaq.rtl.stream_crop import StreamCrop
from fpgaq.rtl.stream_pad import StreamPad
from fpgaq.rtl.stream_repeat import StreamRepeat
from fpgaq.rtl.stream_tag import StreamTag
from fpgaq.rtl.stream_window import StreamWindow
from fpgaq.rtl.timetable import timetable
from fpgaq.rtl.unroll_window import reciprocal, reciprocals
from fpgaq.rtl.words import pack

NIBBLE = FixedType(4, 1, False)
#: Blocks that know where a frame ends.
_COUNTING = (StreamCrop, StreamPad, StreamRepeat, StreamTag, StreamWindow)


def conv(chain: Chain, filters: int, size: tuple[int, ...], k: int, reuse: int = 1, **more: tuple[int, ...]) -> Chain:
    """Windows, a matrix, and a cast; over k: kinds of weights, and modes."""
    chain.windows(size, **more).matmul(filters, KINDS[k % len(KINDS)], 3, reuse)
    return chain.requantize(4, bool(k % 2), 2, *MODES[k % len(MODES)])


def convolutions() -> list[Graph]:
    """Margins, strides, dilations, one and two axes, both schedules, several layers."""
    found = []
    for k in range(6):  # two convolutions with a margin, which does not have to be zero
        chain = Chain(f"two{k}", (4, 5, 2), FixedType(3, 0, bool(k & 1)), k).pad((1, 1), (1, 1), k % 3)
        conv(chain, 3, (3, 3), k, stride=(1 + k % 2, 1)).pad((0, 1), (1, 0))
        found.append(conv(chain, 2, (2, 2), k + 3).graph)
    found += [
        conv(Chain("pixels", (3, 4, 3), NIBBLE, 1), 2, (1, 1), 0).graph,
        Chain("one_matrix", (3, 4, 3), NIBBLE, 2).matmul(2, "dense", 3).graph,
        conv(Chain("whole", (3, 3, 2), NIBBLE, 3), 4, (3, 3), 0).graph,
        conv(Chain("dilated", (7, 6, 1), NIBBLE, 4), 2, (2, 3), 1, dilation=(3, 2)).graph,
        conv(Chain("over", (7, 7, 2), NIBBLE, 5), 2, (2, 2), 2, stride=(3, 3)).graph,
        conv(Chain("narrow", (6, 1, 2), NIBBLE, 6).pad((1, 0), (1, 0)), 2, (3, 1), 0).graph,
        conv(Chain("series", (9, 2), NIBBLE, 7).pad((2,), (0,)), 3, (3,), 1, dilation=(1,)).graph,
        conv(Chain("causal", (8, 1), NIBBLE, 8).pad((4,), (0,)), 2, (3,), 3, dilation=(2,), stride=(2,)).graph,
        Chain("margin", (2, 3, 1), NIBBLE, 9).pad((1, 2), (2, 1), 7).graph,
        Chain("only_windows", (4, 4, 1), NIBBLE, 10).windows((2, 2), (2, 1)).graph,
    ]
    # The corners of the image reach less than any pixel could: the type of the result is narrower than that.
    corner = Chain("corners", (2, 2, 1), NIBBLE, 11).pad((1, 1), (1, 1)).windows((3, 3)).matmul(2, "binary", 1)
    found.append(corner.relu().graph)
    for reuse in (3, 9, 18):
        chain = Chain(f"folded{reuse}", (2, 3, 1), NIBBLE, reuse).pad((1, 1), (1, 1))
        conv(chain, 4, (3, 3), 0, reuse)
        found.append(conv(chain, 2, (2, 2), 5, 4).graph)
    folded_corners = Chain("folded_corners", (2, 2, 1), NIBBLE, 12).pad((1, 1), (1, 1)).windows((3, 3))
    folded_corners.matmul(2, "binary", 1, 9).requantize(3, False, 1, Rounding.RND, Overflow.SAT)
    found.append(folded_corners.graph)
    return found


def pools() -> list[Graph]:
    """Maxima of windows, alone and behind convolutions; signed and unsigned, overlapping or not."""
    found = [
        Chain("pool", (4, 6, 2), FixedType(4, 0, True), 1).pool((2, 2)).graph,
        Chain("overlap", (5, 5, 1), FixedType(3, 0, False), 2).pool((3, 3), (2, 2)).graph,
        Chain("pool_series", (7, 3), FixedType(5, 0, True), 3).pool((3,), (2,)).relu().graph,
        Chain("pool_all", (3, 3, 2), FixedType(1, 0, True), 4).pool((3, 3)).graph,
        # The margin is the least code: it never wins, and nothing compares with it where it stands.
        Chain("pool_padded", (3, 3, 1), FixedType(4, 0, True), 5).pad((1, 1), (0, 0), -8).pool((2, 2)).graph,
        Chain("pool_floor", (2, 2, 1), FixedType(4, 0, True), 6).pad((0, 0), (1, 1), 3).pool((2, 2), (1, 1)).graph,
    ]
    found += [
        Chain("mean", (4, 4, 2), FixedType(4, 0, True), 7).average((2, 2), 4, 2).graph,
        Chain("mean_cut", (4, 4, 2), FixedType(4, 0, True), 8).average((2, 2), 4, 0, (1, 2)).relu().graph,
        Chain("mean_third", (6, 2), FixedType(6, 0, True), 9).average((3,), 3, 4).graph,
        Chain("mean_all", (3, 5, 2), FixedType(3, 0, False), 10).average((3, 5), 15, 1).reshape().graph,
    ]
    found += [  # of windows that reach into a margin only what is inside counts
        Chain("edges", (3, 5, 2), FixedType(4, 0, True), 11).average_inside((2, 2), (0, 0), (1, 1), 2).graph,
        Chain("edges_nine", (4, 4, 1), FixedType(3, 0, False), 12)
        .average_inside((3, 3), (1, 1), (1, 1), 3, 1, 1)
        .graph,
        Chain("edges_cols", (2, 4, 1), FixedType(5, 0, True), 13).average_inside((1, 3), (0, 1), (0, 1), 0, 1, 2).graph,
        Chain("edges_series", (7, 2), FixedType(1, 0, False), 14).average_inside((4,), (1,), (2,), 4, 3).graph,
    ]
    last = Chain("edges_cast", (4, 3, 2), FixedType(4, 0, True), 15).average_inside((3, 3), (1, 1), (1, 1), 4, 2, 1)
    found.append(last.relu().requantize(4, False, 2, Rounding.RND_CONV, Overflow.SAT).graph)
    # A margin that is never the least: the bounds of the maximum are narrower than the type of a pixel.
    found += [
        Chain("largest", (2, 2, 2), FixedType(4, 0, True), 16).pad((0, 0), (1, 0), 3).largest().graph,
        Chain("largest_of", (2, 2, 2), FixedType(4, 0, True), 17)
        .pad((1, 0), (0, 0), 2)
        .largest()
        .matmul(2, "dense", 3)
        .graph,
    ]
    for k in range(4):
        chain = conv(Chain(f"conv_pool{k}", (6, 6, 2), NIBBLE, k), 3, (3, 3), k, 1 if k % 2 else 6)
        chain.pool((2, 2))
        found.append(conv(chain, 2, (2, 2), k + 1).graph)
    return found


def networks() -> list[Graph]:
    """Images in, vectors out: what is flattened meets matrices of both schedules."""
    found = []
    for k, reuse in enumerate((1, 4, 12)):
        chain = conv(Chain(f"net{k}", (5, 5, 1), NIBBLE, k).pad((1, 1), (0, 0)), 3, (3, 3), k).pool((2, 2)).reshape()
        chain.matmul(4, "dense", 3, reuse).relu().requantize(4, False, 3, Rounding.RND_CONV, Overflow.SAT)
        found.append(chain.matmul(3, "ternary", 2).argmax().graph if k else chain.graph)
    # Pixels are multiplied as they come: at once or in steps, with pauses between them, counted bits, parts of a frame.
    for k, (reuse, before) in enumerate(((4, 1), (8, 8), (4, 16), (16, 1))):
        chain = conv(Chain(f"as_they_come{k}", (3, 3, 2), NIBBLE, k), 4, (2, 2), 0, before).reshape()
        found.append(chain.matmul(3, "dense", 3, reuse).relu().requantize(5, False, 3, *MODES[k]).graph)
    bits = Chain("bits", (2, 3, 8), FixedType(1, 0, False), 3).pad((0, 0), (0, 1)).reshape()
    found.append(coded(bits, formats.Binary(), 8, 8))
    powers = Chain("powers", (2, 2, 3), FixedType(8, 0, True), 3).pad((0, 0), (0, 1)).reshape()
    found.append(coded(powers, formats.PowerOfTwo(4), 4, 18))
    found.append(Chain("halves", (6, 2), NIBBLE, 4).matmul(2, "dense", 2).reshape(3, 4).matmul(3, "dense", 2, 4).graph)
    slow = conv(Chain("slow", (3, 3, 2), NIBBLE, 5), 2, (2, 2), 0).reshape().matmul(4, "dense", 3, 32)
    return [
        *found,
        slow.graph,
        Chain("flat", (2, 3, 2), NIBBLE, 6).pool((1, 2), (1, 1)).reshape().graph,
        Chain("pairs", (6, 2), NIBBLE, 7).matmul(2, "dense", 2).reshape(3, 4).matmul(3, "dense", 2).graph,
        Chain("merged", (2, 3, 2), NIBBLE, 8).matmul(2, "dense", 2).reshape(6, 2).windows((2,)).graph,
        conv(Chain("to_vector", (2, 2, 2), NIBBLE, 9), 3, (2, 2), 0).reshape().matmul(2, "dense", 2).graph,
    ]


def coded(chain: Chain, number_format: WeightFormat, n_out: int, reuse: int) -> Graph:
    """Append a matrix of random weights of a format."""
    node = MatMul(
        name="coded",
        inputs=(chain.nodes[-1].name,),
        type=FixedType(18, chain.operand.type.frac, True),
        layer="coded",
        weight=chain.rng.choice(number_format.levels, (chain.size, n_out)),
        weight_frac=0,
        bias=chain.rng.integers(-9, 10, n_out),
        reuse=reuse,
        format=number_format,
        unit=np.ones(n_out, np.int64),
    )
    chain.nodes.append(node)
    return chain.graph


def run(graphs: list[Graph], folder: Path, clock_period: float = 5.0) -> None:
    batch = Batch(graphs, folder, clock_period)
    toolchain.lint(batch.sources, "batch")
    cycles = stimulus(batch)
    traces = batch.run(cycles)
    for graph in graphs:
        check(graph, batch.hardware[graph.name], traces[graph.name])


def stimulus(batch: Batch) -> list[Cycle]:
    """Full speed, stalls, the output blocked, a reset in mid-frame, full speed, stalls, a drain.

    The first pixels are the ends of their range.
    """
    words = [0, (1 << 1024) - 1]
    for hardware in batch.hardware.values():
        (end,) = hardware.inputs
        type_ = end.operand.type
        words += pack(np.array([np.full(end.count, type_.min), np.full(end.count, type_.max)]), type_)
    rng = random.Random(1)
    bits = max(8 * h.inputs[0].bytes for h in batch.hardware.values())
    length = max(h.latency + 3 * h.ii for h in batch.hardware.values()) + 20
    cycles: list[Cycle] = []
    for count, reset, valid, ready in (
        (2, 1, 1.0, 0.0),
        (length, 0, 1.0, 1.0),
        (length, 0, 0.6, 0.6),
        (length // 4, 0, 1.0, 0.0),
        (2, 1, 1.0, 0.0),
        (length, 0, 1.0, 1.0),
        (length, 0, 0.9, 0.4),
        (length, 0, 0.3, 0.9),
        (length, 0, 0.0, 1.0),
    ):
        for k in range(count):
            data = words[k] if k < len(words) else rng.getrandbits(bits)
            on = {"s_valid": int(rng.random() < valid), "m_ready": int(rng.random() < ready)}
            cycles.append({"aresetn": 1 - reset, "s_last": rng.getrandbits(1), "s_data": data, **on})
    return cycles


def check(graph: Graph, h: Hardware, traces: Sequence[Trace], *, framed: bool = False) -> None:
    """Values, order, ends of frames and protocol between resets; at full speed every beat in the predicted cycle.

    `framed` says that the input marked the ends of frames.
    """
    (source,), (sink,) = h.inputs, h.outputs
    for k, trace in enumerate(traces):
        label = f"{graph}\nstretch {k}"
        assert_held(trace)
        words = [t.word for t in trace.taken]
        frames, cut = divmod(len(words), source.beats)
        x = source.unpack([*words, *[0] * (source.beats - cut if cut else 0)]).reshape(-1, *source.operand.shape)
        want = sink.pack(golden.run(graph, [x])[0])
        got = [t.word & ((1 << sink.bits) - 1) for t in trace.given]
        mask = (1 << sink.operand.type.width) - 1  # an accumulator may have bits above
        fields = np.array([[w >> i * sink.width & mask for i in range(sink.count)] for w in got])
        wanted = np.array([[w >> i * sink.width & mask for i in range(sink.count)] for w in want[: len(got)]])
        assert np.array_equal(fields, wanted), f"{label}: {first_difference(fields, wanted)}"
        least = 0 if k + 1 < len(traces) else frames * sink.beats  # the last stretch is drained
        assert least <= len(got) <= (frames + bool(cut)) * sink.beats, label
        # Where nothing counts it travels along.
        if framed or any(isinstance(block.hardware, _COUNTING) for block in h.blocks):
            ends = [t.last for t in trace.given]
            assert ends == [int(i % sink.beats == sink.beats - 1) for i in range(len(ends))], label
        punctual = on_time(h, trace)
        assert punctual >= (3 * sink.beats if k < 1 else 1), f"{label}: {punctual} beats in time"


def on_time(h: Hardware, trace: Trace) -> int:
    """Return how many beats come in the predicted cycle before the first one that does not."""
    samples = len(trace.given) // h.outputs[0].beats + 1
    table = h.timetable([np.zeros((samples, *h.inputs[0].operand.shape), np.int64)])
    clocks = [h.latency + k * h.ii for k in range(samples)] if table is None else table.sinks[0]
    start = trace.taken[0].cycle
    pairs = zip(trace.given, clocks, strict=False)
    return next((i for i, (t, clock) in enumerate(pairs) if t.cycle - start != clock), len(trace.given))


@pytest.mark.slow
def test_convolutions(tmp_path: Path) -> None:
    run(convolutions(), tmp_path)


@pytest.mark.slow
def test_pools(tmp_path: Path) -> None:
    run(pools(), tmp_path, clock_period=2.0)


def arranged() -> list[Graph]:
    """Edges dropped, pixels repeated, vectors that become images."""
    found = [
        Chain("crop", (4, 5, 2), NIBBLE, 1).crop((1, 0), (0, 2)).windows((2, 2)).graph,
        Chain("crop_one", (3, 3, 1), NIBBLE, 2)
        .windows((1, 1), (1, 1))
        .crop((1, 1), (1, 1))
        .matmul(2, "dense", 2)
        .graph,
        Chain("crop_series", (6, 2), NIBBLE, 3).pad((1,), (0,)).crop((2,), (1,)).relu().graph,
        Chain("larger", (2, 3, 2), NIBBLE, 4).repeat(2, 3).windows((2, 2)).graph,
        Chain("taller", (2, 2, 1), NIBBLE, 5).pad((0, 0), (1, 0)).repeat(3, 1).graph,
        Chain("longer", (3, 2), NIBBLE, 6).repeat(4).windows((2,)).graph,
        Chain("as_many", (2, 2, 2), NIBBLE, 7).repeat(1, 1).windows((2, 1)).graph,
        Chain("image", 12, NIBBLE, 8).reshape(2, 3, 2).windows((2, 2)).graph,
        Chain("halves_of_pixels", (2, 4), NIBBLE, 9).pad((0,), (1,)).reshape(6, 2).windows((2,)).graph,
    ]
    decoder = Chain("decoder", 3, NIBBLE, 12).matmul(8, "dense", 2).relu().requantize(4, False, 2, *MODES[1])
    found.append(conv(decoder.reshape(2, 2, 2).repeat(2, 2), 2, (2, 2), 0).crop((0, 1), (1, 0)).graph)
    slow = Chain("decoder_folded", 4, NIBBLE, 13).matmul(8, "dense", 2, 8).requantize(4, False, 2, *MODES[2])
    found.append(conv(slow.reshape(2, 2, 2), 2, (2, 2), 1, 4).graph)
    return found


@pytest.mark.slow
def test_arranged(tmp_path: Path) -> None:
    run(arranged(), tmp_path)


@pytest.mark.slow
def test_networks(tmp_path: Path) -> None:
    run(networks(), tmp_path)


def test_pixels_are_collected_only_where_they_must() -> None:
    found = {graph.name: make_hardware(graph, 5.0, "xc7") for graph in networks()}
    collecting = {name for name, h in found.items() if any(isinstance(b.hardware, StreamCollect) for b in h.blocks)}
    assert collecting == {"net0", "slow", "flat", "pairs"}
    forms = {
        name: block.hardware.form.name
        for name, h in found.items()
        for block in h.blocks
        if isinstance(block.hardware, FoldedMatrix) and block.hardware.pixels > 1
    }
    assert forms["as_they_come0"] == "multiply"
    assert {forms["bits"], forms["powers"]} == {"count bits", "decode, shift"}
    assert found["as_they_come0"].ii < found["as_they_come2"].ii


def test_reshapes_to_beats_of_another_kind_are_refused() -> None:
    graph = Chain("net", (4, 3), NIBBLE, 0).pad((0,), (2,)).reshape(9, 2).windows((2,)).graph
    with pytest.raises(ModelError, match=r"reshapes \[6, 3\] to \[9, 2\] is not.*none is a multiple.*vector first"):
        Hardware(graph, 5.0, "xc7").modules()


def test_other_orders_of_pixels_are_refused() -> None:
    graph = Chain("net", (4, 3, 2), NIBBLE, 0).windows((1, 1), (2, 1)).permute(1, 0, 2).graph
    with pytest.raises(
        ModelError, match=r"'permute2': .*\[2, 3, 2\] in the order of the axes \[2, 1, 3\] is not avail"
    ):
        Hardware(graph, 5.0, "xc7").modules()


def test_divisors_that_are_no_products_of_rows_and_columns_are_refused() -> None:
    chain = Chain("net", (4, 4, 2), NIBBLE, 0).average((2, 2), 2, 1)
    node = dataclasses.replace(chain.nodes[-1], divisors=np.array([[4, 2], [2, 3]]))
    chain.nodes[-1] = node
    with pytest.raises(ModelError, match=r"hardware for an average whose divisors are no products of rows and columns"):
        Hardware(chain.graph, 5.0, "xc7").modules()


def test_one_shift_divides_by_several_numbers() -> None:
    for divisors in ((4, 2, 1), (9, 6, 4), (5, 3, 7, 1)):
        for most in (0, 3, 100, 4095):
            factors, shift = reciprocals(divisors, most)
            t = np.arange(most + 1)
            for factor, divisor in zip(factors, divisors, strict=True):
                assert np.array_equal(t * factor >> shift, t // divisor)


@pytest.mark.parametrize("divisor", [1, 2, 3, 5, 7, 9, 12, 25, 49, 64])
def test_reciprocals_divide(divisor: int) -> None:
    for most in (0, 1, divisor, 100, 4095):
        factor, shift = reciprocal(divisor, most)
        t = np.arange(most + 1)
        assert np.array_equal(t * factor >> shift, t // divisor)


def test_frames_repeat_as_if_they_were_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second time on that blocks are in the same state, clocks are copied; computing them all is the same."""
    flows = [make_hardware(graph, 5.0, "xc7").flow for graph in (*pools()[:5], networks()[-2], convolutions()[17])]
    copied = [timetable(flow, {}, 9) for flow in flows]
    never_alike = itertools.count()
    monkeypatch.setattr("fpgaq.rtl.timetable.state", lambda engines, block: (next(never_alike),))
    assert [timetable(flow, {}, 9) for flow in flows] == copied
