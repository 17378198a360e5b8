"""A beat that becomes several shorter ones, as when a vector becomes an image: an instance of the library block."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, instance


@dataclass(frozen=True)
class StreamSplit(PixelBlock):
    """Hardware that gives the parts of a beat one by one.

    Parameters
    ----------
    name : str
        Module name.
    bits : int
        Of a part.
    beats : int
        Parts.
    """

    name: str
    bits: int
    beats: int

    @property
    def waits(self) -> tuple[bool, ...]:
        """Whether each part is of the beat that came last."""
        return (True,) * self.beats

    @property
    def ends(self) -> tuple[bool, ...]:
        """Whether that beat makes room for another with each part."""
        return (*[False] * (self.beats - 1), True)

    @property
    def ii(self) -> int:
        """Cycles between beats that come."""
        return self.beats

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return f"splits a beat into {self.beats} of {self.bits} bits"

    def modules(self) -> list[Module]:
        """Return the module."""
        module = Module(
            self.name,
            [
                f"{self.name}: a beat as {self.beats} of {self.bits} bits.",
                f"Latency 1 cycle, II {self.beats} cycles a beat that comes.",
            ],
            stream_ports(self.bits * self.beats, self.bits),
        )
        parameters: dict[str, object] = {"WIDTH": self.bits, "BEATS": self.beats}
        module.body = [instance("stream_split", "register", {p.name: p.name for p in module.ports}, parameters)]
        return [module]
