"""Beats that become one longer beat, as when a frame is flattened: an instance of the library block."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, instance


@dataclass(frozen=True)
class StreamCollect(PixelBlock):
    """Hardware that puts several beats side by side.

    Parameters
    ----------
    name : str
        Module name.
    bits : int
        Of a beat.
    beats : int
        That make one.
    """

    name: str
    bits: int
    beats: int

    @property
    def gives(self) -> tuple[bool, ...]:
        """Whether the result is complete with each beat."""
        return (*[False] * (self.beats - 1), True)

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return f"collects {self.beats} beats of {self.bits} bits"

    def modules(self) -> list[Module]:
        """Return the module."""
        module = Module(
            self.name,
            [f"{self.name}: {self.beats} beats of {self.bits} bits as one.", "Latency 1 cycle, II 1 cycle a beat."],
            stream_ports(self.bits, self.bits * self.beats),
        )
        parameters: dict[str, object] = {"WIDTH": self.bits, "BEATS": self.beats}
        module.body = [instance("stream_collect", "beats", {p.name: p.name for p in module.ports}, parameters)]
        return [module]
