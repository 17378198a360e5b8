"""What connects the blocks of a stage graph: signals, forks, joins and FIFOs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from fpgaq.rtl.dataflow import Block, Dataflow, Edge
from fpgaq.rtl.verilog import instance


class Ends(NamedTuple):
    """Names of the signals of a stream as one reader sees it."""

    valid: str
    ready: str
    last: str
    data: str

    @property
    def word(self) -> str:
        return f"{{{self.last}, {self.data}}}"


class Wiring:
    """Writes what is between the blocks; stream k has the signals ``valid_k``, ``ready_k``, ``last_k`` and ``data_k``.

    Parameters
    ----------
    flow : Dataflow
    clock : mapping of str
        Signals for the ports ``clk`` and ``rst_n``.
    """

    def __init__(self, flow: Dataflow, clock: Mapping[str, str]) -> None:
        self.flow, self.clock = flow, clock
        self.number = {stream: k for k, stream in enumerate(flow.bits)}
        self.read: dict[Edge, Ends] = {}

    def signals(self) -> list[str]:
        """Return the declarations of all streams."""
        return [line for stream, bits in self.flow.bits.items() for line in _declared(self.ends(stream), bits)]

    def blocks(self) -> list[str]:
        """Return the blocks and what they are connected by; then `sinks` is known."""
        lines: list[str] = []
        for stream in self.flow.bits:
            lines += self._readers(stream)
        for number, block in enumerate(self.flow.blocks):
            lines += self._block(block, [self.read[edge] for edge in self.flow.edges if edge.block == number])
        return lines

    @property
    def sinks(self) -> list[Ends]:
        """What the outputs of the design read, in order."""
        return [self.read[edge] for edge in self.flow.edges if edge.block is None]

    def ends(self, stream: str) -> Ends:
        """Return the signals of a stream."""
        return Ends(*(f"{signal}_{self.number[stream]}" for signal in Ends._fields))

    def _readers(self, stream: str) -> list[str]:
        """Give every reader of a stream its end: the stream itself where there is one, else one side of a fork."""
        k, whole = self.number[stream], self.ends(stream)
        edges = [edge for edge in self.flow.edges if edge.stream == stream]
        if len(edges) == 1:
            ends, lines = [whole], []
        else:
            ends = [Ends(f"valid_{k}_{j}", f"ready_{k}_{j}", whole.last, whole.data) for j in range(len(edges))]
            ports = {
                **self.clock,
                "in_valid": whole.valid,
                "in_ready": whole.ready,
                "out_valid": side_by_side(end.valid for end in ends),
                "out_ready": side_by_side(end.ready for end in ends),
            }
            lines = [f"logic {end.valid}, {end.ready};" for end in ends]
            lines.append(instance("stream_fork", f"fork_{k}", ports, {"N": len(ends)}))
        for j, (edge, end) in enumerate(zip(edges, ends, strict=True)):
            self.read[edge] = end
            if edge.depth:
                self.read[edge], text = self._fifo(end, stream, j, edge.depth)
                lines += text
        return lines

    def _block(self, block: Block, ends: Sequence[Ends]) -> list[str]:
        lines: list[str] = []
        source = ends[0]
        if not block.joined:
            source = Ends(*(side_by_side(getattr(e, s) for e in ends) for s in Ends._fields))
        elif len(ends) > 1:
            k = self.number[block.output]
            source = Ends(f"valid_to_{k}", f"ready_to_{k}", f"last_to_{k}", side_by_side(e.data for e in ends))
            ports = {f"in_{s}": side_by_side(getattr(e, s) for e in ends) for s in ("valid", "ready", "last")}
            ports |= {f"out_{s}": getattr(source, s) for s in ("valid", "ready", "last")}
            lines = [
                f"logic {source.valid}, {source.ready}, {source.last};",
                instance("stream_join", f"join_{k}", ports, {"N": len(ends)}),
            ]
        ports = dict(self.clock)
        for side, end in (("in", source), ("out", self.ends(block.output))):
            ports |= {f"{side}_{s}": getattr(end, s) for s in ("valid", "ready", "last", "data")}
        return [*lines, instance(block.hardware.name, f"u_{block.hardware.name}", ports)]

    def _fifo(self, end: Ends, stream: str, reader: int, depth: int) -> tuple[Ends, list[str]]:
        bits, number = self.flow.bits[stream], f"{self.number[stream]}_{reader}"
        late = Ends(*(f"{signal}_{number}_late" for signal in Ends._fields))
        ports = {
            **self.clock,
            "in_valid": end.valid,
            "in_ready": end.ready,
            "in_data": end.word,
            "out_valid": late.valid,
            "out_ready": late.ready,
            "out_data": late.word,
        }
        block = instance("stream_fifo", f"fifo_{number}", ports, {"WIDTH": bits + 1, "DEPTH": depth})
        return late, [*_declared(late, bits), block]


def _declared(ends: Ends, bits: int) -> list[str]:
    return [f"logic {ends.valid}, {ends.ready}, {ends.last};", f"logic [{bits - 1}:0] {ends.data};"]


def side_by_side(names: Iterable[str]) -> str:
    """Return a concatenation, the first name in the low bits."""
    return f"{{{', '.join(reversed(list(names)))}}}"
