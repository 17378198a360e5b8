"""Blocks that random networks rarely have, each by itself in some sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fpgaq.ir.node import Bounds, Operand, frozen_array
from fpgaq.ir.ops import Crop, Pad, Repeat
from fpgaq.ir.types import FixedType
from fpgaq.rtl.dataflow import LayerHardware
from fpgaq.rtl.stream_collect import StreamCollect
from fpgaq.rtl.stream_crop import StreamCrop
from fpgaq.rtl.stream_pad import StreamPad
from fpgaq.rtl.stream_reduce import StreamReduce
from fpgaq.rtl.stream_repeat import StreamRepeat
from fpgaq.rtl.stream_split import StreamSplit

#: Rows, columns and channels of frames, and bits of an element.
_SIZES = ((6, 7, 1, 3), (9, 9, 4, 4), (14, 14, 8, 5), (28, 28, 2, 8), (33, 20, 12, 6), (40, 64, 6, 4))


def blocks() -> Iterator[LayerHardware]:
    """Give every kind of block in every size."""
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
        pixels = rows * cols
        wider = FixedType(bits + pixels.bit_length(), 0, type_.signed)
        yield StreamReduce(f"sum{k}", channels, type_, wider, pixels, False)
        yield StreamReduce(f"maximum{k}", channels, type_, type_, pixels, True)
