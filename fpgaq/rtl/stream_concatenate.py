"""Pixel streams behind each other, along the rows or the columns of a frame: an instance of the library block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fpgaq.ir.node import Operand
from fpgaq.ir.ops import Concatenate
from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.resized import resized
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, Port, constant, instance


@dataclass(frozen=True)
class StreamConcatenate(PixelBlock):
    """Hardware that takes beats of several streams in turn.

    Its module has the ports of `fpgaq.rtl.unrolled_layer.stream_ports`, but a handshake for every input.

    Parameters
    ----------
    name : str
        Module name.
    node : Concatenate
        Its axis is not that of the channels.
    sources : sequence of Operand
        The whole tensors that it reads, one for every input, also where several are the same.
    """

    name: str
    node: Concatenate
    sources: Sequence[Operand]

    @property
    def rounds(self) -> int:
        """How often every input has its turn in a frame."""
        return math.prod(self.sources[0].shape[: self.node.axis])

    @property
    def lengths(self) -> list[int]:
        """Beats that every input gives when it is its turn."""
        return [math.prod(source.shape[self.node.axis : -1]) for source in self.sources]

    @cached_property
    def turns(self) -> tuple[int, ...]:
        """Which input gives each beat of a frame."""
        return tuple(k for k, beats in enumerate(self.lengths) for _ in range(beats)) * self.rounds

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        beats = " and ".join(map(str, self.lengths))
        return f"behind each other: {beats} beats in turn, {self.rounds} times a frame"

    def modules(self) -> list[Module]:
        """Return the module."""
        count, channels, width = len(self.sources), self.sources[0].shape[-1], self.node.type.width
        wide, bits = channels * width, [channels * source.type.width for source in self.sources]
        ports = stream_ports(sum(bits), wide, in_unused=any(self._drops_bits(k) for k in range(count)))
        ports = [
            Port(p.direction, p.name, count) if p.name in ("in_valid", "in_ready", "in_last") else p for p in ports
        ]
        module = Module(
            self.name,
            [
                f"{self.name}: {' and '.join(f'{channels} x {s.type}' for s in self.sources)} a beat,",
                f"{' and '.join(map(str, self.lengths))} beats of them in turn, {self.rounds} times a frame.",
                "Latency 1 cycle, II 1 cycle a beat.",
            ],
            ports,
        )
        last = [length - 1 for length in self.lengths]
        count_bits = max(max(last).bit_length(), 1)
        parameters: dict[str, object] = {
            "N": count,
            "WIDTH": wide,
            "COUNT_W": count_bits,
            "LAST": constant(sum(n << k * count_bits for k, n in enumerate(last)), count * count_bits),
            "ROUNDS": self.rounds,
        }
        connected = {p.name: p.name for p in ports}
        if any(s.type.width != width for s in self.sources) or any(self.node.shifts):
            connected["in_data"] = "aligned"
            module.body = [f"logic [{count * wide - 1}:0] aligned;", *self._aligned(sum(bits))]
        module.body.append(instance("stream_concatenate", "streams", connected, parameters))
        return [module]

    def _drops_bits(self, k: int) -> bool:
        """Whether the bounds of an input are narrower than its type."""
        return self.sources[k].type.width + self.node.shifts[k] > self.node.type.width

    def _aligned(self, bits: int) -> list[str]:
        """Return assignments that bring all elements to the type of the result."""
        lines, low, to = [], 0, 0
        width = self.node.type.width
        for source, shift in zip(self.sources, self.node.shifts, strict=True):
            for _ in range(source.shape[-1]):
                element = resized("in_data", bits, low, source.type, width, shift)
                lines.append(f"assign aligned[{to}+:{width}] = {element};")
                low, to = low + source.type.width, to + width
        return lines
