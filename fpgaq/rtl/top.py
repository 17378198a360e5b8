"""The top module: AXI-Stream ports, the blocks of the stage graph, forks, joins and FIFOs between them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from fpgaq.ir.node import Operand
from fpgaq.ir.types import IntArray
from fpgaq.rtl.dataflow import Dataflow
from fpgaq.rtl.verilog import Module, Port, instance
from fpgaq.rtl.wiring import Ends, Wiring
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
    module.body = _body(flow, inputs, outputs)
    return module


_CLOCK = {"clk": "aclk", "rst_n": "aresetn"}


def _body(flow: Dataflow, inputs: Sequence[Endpoint], outputs: Sequence[Endpoint]) -> list[str]:
    wiring = Wiring(flow, _CLOCK)
    lines = wiring.signals()
    for end in inputs:
        inner = wiring.ends(end.stream)
        lines += [
            "",
            f"assign {inner.valid} = {end.prefix}_tvalid;",
            f"assign {end.prefix}_tready = {inner.ready};",
            f"assign {inner.last} = {end.prefix}_tlast;",
            f"assign {inner.data} = {end.prefix}_tdata[{end.bits - 1}:0];",
        ]
    lines += ["", *wiring.blocks()]
    for place, (end, source) in enumerate(zip(outputs, wiring.sinks, strict=True)):
        lines += ["", *_output(end, source, place, len(outputs))]
    return lines


def _output(end: Endpoint, source: Ends, place: int, count: int) -> list[str]:
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
