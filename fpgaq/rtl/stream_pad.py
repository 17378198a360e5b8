"""The margin around every frame of a pixel stream: an instance of the library block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fpgaq.ir.node import Operand
from fpgaq.ir.ops import Pad
from fpgaq.rtl.frames import Frame, by_axis
from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.resized import resized
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, constant, instance


@dataclass(frozen=True)
class StreamPad(PixelBlock):
    """Hardware of a padding.

    Parameters
    ----------
    name : str
        Module name.
    node : Pad
    source : Operand
        The whole tensor that it reads.
    early : bool
        The margin in front of a frame may come before the frame does.
    """

    name: str
    node: Pad
    source: Operand
    early: bool = False

    @property
    def frame(self) -> Frame:
        """What comes in."""
        return Frame.of(self.source.shape)

    @cached_property
    def margin(self) -> tuple[bool, ...]:
        """Whether each beat of the result belongs to the margin."""
        frame = self.frame
        (top, left), (bottom, right) = by_axis(self.node.before, 0), by_axis(self.node.after, 0)
        edge = [True] * (left + frame.cols + right)
        inner = [True] * left + [False] * frame.cols + [True] * right
        return (*edge * top, *inner * frame.rows, *edge * bottom)

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return f"margin: {len(self.margin)} beats from {self.frame.beats}, one a cycle"

    def modules(self) -> list[Module]:
        """Return the module."""
        frame, source, result = self.frame, self.source.type, self.node.type
        (top, left), (bottom, right) = by_axis(self.node.before, 0), by_axis(self.node.after, 0)
        wide = frame.channels * result.width
        margin = sum((self.node.value & ((1 << result.width) - 1)) << (k * result.width) for k in range(frame.channels))
        module = Module(
            self.name,
            [
                f"{self.name}: {frame} x {source} in a margin of {self.node.value}:",
                f"{top} rows above and {bottom} below, {left} columns to the left and {right} to the right.",
                "Latency 1 cycle, II 1 cycle a beat of the result.",
            ],
            stream_ports(frame.channels * source.width, wide, in_unused=result.width < source.width),
        )
        parameters: dict[str, object] = {
            "PIXEL_W": wide,
            "ROWS": frame.rows,
            "COLS": frame.cols,
            "TOP": top,
            "BOTTOM": bottom,
            "LEFT": left,
            "RIGHT": right,
            "MARGIN": constant(margin, wide),
            "EARLY": f"1'b{int(self.early)}",
        }
        ports = {p.name: p.name for p in module.ports}
        if result.width != source.width:
            ports["in_data"] = "pixel"
            module.body += [f"logic [{wide - 1}:0] pixel;"]
            for k in range(frame.channels):
                element = resized("in_data", frame.channels * source.width, k * source.width, source, result.width)
                module.body.append(f"assign pixel[{k * result.width}+:{result.width}] = {element};")
        module.body.append(instance("stream_pad", "margin", ports, parameters))
        return [module]
