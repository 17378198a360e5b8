"""Every pixel of a stream several times, and every row: an instance of the library block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fpgaq.ir.node import Operand
from fpgaq.ir.ops import Repeat
from fpgaq.rtl.frames import Frame, by_axis
from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, instance


@dataclass(frozen=True)
class StreamRepeat(PixelBlock):
    """Hardware that repeats pixels and rows.

    Parameters
    ----------
    name : str
        Module name.
    node : Repeat
    source : Operand
        The whole tensor that it reads.
    """

    name: str
    node: Repeat
    source: Operand

    @property
    def frame(self) -> Frame:
        """What comes in."""
        return Frame.of(self.source.shape)

    @cached_property
    def waits(self) -> tuple[bool, ...]:
        """Whether each beat of a frame of the result is of the pixel that came last: the first time of every row."""
        down, across = by_axis(self.node.times, 1)
        row = self.frame.cols * across
        return (*[True] * row, *[False] * (row * (down - 1))) * self.frame.rows

    @cached_property
    def ends(self) -> tuple[bool, ...]:
        """Whether that pixel makes room for another with each of these beats."""
        _, across = by_axis(self.node.times, 1)
        return tuple(wait and k % across == across - 1 for k, wait in enumerate(self.waits))

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return f"repeats: {len(self.waits)} beats from {self.frame.beats}, one a cycle"

    def modules(self) -> list[Module]:
        """Return the module."""
        frame, bits = self.frame, self.frame.channels * self.source.type.width
        down, across = by_axis(self.node.times, 1)
        module = Module(
            self.name,
            [
                f"{self.name}: {frame} x {self.source.type},",
                f"every row {down} times and every pixel of it {across} times.",
                "Latency 1 cycle, II 1 cycle a beat of the result.",
            ],
            stream_ports(bits, bits),
        )
        parameters: dict[str, object] = {
            "PIXEL_W": bits,
            "ROWS": frame.rows,
            "COLS": frame.cols,
            "DOWN": down,
            "ACROSS": across,
        }
        module.body = [instance("stream_repeat", "pixels", {p.name: p.name for p in module.ports}, parameters)]
        return [module]
