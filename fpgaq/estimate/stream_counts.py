"""What the blocks are made of that arrange pixels, and those that connect modules."""

from __future__ import annotations

from fpgaq.estimate.counts import Counts, Device
from fpgaq.rtl.frames import by_axis
from fpgaq.rtl.scan_loop import ScanLoop
from fpgaq.rtl.stream_collect import StreamCollect
from fpgaq.rtl.stream_concatenate import StreamConcatenate
from fpgaq.rtl.stream_crop import StreamCrop
from fpgaq.rtl.stream_pad import StreamPad
from fpgaq.rtl.stream_reduce import StreamReduce
from fpgaq.rtl.stream_repeat import StreamRepeat
from fpgaq.rtl.stream_split import StreamSplit
from fpgaq.rtl.stream_tag import StreamTag
from fpgaq.rtl.stream_window import StreamWindow

#: Words from which lines and FIFOs are block RAM, as the library blocks have it.
_DEEP_LINE, _DEEP_FIFO = 256, 65


def counter(states: int) -> int:
    """Return the bits of a counter."""
    return max(states - 1, 0).bit_length()


def count_window(block: StreamWindow, device: Device) -> Counts:
    """Return the parts of line buffers and window registers."""
    counts = Counts("window")
    frame, (high, wide) = block.frame, block.reach
    (rows, _), (down, right), (apart, across) = block.axes
    pixel = frame.channels * block.source.type.width
    _count_counters(counts, frame.rows, frame.cols, max(high, down), max(wide, right))
    counts.ff += 2
    depth, word = apart * frame.cols, (rows - 1) * pixel
    if word and depth > 1:
        _count_counters(counts, depth)
        in_block = _count_memory(counts, depth, word, device, deep=depth >= _DEEP_LINE)
        counts.ff += 0 if in_block else word
    elif word:
        counts.ff += word
    # Columns are read every `across` pixels; between those they are shift registers.
    column = rows * pixel
    counts.ff += column
    for _ in range(1, wide, across):
        counts.registers(across, column, device)
    return counts


def count_pad(block: StreamPad, device: Device) -> Counts:
    """Return the parts of a margin."""
    counts = Counts("pad")
    (top, left), (bottom, right) = by_axis(block.node.before, 0), by_axis(block.node.after, 0)
    frame = block.frame
    pixel = frame.channels * block.node.type.width
    _count_counters(counts, frame.rows + top + bottom, frame.cols + left + right)
    counts.ff += 1 + block.early + pixel
    counts.logic["pixel"] = pixel
    counts.logic["edges"] = sum(edge > 0 for edge in (top, bottom, left, right))
    return counts


def count_crop(block: StreamCrop, device: Device) -> Counts:
    """Return the parts of what drops pixels."""
    counts = Counts("crop")
    _count_counters(counts, block.frame.rows, block.frame.cols)
    counts.ff += 2 + block.frame.channels * block.source.type.width
    return counts


def count_repeat(block: StreamRepeat, device: Device) -> Counts:
    """Return the parts of what repeats pixels."""
    counts = Counts("repeat")
    frame, (down, across) = block.frame, by_axis(block.node.times, 1)
    pixel = frame.channels * block.source.type.width
    _count_counters(counts, frame.rows, frame.cols, down, across)
    counts.ff += 1 + pixel
    if down > 1:
        counts.registers(frame.cols, pixel, device)
        counts.logic["pixel"] = pixel
    return counts


def count_collect(block: StreamCollect, device: Device) -> Counts:
    """Return the parts of what makes one beat of several."""
    counts = Counts("collect")
    _count_counters(counts, block.beats)
    counts.ff += 2 + block.bits * block.beats
    return counts


def count_split(block: StreamSplit, device: Device) -> Counts:
    """Return the parts of what takes a beat apart."""
    counts = Counts("split")
    _count_counters(counts, block.beats)
    counts.ff += 2 + block.bits * block.beats
    counts.logic["loaded"] = block.bits * (block.beats - 1)
    return counts


def count_reduce(block: StreamReduce, device: Device) -> Counts:
    """Return the parts of a sum or maximum over a frame."""
    counts = Counts("maximum" if block.largest else "sum")
    result = block.result_type.width
    _count_counters(counts, block.beats)
    counts.ff += 2 + block.channels * result
    counts.logic["elements"] = block.channels * result
    return counts


def count_tag(block: StreamTag, device: Device) -> Counts:
    """Return the parts of what tells the places of pixels apart."""
    counts = Counts("tag")
    _count_counters(counts, len(block.tags.rows), len(block.tags.cols))
    counts.ff += 2 + block.elements * block.width + block.tags.bits
    counts.logic["tags"] = block.tags.bits
    return counts


def count_concatenate(block: StreamConcatenate, device: Device) -> Counts:
    """Return the parts of what takes pixels of several streams in turn."""
    counts = Counts("concatenate")
    pixel = block.sources[0].shape[-1] * block.node.type.width
    _count_counters(counts, len(block.sources), max(block.lengths), block.rounds)
    counts.ff += 2 + pixel
    counts.logic["pixel"] = pixel * (len(block.sources) - 1)
    return counts


def count_loop(block: ScanLoop, device: Device) -> Counts:
    """Return the parts around the step of a recurrent layer."""
    counts = Counts("loop", logic={"one": 1})
    beat, *states = (block.flow.bits[source] for source in block.flow.sources)
    counts.ff += beat + sum(states) + len(block.flow.sources) + 2
    counts.logic["sources"] = len(block.flow.sources)
    counts.logic["states"] = sum(states)
    return counts


def count_fifo(bits: int, depth: int, device: Device) -> Counts:
    """Return the parts of a FIFO of so many words."""
    counts = Counts("fifo")
    deep = depth >= _DEEP_FIFO
    _count_counters(counts, depth, depth)
    counts.ff += 2 + (bits + 1 if deep else 0)
    _count_memory(counts, depth, bits, device, deep=deep)
    counts.logic["passed"] = bits if deep else 0
    return counts


def count_fork(readers: int) -> Counts:
    """Return the parts of a fork."""
    return Counts("fork", ff=readers, logic={"readers": readers, "one": 1})


def count_skid(bits: int) -> Counts:
    """Return the parts of the buffer in front of an output."""
    return Counts("skid", ff=bits + 1, logic={"bits": bits, "one": 1})


def _count_counters(counts: Counts, *states: int) -> None:
    bits = [counter(n) for n in states]
    counts.ff += sum(bits)
    counts.logic["counted"] += sum(bits)
    counts.logic["one"] = 1


def _count_memory(counts: Counts, depth: int, bits: int, device: Device, *, deep: bool) -> bool:
    """Count the RAM that holds so many words, and return whether it is block RAM, which has the register behind it."""
    blocks = device.block_ram(depth, bits) if device.block_ram else 0
    if blocks and (deep or 0 < device.block_least * blocks <= depth * bits):
        counts.bram18 += blocks
        return True
    if device.lut_ram:
        counts.lutram += device.lut_ram(depth, bits)
    else:
        counts.ff += depth * bits
        counts.logic["memory"] += depth * bits
    return False
