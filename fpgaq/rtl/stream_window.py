"""The windows of a pixel stream: an instance of the library block with line buffers and window registers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fpgaq.ir.node import Operand
from fpgaq.ir.ops import Windows
from fpgaq.rtl.frames import Frame, by_axis
from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, instance


@dataclass(frozen=True)
class StreamWindow(PixelBlock):
    """Hardware that gives every window of a frame as one beat.

    Parameters
    ----------
    name : str
        Module name.
    node : Windows
    source : Operand
        The whole tensor that it reads.
    """

    name: str
    node: Windows
    source: Operand

    @property
    def frame(self) -> Frame:
        """What comes in."""
        return Frame.of(self.source.shape)

    @property
    def axes(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Size, stride and dilation, each of rows and columns."""
        return by_axis(self.node.size, 1), by_axis(self.node.stride, 1), by_axis(self.node.dilation, 1)

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns that a window reaches over."""
        (height, width), _, (down, right) = self.axes
        return (height - 1) * down + 1, (width - 1) * right + 1

    @cached_property
    def gives(self) -> tuple[bool, ...]:
        """Whether a window is complete with each pixel of a frame."""
        _, (down, right), _ = self.axes
        rows, cols = (n - 1 for n in self.reach)
        return tuple(
            r >= rows and c >= cols and (r - rows) % down == 0 and (c - cols) % right == 0
            for r in range(self.frame.rows)
            for c in range(self.frame.cols)
        )

    @property
    def line_bits(self) -> int:
        """Bits of the line buffers."""
        (height, _), _, (down, _) = self.axes
        return (height - 1) * down * self.frame.cols * self.frame.channels * self.source.type.width

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return f"windows: {sum(self.gives)} beats from {self.frame.beats}, line buffers of {self.line_bits} bits"

    def modules(self) -> list[Module]:
        """Return the module."""
        frame, bits = self.frame, self.frame.channels * self.source.type.width
        size, stride, dilation = self.axes
        module = Module(
            self.name,
            [
                f"{self.name}: windows of {self.node.describe()} in {frame} x {self.source.type}",
                f"Output  {self.node.positions} pixels, row by row, the first one in the low bits.",
                f"Latency 1 cycle, II 1 cycle a pixel. {self.summary}.",
            ],
            stream_ports(bits, bits * self.node.positions),
        )
        parameters: dict[str, object] = {"PIXEL_W": bits, "ROWS": frame.rows, "COLS": frame.cols}
        for name, values in (("KERNEL", size), ("STRIDE", stride), ("DILATION", dilation)):
            parameters |= {f"{name}_H": values[0], f"{name}_W": values[1]}
        module.body = [instance("stream_window", "windows", {p.name: p.name for p in module.ports}, parameters)]
        return [module]
