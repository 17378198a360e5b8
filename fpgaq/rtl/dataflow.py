"""The stage graph: which module reads which streams, when its first result is there, and where words must wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from fpgaq.rtl.verilog import Module


class LayerHardware(Protocol):
    """What every schedule of a layer offers."""

    @property
    def name(self) -> str: ...
    @property
    def latency(self) -> int: ...
    @property
    def ii(self) -> int: ...
    @property
    def summary(self) -> str: ...
    def modules(self) -> list[Module]: ...


@dataclass(frozen=True)
class Block:
    """One module of the design, and what flows into and out of it.

    Parameters
    ----------
    hardware : LayerHardware
        Its module has the ports of `fpgaq.rtl.unrolled_layer.stream_ports`. With several inputs their vectors lie side
        by side in ``in_data``, the first one in the low bits.
    layer : str
        Layer of the model.
    inputs : tuple of str
        Streams that it reads.
    output : str
        The stream that it makes.
    out_width, out_count : int
        Bits and number of the elements of its vector.
    probe : str or None
        Graph node whose codes the output vector holds, None inside a layer.
    beats : int
        Beats of the output that a frame is.
    joined : bool
        Whether a beat of every input is taken at once; if not, its module has a handshake for each.
    """

    hardware: LayerHardware
    layer: str
    inputs: tuple[str, ...]
    output: str
    out_width: int
    out_count: int
    probe: str | None
    beats: int = 1
    joined: bool = True


@dataclass(frozen=True)
class Edge:
    """A stream on its way to one of its readers.

    Parameters
    ----------
    stream : str
    block : int or None
        Number of the block that reads it; None for an output of the design.
    place : int
        Which input of the block, or which output of the design.
    depth : int
        Words of the FIFO on the way, 0 for wires.
    """

    stream: str
    block: int | None
    place: int
    depth: int


@dataclass(frozen=True)
class Dataflow:
    """Blocks connected by streams.

    Parameters
    ----------
    sources : mapping of int
        Streams that come from outside, in order, and the bits of their words.
    blocks : sequence of Block
        In topological order.
    sinks : tuple of str
        Streams that leave, in order; a stream may leave more than once.
    frames : mapping of int
        Beats of a frame, of the streams from outside that have several.
    depths : mapping of int or None
        Words of the FIFOs in front of joins, by number and place of the block's input; where it is None, they follow
        from the latencies of vectors.
    """

    sources: Mapping[str, int]
    blocks: Sequence[Block]
    sinks: tuple[str, ...]
    frames: Mapping[str, int] = field(default_factory=dict)
    depths: Mapping[tuple[int, int], int] | None = None

    @cached_property
    def bits(self) -> Mapping[str, int]:
        """Width of every stream, inputs first and then as blocks come."""
        return {**self.sources, **{b.output: b.out_width * b.out_count for b in self.blocks}}

    @cached_property
    def beats(self) -> Mapping[str, int]:
        """Beats of a frame in every stream; 1 where a word is a whole vector."""
        inputs = {stream: self.frames.get(stream, 1) for stream in self.sources}
        return {**inputs, **{block.output: block.beats for block in self.blocks}}

    @property
    def has_frames(self) -> bool:
        """Whether beats of some stream are less than a whole vector."""
        return any(beats > 1 for beats in self.beats.values())

    @cached_property
    def latency(self) -> Mapping[str, int]:
        """Cycles from the first words at the inputs to the first word of every stream, without stalls.

        Only where every word is a vector; see `fpgaq.rtl.timetable` for frames.
        """
        latency = dict.fromkeys(self.sources, 0)
        for block in self.blocks:
            latency[block.output] = max(latency[i] for i in block.inputs) + block.hardware.latency
        return latency

    @cached_property
    def ii(self) -> Mapping[str, int]:
        """Cycles between the words of every stream: what is connected goes at the pace of its slowest block."""
        group = {stream: stream for stream in self.bits}
        for block in self.blocks:
            merged = {group[i] for i in (*block.inputs, block.output)}
            group = {s: group[block.output] if g in merged else g for s, g in group.items()}
        pace = dict.fromkeys(group.values(), 1)
        for block in self.blocks:
            pace[group[block.output]] = max(pace[group[block.output]], block.hardware.ii)
        return {stream: pace[g] for stream, g in group.items()}

    @cached_property
    def edges(self) -> Sequence[Edge]:
        """Every reader of every stream: blocks in order, then the outputs of the design."""
        edges = [
            Edge(stream, number, place, self._depth(stream, number, place))
            for number, block in enumerate(self.blocks)
            for place, stream in enumerate(block.inputs)
        ]
        return [*edges, *(Edge(stream, None, place, 0) for place, stream in enumerate(self.sinks))]

    def _depth(self, stream: str, number: int, place: int) -> int:
        """Words that must wait so that the slowest input of a block never stops a faster one that others read, too."""
        if self.depths is not None:
            return self.depths.get((number, place), 0)
        if self._belongs_to(stream, number):
            return 0
        wait = max(self.latency[i] for i in self.blocks[number].inputs) - self.latency[stream]
        return -(-wait // self.ii[stream]) + 1 if wait else 0

    def _belongs_to(self, stream: str, number: int) -> bool:
        """Whether nothing but a block depends on a stream and on what it is made of: it can wait outside, then."""
        made = {block.output: block.inputs for block in self.blocks}
        pending, reader = [stream], {stream: self.blocks[number].output}
        while pending:
            current = pending.pop()
            readers = [block.output for block in self.blocks if current in block.inputs]
            if current in self.sinks or readers != [reader[current]]:
                return False
            for source in made.get(current, ()):
                if reader.setdefault(source, current) != current:
                    return False
                pending.append(source)
        return True
