"""What every kind of module is made of, and what connects the modules of a design."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from fpgaq.errors import ModelError
from fpgaq.estimate.coefficients import PREDICTED
from fpgaq.estimate.counts import Counts, Device
from fpgaq.estimate.datapath_counts import count_datapath
from fpgaq.estimate.engine_counts import count_gated, count_softmax
from fpgaq.estimate.folded_counts import count_folded
from fpgaq.estimate.predicted import PredictedLayer
from fpgaq.estimate.stream_counts import (
    count_collect,
    count_concatenate,
    count_crop,
    count_fifo,
    count_fork,
    count_loop,
    count_pad,
    count_reduce,
    count_repeat,
    count_skid,
    count_split,
    count_tag,
    count_window,
)
from fpgaq.rtl.argmax_layer import ArgMaxLayer
from fpgaq.rtl.dataflow import Dataflow, LayerHardware
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.gated_engine import GatedEngine
from fpgaq.rtl.scan_loop import ScanLoop
from fpgaq.rtl.softmax_layer import SoftmaxLayer
from fpgaq.rtl.stream_collect import StreamCollect
from fpgaq.rtl.stream_concatenate import StreamConcatenate
from fpgaq.rtl.stream_crop import StreamCrop
from fpgaq.rtl.stream_pad import StreamPad
from fpgaq.rtl.stream_reduce import StreamReduce
from fpgaq.rtl.stream_repeat import StreamRepeat
from fpgaq.rtl.stream_split import StreamSplit
from fpgaq.rtl.stream_tag import StreamTag
from fpgaq.rtl.stream_window import StreamWindow
from fpgaq.rtl.unrolled_layer import UnrolledLayer

#: Bits of numbers that are compared in so little time that LUTs of four inputs choose the larger: of LUTs of more
#: inputs, which are several of these, synthesis makes what comes later.
_EARLY = 9


def count_block(hardware: LayerHardware, device: Device, read: Sequence[int] | None = None) -> Counts:
    """Return the parts of a module.

    Parameters
    ----------
    hardware : LayerHardware
    device : Device
    read : sequence of int, optional
        Bits of every element of the result that something reads. Synthesis of a whole design drops what nothing reads.

    Raises
    ------
    ModelError
        If it is of a kind that cannot be estimated yet.
    """
    if isinstance(hardware, UnrolledLayer):
        return _unrolled(hardware, device, read)
    if isinstance(hardware, FoldedMatrix):
        return count_folded(hardware, device, read)
    if isinstance(hardware, PredictedLayer):
        return _predicted(hardware, device)
    count = _KINDS.get(type(hardware))
    if count is None:
        raise ModelError(f"module {hardware.name!r}: there is no estimate of {hardware.summary}; synthesize the design")
    return count(hardware, device)


def count_module(hardware: LayerHardware, device: Device) -> list[Counts]:
    """Return the parts of a module and of all modules within; see `count_block`."""
    parts = [count_block(hardware, device)]
    if isinstance(hardware, ScanLoop):
        parts += [*count_blocks(hardware.flow, device), *count_between(hardware.flow, device)]
    return parts


def count_blocks(flow: Dataflow, device: Device) -> list[Counts]:
    """Return the parts of all modules of a design, in order, without what no other module reads."""
    readers = Counter(edge.stream for edge in flow.edges)
    reads: dict[str, list[int] | None] = {}
    found: list[Counts] = []
    for block in reversed(flow.blocks):
        if isinstance(block.hardware, ScanLoop):
            found += reversed(count_module(block.hardware, device))
            continue
        counts = count_block(block.hardware, device, reads.get(block.output))
        if late := counts.logic.pop("chosen_late", 0):
            counts.logic["chosen"] += late  # other things come later than that
        found.append(counts)
        if len(block.inputs) == 1 and readers[block.inputs[0]] == 1:
            reads[block.inputs[0]] = counts.reads
    return found[::-1]


def count_connections(flow: Dataflow, device: Device) -> list[Counts]:
    """Return the parts of forks, FIFOs and joins between modules, and of the buffers in front of the outputs."""
    skids = [count_skid(flow.bits[edge.stream]) for edge in flow.edges if edge.block is None]
    return [*count_between(flow, device), *skids]


def count_between(flow: Dataflow, device: Device) -> list[Counts]:
    """Return the parts of forks, FIFOs and joins between modules."""
    found = []
    readers = Counter(edge.stream for edge in flow.edges)
    found += [count_fork(number) for number in readers.values() if number > 1]
    found += [count_fifo(flow.bits[edge.stream] + 1, edge.depth, device) for edge in flow.edges if edge.depth]
    joined = sum(len(block.inputs) for block in flow.blocks if len(block.inputs) > 1)
    found += [Counts("joins", logic={"inputs": joined})] if joined else []
    return found


def _unrolled(layer: UnrolledLayer, device: Device, read: Sequence[int] | None) -> Counts:
    counts = count_datapath(layer.path, layer.schedule, device, read)
    _add_control(counts, layer.latency, device)
    return counts


def _predicted(layer: PredictedLayer, device: Device) -> Counts:
    """Count the logic that follows the matrix; of the matrix LUTs are told, and registers of both."""
    after = {} if layer.rest is None else _unrolled(layer.rest, device, None).logic
    return Counts(PREDICTED, ff=round(layer.ff), logic={**after, "told": layer.lut})


def _argmax(layer: ArgMaxLayer, device: Device) -> Counts:
    """Count a tree of comparisons; an element that meets no other waits in a row of registers."""
    counts = Counts("argmax")
    width = layer.source.type.width
    # Of every element how long it has waited, and the bits of its index that are not known.
    elements = [(0, 0)] * layer.elements
    while len(elements) > 1:
        pairs, alone = list(zip(elements[::2], elements[1::2], strict=False)), elements[len(elements) // 2 * 2 :]
        last = len(elements) == 2
        for pair in pairs:
            for waited, index in pair:
                counts.registers(waited, width + index, device)
            counts.logic["compared"] += width
            chosen = max(index for _, index in pair) + (0 if last else width)
            counts.logic["chosen_late" if device.lut_inputs < 6 and width > _EARLY else "chosen"] += chosen
        elements = [(1, max(index for _, index in pair) + 1) for pair in pairs]
        elements += [(waited + 1, index) for waited, index in alone]
    counts.registers(elements[0][0], elements[0][1], device)
    _add_control(counts, layer.latency, device)
    return counts


def _add_control(counts: Counts, stages: int, device: Device) -> None:
    """Count what says in which stages there is something."""
    counts.registers(stages, 1, device, reset=True)
    counts.registers(stages, 1, device)
    counts.logic["one"] = 1


_KINDS: dict[type, Callable[[Any, Device], Counts]] = {
    ArgMaxLayer: _argmax,
    GatedEngine: count_gated,
    ScanLoop: count_loop,
    SoftmaxLayer: count_softmax,
    StreamCollect: count_collect,
    StreamConcatenate: count_concatenate,
    StreamCrop: count_crop,
    StreamPad: count_pad,
    StreamReduce: count_reduce,
    StreamRepeat: count_repeat,
    StreamSplit: count_split,
    StreamTag: count_tag,
    StreamWindow: count_window,
}
