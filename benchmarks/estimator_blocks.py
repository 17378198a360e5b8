"""Blocks that random networks rarely have, each by itself in some sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Bounds, Operand, frozen_array
from fpgaq.ir.ops import (
    Concatenate,
    Crop,
    Function,
    GatedMatMul,
    Input,
    MatMul,
    Merge,
    Pad,
    Repeat,
    Requantize,
    Scan,
    Softmax,
)
from fpgaq.ir.ops.softmax import TABLE_TYPE, exp_table, inverse_table
from fpgaq.ir.types import FixedType, Overflow, Rounding
from fpgaq.rtl.dataflow import LayerHardware
from fpgaq.rtl.gated_engine import GatedEngine
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.scan_loop import ScanLoop
from fpgaq.rtl.softmax_layer import SoftmaxLayer
from fpgaq.rtl.stream_collect import StreamCollect
from fpgaq.rtl.stream_concatenate import StreamConcatenate
from fpgaq.rtl.stream_crop import StreamCrop
from fpgaq.rtl.stream_pad import StreamPad
from fpgaq.rtl.stream_reduce import StreamReduce
from fpgaq.rtl.stream_repeat import StreamRepeat
from fpgaq.rtl.stream_split import StreamSplit

#: Rows, columns and channels of frames, and bits of an element.
_SIZES = ((6, 7, 1, 3), (9, 9, 4, 4), (14, 14, 8, 5), (28, 28, 2, 8), (33, 20, 12, 6), (40, 64, 6, 4))
#: Inputs, outputs, input bits, low bits, weight bits and reuse factor of gated matrices.
_GATED = ((8, 6, 4, 2, 4, 6), (12, 8, 4, 2, 3, 4), (16, 8, 6, 3, 5, 16), (32, 16, 4, 2, 4, 16), (16, 12, 5, 2, 2, 24))
#: Elements and bits of vectors that softmax is taken of.
_SOFTMAX = ((3, 8), (5, 12), (10, 10), (16, 16))
#: Inputs and states of recurrent layers, and bits of these.
_LOOPS = ((3, 4, 4), (6, 8, 5), (8, 16, 6), (4, 24, 8))


def blocks() -> Iterator[LayerHardware]:
    """Give every kind of block in every size; that of recurrent layers has modules of its own."""
    yield from _arranging()
    for k, (n_in, n_out, bits, low, weight_bits, reuse) in enumerate(_GATED):
        rng, most = np.random.default_rng(k), 2 ** (weight_bits - 1)
        source = FixedType(bits, 0, False)
        weight = rng.integers(-most + 1, most, (n_in, n_out))
        gated = GatedMatMul(
            name="gated",
            inputs=("x",),
            layer="block",
            type=FixedType(bits + weight_bits + n_in.bit_length(), 0, True),
            weight=weight,
            weight_frac=0,
            low_bits=low,
            thresholds=rng.integers(-most, most, n_out),
            reuse=reuse,
        )
        yield GatedEngine(f"gated{k}", gated, _vector(source, n_in))
    for k, (n, bits) in enumerate(_SOFTMAX):
        source = FixedType(bits, bits // 2, True)
        tables = {"exponentials": exp_table(), "inverses": inverse_table(n)}
        named = {"inputs": ("x",), "layer": "block", "type": TABLE_TYPE}
        softmax = Softmax(name="softmax", source_frac=source.frac, **tables, **named)
        yield SoftmaxLayer(f"softmax{k}", softmax, _vector(source, n))
    for k, sizes in enumerate(_LOOPS):
        yield _loop(k, *sizes)


def _vector(type_: FixedType, *shape: int) -> Operand:
    return Operand(type_, Bounds(*(frozen_array(np.full(shape, end)) for end in (type_.min, type_.max))))


def _loop(k: int, n_in: int, states: int, bits: int) -> LayerHardware:
    """Return a simple recurrent layer: the states are the sum of two products, cut."""
    rng, type_ = np.random.default_rng(k), FixedType(bits, 0, True)
    x = Input(name="x", inputs=(), layer="x", type=type_, shape=(n_in,))
    before = Input(name="before", inputs=(), layer="x", type=type_, shape=(states,))
    wide = FixedType(bits + 4 + (n_in + states).bit_length(), 0, True)
    kernel, recurrent = (
        MatMul(
            name=f"{name}{k}",
            inputs=(source.name,),
            layer="step",
            type=wide,
            weight=rng.integers(-1, 2, (source.shape[0], states)),
            weight_frac=0,
            bias=np.zeros(states, np.int64),
        )
        for name, source in (("kernel", x), ("recurrent", before))
    )
    total = Merge(
        name=f"total{k}",
        inputs=(kernel.name, recurrent.name),
        layer="step",
        type=FixedType(wide.width + 1, 0, True),
        function=Function.ADD,
        source_fracs=(0, 0),
    )
    after = Requantize(
        name=f"after{k}",
        inputs=(total.name,),
        layer="step",
        type=type_,
        source_frac=0,
        rounding=Rounding.TRN,
        overflow=Overflow.SAT,
    )
    step = Graph("step", [x, before, kernel, recurrent, total, after], (after.name, after.name))
    frames = Input(name="frames", inputs=(), layer="frames", type=type_, shape=(5, n_in))
    scan = Scan(
        name=f"loop{k}", inputs=("frames",), layer=f"loop{k}", type=type_, step=step, initial=(0,), sequences=True
    )
    graph = Graph(f"recurrent{k}", [frames, scan], (scan.name,))
    return next(b.hardware for b in make_hardware(graph, 5.0, "xc7").blocks if isinstance(b.hardware, ScanLoop))


def _arranging() -> Iterator[LayerHardware]:
    """Give what arranges pixels."""
    for k, (rows, cols, channels, bits) in enumerate(_SIZES):
        type_ = FixedType(bits, 0, signed=k % 2 == 1)
        shape = (rows, cols, channels)
        ends = (frozen_array(np.full(shape, end)) for end in (type_.min, type_.max))
        frame = Operand(type_, Bounds(*ends))
        named = {"inputs": ("x",), "layer": "block", "type": type_}
        margin = (1, k % 3)
        yield StreamPad(f"pad{k}", Pad(name="pad", before=margin, after=(k % 2, 1), **named), frame)
        yield StreamCrop(f"crop{k}", Crop(name="crop", before=margin, after=(1, k % 2), **named), frame)
        yield StreamRepeat(f"repeat{k}", Repeat(name="repeat", times=(1 + k % 3, 2), **named), frame)
        yield StreamCollect(f"collect{k}", channels * bits, cols)
        yield StreamSplit(f"split{k}", channels * bits, rows)
        shapes = (shape, (1 + k, cols, channels), (2, cols, channels))[: 2 + k % 2]
        sources = [_vector(type_, *s) for s in shapes]
        several = {**named, "inputs": tuple("abc"[: len(shapes)])}
        node = Concatenate(name="concatenate", axis=0, source_fracs=(0,) * len(shapes), **several)
        yield StreamConcatenate(f"concatenate{k}", node, sources)
        pixels = rows * cols
        wider = FixedType(bits + pixels.bit_length(), 0, type_.signed)
        yield StreamReduce(f"sum{k}", channels, type_, wider, pixels, False)
        yield StreamReduce(f"maximum{k}", channels, type_, type_, pixels, True)
