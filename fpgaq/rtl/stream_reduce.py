"""The sum or the largest of every channel of a frame, pixel by pixel: an instance of the library block."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.ir.types import FixedType
from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.resized import resized
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, instance


@dataclass(frozen=True)
class StreamReduce(PixelBlock):
    """Hardware that brings a frame to one pixel.

    Parameters
    ----------
    name : str
        Module name.
    channels : int
        Elements of a pixel.
    type, result_type : FixedType
        Of the elements, and of the results.
    beats : int
        Pixels of a frame.
    largest : bool
        Whether results are maxima; they are sums else.
    given : FixedType or None
        Type in which they leave, if it is another one: the bounds of a maximum may be narrower than its operands' type.
    """

    name: str
    channels: int
    type: FixedType
    result_type: FixedType
    beats: int
    largest: bool
    given: FixedType | None = None

    @property
    def gives(self) -> tuple[bool, ...]:
        """Whether the result is complete with each pixel."""
        return (*[False] * (self.beats - 1), True)

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return f"{'largest' if self.largest else 'sum'} of {self.beats} pixels, {self.channels} channels"

    def modules(self) -> list[Module]:
        """Return the module."""
        given = self.given or self.result_type
        bits = self.channels * self.type.width, self.channels * given.width
        module = Module(
            self.name,
            [
                f"{self.name}: {self.summary}.",
                f"Input   {self.channels} x {self.type} a pixel, channel 0 in the low bits.",
                f"Output  {self.channels} x {given}.",
                "Latency 1 cycle, II 1 cycle a pixel.",
            ],
            stream_ports(*bits),
        )
        parameters: dict[str, object] = {
            "CHANNELS": self.channels,
            "IN_W": self.type.width,
            "SIGNED": f"1'b{int(self.type.signed)}",
            "OUT_W": self.result_type.width,
            "BEATS": self.beats,
            "LARGEST": f"1'b{int(self.largest)}",
        }
        ports = {p.name: p.name for p in module.ports}
        if given.width != self.result_type.width:
            ports["out_data"] = "reduced"
            module.body = self._resized(given)
        module.body.append(instance("stream_reduce", "pixels", ports, parameters))
        return [module]

    def _resized(self, given: FixedType) -> list[str]:
        """Return assignments that bring the results to the type in which they leave."""
        bits, width = self.channels * self.result_type.width, self.result_type.width
        lines = [
            "// Bits above the bounds of a result are not read.",
            "/* verilator lint_off UNUSEDSIGNAL */",
            f"logic [{bits - 1}:0] reduced;",
            "/* verilator lint_on UNUSEDSIGNAL */",
        ]
        for k in range(self.channels):
            element = resized("reduced", bits, k * width, self.result_type, given.width)
            lines.append(f"assign out_data[{k * given.width}+:{given.width}] = {element};")
        return lines
