"""The handshakes of one block, as the timetable has them."""

from __future__ import annotations

from fpgaq.rtl import _handshakes as kernel
from fpgaq.rtl.dataflow import LayerHardware
from fpgaq.rtl.engines import make_engines, model_of


class OneBlock:
    """A block after a reset."""

    def __init__(self, hardware: LayerHardware) -> None:
        self.engines = make_engines([model_of(hardware)])

    @property
    def offers(self) -> bool:
        """Whether a beat is offered at the output."""
        return bool(kernel.offers(self.engines, 0))

    def accepts(self, free: bool) -> bool:
        """Whether a beat would be taken at the input; `free` says that the output is ready."""
        return bool(kernel.accepts(self.engines, 0, free))

    def step(self, *, free: bool, taken: bool) -> None:
        """Let a clock pass; `taken` says that a beat was taken at the input."""
        kernel.step(self.engines, 0, free, taken)
