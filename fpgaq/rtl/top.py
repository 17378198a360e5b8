"""The top module: AXI-Stream ports, the blocks of the stage graph, forks, joins and FIFOs between them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fpgaq.ir.node import Operand
from fpgaq.ir.types import IntArray
from fpgaq.rtl.dataflow import Block, Dataflow, Edge
from fpgaq.rtl.verilog import Module, Port, instance
from fpgaq.rtl.words import pack, unpack


@dataclass(frozen=True)
class Endpoint:
    """An AXI-Stream port of the design.

    Parameters
    ----------
    node : str
        Input or output of the graph.
    prefix : str
        Of the port's signals.
    stream : str
        The stream inside.
    operand : Operand
        Type and bounds of the tensor.
    width : int
        Bits of an element in a word; an output may have more than its type.
    beats : int
        Beats that the tensor is.
    """

    node: str
    prefix: str
    stream: str
    operand: Operand
    width: int
    beats: int = 1

    @property
    def count(self) -> int:
        """Elements of a beat."""
        return int(self.operand.bounds.lo.size) // self.beats

    @property
    def bits(self) -> int:
        """Bits of a beat, without those that pad it to bytes."""
        return self.width * self.count

    @property
    def bytes(self) -> int:
        """Bytes of a beat."""
        return math.ceil(self.bits / 8)

    def pack(self, codes: IntArray) -> list[int]:
        """Return the beats for codes of shape (samples, ...)."""
        rows = codes.reshape(len(codes) * self.beats, self.count)
        return pack(rows, dataclasses.replace(self.operand.type, width=self.width))

    def unpack(self, words: Sequence[int]) -> IntArray:
        """Return the codes in beats, shape (samples, size); of a sample that is not complete nothing."""
        samples = len(words) // self.beats
        rows = unpack(words[: samples * self.beats], self.operand.type, self.width, self.count)
        return rows.reshape(samples, self.beats * self.count)


def top_module(
    name: str, comment: Sequence[str], flow: Dataflow, inputs: Sequence[Endpoint], outputs: Sequence[Endpoint]
) -> Module:
    """Return the top: blocks and what connects them, and at every output a skid buffer that cuts the ready path."""
    module = Module(name, comment, [Port("input", "aclk"), Port("input", "aresetn")])
    for end in inputs:
        module.ports += [
            Port("input", f"{end.prefix}_tvalid"),
            Port("output", f"{end.prefix}_tready"),
            Port("input", f"{end.prefix}_tlast"),
            Port("input", f"{end.prefix}_tdata", 8 * end.bytes, unused=end.bits < 8 * end.bytes),
        ]
    for end in outputs:
        module.ports += [
            Port("output", f"{end.prefix}_tvalid"),
            Port("input", f"{end.prefix}_tready"),
            Port("output", f"{end.prefix}_tlast"),
            Port("output", f"{end.prefix}_tdata", 8 * end.bytes),
        ]
    module.body = _Body(flow).lines(inputs, outputs)
    return module


class _Ends(NamedTuple):
    """Names of the signals of a stream as one reader sees it."""

    valid: str
    ready: str
    last: str
    data: str

    @property
    def word(self) -> str:
        return f"{{{self.last}, {self.data}}}"


_CLOCK = {"clk": "aclk", "rst_n": "aresetn"}


class _Body:
    """Writes the body; stream k has the signals ``valid_k``, ``ready_k``, ``last_k`` and ``data_k``."""

    def __init__(self, flow: Dataflow) -> None:
        self.flow = flow
        self.number = {stream: k for k, stream in enumerate(flow.bits)}
        self.read: dict[Edge, _Ends] = {}

    def lines(self, inputs: Sequence[Endpoint], outputs: Sequence[Endpoint]) -> list[str]:
        """Return the whole body."""
        lines = [line for stream, bits in self.flow.bits.items() for line in _declared(self._of(stream), bits)]
        for end in inputs:
            inner = self._of(end.stream)
            lines += [
                "",
                f"assign {inner.valid} = {end.prefix}_tvalid;",
                f"assign {end.prefix}_tready = {inner.ready};",
                f"assign {inner.last} = {end.prefix}_tlast;",
                f"assign {inner.data} = {end.prefix}_tdata[{end.bits - 1}:0];",
            ]
        lines.append("")
        for stream in self.flow.bits:
            lines += self._readers(stream)
        for number, block in enumerate(self.flow.blocks):
            lines += self._block(block, [self.read[edge] for edge in self.flow.edges if edge.block == number])
        for edge in self.flow.edges:
            if edge.block is None:
                lines += ["", *_output(outputs[edge.place], self.read[edge], edge.place, len(outputs))]
        return lines

    def _of(self, stream: str) -> _Ends:
        return _Ends(*(f"{signal}_{self.number[stream]}" for signal in _Ends._fields))

    def _readers(self, stream: str) -> list[str]:
        """Give every reader of a stream its end: the stream itself where there is one, else one side of a fork."""
        k, whole = self.number[stream], self._of(stream)
        edges = [edge for edge in self.flow.edges if edge.stream == stream]
        if len(edges) == 1:
            ends, lines = [whole], []
        else:
            ends = [_Ends(f"valid_{k}_{j}", f"ready_{k}_{j}", whole.last, whole.data) for j in range(len(edges))]
            ports = {
                **_CLOCK,
                "in_valid": whole.valid,
                "in_ready": whole.ready,
                "out_valid": _side_by_side(end.valid for end in ends),
                "out_ready": _side_by_side(end.ready for end in ends),
            }
            lines = [f"logic {end.valid}, {end.ready};" for end in ends]
            lines.append(instance("stream_fork", f"fork_{k}", ports, {"N": len(ends)}))
        for j, (edge, end) in enumerate(zip(edges, ends, strict=True)):
            self.read[edge] = end
            if edge.depth:
                self.read[edge], text = _fifo(end, f"{k}_{j}_late", f"fifo_{k}_{j}", self.flow.bits[stream], edge.depth)
                lines += text
        return lines

    def _block(self, block: Block, ends: Sequence[_Ends]) -> list[str]:
        lines: list[str] = []
        source = ends[0]
        if not block.joined:
            source = _Ends(*(_side_by_side(getattr(e, s) for e in ends) for s in _Ends._fields))
        elif len(ends) > 1:
            k = self.number[block.output]
            source = _Ends(f"valid_to_{k}", f"ready_to_{k}", f"last_to_{k}", _side_by_side(e.data for e in ends))
            ports = {f"in_{s}": _side_by_side(getattr(e, s) for e in ends) for s in ("valid", "ready", "last")}
            ports |= {f"out_{s}": getattr(source, s) for s in ("valid", "ready", "last")}
            lines = [
                f"logic {source.valid}, {source.ready}, {source.last};",
                instance("stream_join", f"join_{k}", ports, {"N": len(ends)}),
            ]
        ports = dict(_CLOCK)
        for side, end in (("in", source), ("out", self._of(block.output))):
            ports |= {f"{side}_{s}": getattr(end, s) for s in ("valid", "ready", "last", "data")}
        return [*lines, instance(block.hardware.name, f"u_{block.hardware.name}", ports)]


def _declared(ends: _Ends, bits: int) -> list[str]:
    return [f"logic {ends.valid}, {ends.ready}, {ends.last};", f"logic [{bits - 1}:0] {ends.data};"]


def _side_by_side(names: Iterable[str]) -> str:
    """Return a concatenation, the first name in the low bits."""
    return f"{{{', '.join(reversed(list(names)))}}}"


def _fifo(end: _Ends, suffix: str, name: str, bits: int, depth: int) -> tuple[_Ends, list[str]]:
    late = _Ends(*(f"{signal}_{suffix}" for signal in _Ends._fields))
    ports = {
        **_CLOCK,
        "in_valid": end.valid,
        "in_ready": end.ready,
        "in_data": end.word,
        "out_valid": late.valid,
        "out_ready": late.ready,
        "out_data": late.word,
    }
    block = instance("stream_fifo", name, ports, {"WIDTH": bits + 1, "DEPTH": depth})
    return late, [*_declared(late, bits), block]


def _output(end: Endpoint, source: _Ends, place: int, count: int) -> list[str]:
    suffix = "" if count == 1 else f"_{place}"
    ports = {
        **_CLOCK,
        "in_valid": source.valid,
        "in_ready": source.ready,
        "in_data": source.word,
        "out_valid": f"{end.prefix}_tvalid",
        "out_ready": f"{end.prefix}_tready",
        "out_data": f"{{{end.prefix}_tlast, result{suffix}}}",
    }
    spare = 8 * end.bytes - end.bits
    padded = f"{{{spare}'d0, result{suffix}}}" if spare else f"result{suffix}"
    return [
        f"logic [{end.bits - 1}:0] result{suffix};",
        instance("skid_buffer", f"output_skid{suffix}", ports, {"WIDTH": end.bits + 1}),
        f"assign {end.prefix}_tdata = {padded};",
    ]
