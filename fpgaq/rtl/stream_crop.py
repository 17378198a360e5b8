"""The edges of every frame of a pixel stream dropped: an instance of the library block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fpgaq.ir.node import Operand
from fpgaq.ir.ops import Crop
from fpgaq.rtl.frames import Frame, by_axis
from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, instance


@dataclass(frozen=True)
class StreamCrop(PixelBlock):
    """Hardware that drops pixels.

    Parameters
    ----------
    name : str
        Module name.
    node : Crop
    source : Operand
        The whole tensor that it reads.
    """

    name: str
    node: Crop
    source: Operand

    @property
    def frame(self) -> Frame:
        """What comes in."""
        return Frame.of(self.source.shape)

    @cached_property
    def gives(self) -> tuple[bool, ...]:
        """Whether each pixel of a frame is kept."""
        (top, left), (bottom, right) = by_axis(self.node.before, 0), by_axis(self.node.after, 0)
        kept = np.zeros((self.frame.rows, self.frame.cols), bool)
        kept[top : self.frame.rows - bottom, left : self.frame.cols - right] = True
        return tuple(kept.reshape(-1).tolist())

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return f"crop: {sum(self.gives)} beats from {self.frame.beats}"

    def modules(self) -> list[Module]:
        """Return the module."""
        frame, bits = self.frame, self.frame.channels * self.source.type.width
        (top, left), (bottom, right) = by_axis(self.node.before, 0), by_axis(self.node.after, 0)
        module = Module(
            self.name,
            [
                f"{self.name}: {frame} x {self.source.type} without",
                f"{top} rows above and {bottom} below, {left} columns to the left and {right} to the right.",
                "Latency 1 cycle, II 1 cycle a pixel that comes.",
            ],
            stream_ports(bits, bits),
        )
        parameters: dict[str, object] = {
            "PIXEL_W": bits,
            "ROWS": frame.rows,
            "COLS": frame.cols,
            "TOP": top,
            "BOTTOM": bottom,
            "LEFT": left,
            "RIGHT": right,
        }
        module.body = [instance("stream_crop", "edges", {p.name: p.name for p in module.ports}, parameters)]
        return [module]
