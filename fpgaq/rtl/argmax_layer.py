"""The class index as the last layer: an instance of the library's comparison tree."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.ir.node import Operand
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, instance


@dataclass(frozen=True)
class ArgMaxLayer:
    """Hardware of ``argmax(x)``.

    Parameters
    ----------
    name : str
    source : Operand
        Input vector.
    index_width : int
        Bits of the index.
    """

    name: str
    source: Operand
    index_width: int

    @property
    def elements(self) -> int:
        """Length of the vector."""
        return int(self.source.bounds.lo.size)

    @property
    def latency(self) -> int:
        """Cycles: one per level of the tree."""
        return max((self.elements - 1).bit_length(), 1)

    @property
    def ii(self) -> int:
        """Cycles between vectors."""
        return 1

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return f"comparison tree over {self.elements} elements"

    def modules(self) -> list[Module]:
        """Return the module."""
        width = self.source.type.width
        module = Module(
            self.name,
            [
                f"{self.name}: index of the largest of {self.elements} x {self.source.type}",
                f"Latency {self.latency} cycles, II 1.",
            ],
            stream_ports(self.elements * width, self.index_width),
        )
        parameters = {
            "N": self.elements,
            "W": width,
            "SIGNED": f"1'b{int(self.source.type.signed)}",
            "INDEX_W": self.index_width,
        }
        module.body = [instance("argmax_vector", "tree", {p.name: p.name for p in module.ports}, parameters)]
        return [module]
