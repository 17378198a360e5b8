"""Beats with bits that tell where in the frame they stand: an instance of the library block.

An average whose windows have different numbers of elements divides by what these bits select.
"""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.rtl.divisor_tags import Tags
from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, constant, instance


@dataclass(frozen=True)
class StreamTag(PixelBlock):
    """Hardware that puts elements behind a vector that are the bits of a tag.

    Parameters
    ----------
    name : str
        Module name.
    elements, width : int
        Of the vector.
    tags : Tags
    """

    name: str
    elements: int
    width: int
    tags: Tags

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return f"tells the place in a frame by {self.tags.bits} bits"

    def modules(self) -> list[Module]:
        """Return the module."""
        bits, tag_bits = self.elements * self.width, self.tags.bits
        module = Module(
            self.name,
            [
                f"{self.name}: {self.elements} elements, and {tag_bits} that are the bits of the place in the frame.",
                "Latency 1 cycle, II 1 cycle a beat.",
            ],
            stream_ports(bits, bits + tag_bits * self.width),
        )
        rows, cols = self.tags.rows, self.tags.cols
        parameters: dict[str, object] = {
            "WIDTH": bits,
            "ROWS": len(rows),
            "COLS": len(cols),
            "TAG_W": tag_bits,
            "ROW_TAGS": _planes([kind << self.tags.col_bits for kind in rows], tag_bits),
            "COL_TAGS": _planes(list(cols), tag_bits),
        }
        ports = {p.name: p.name for p in module.ports}
        if self.width > 1:
            ports["out_data"] = "beat"
            zeros = f"{self.width - 1}'d0"
            parts = [f"{{{zeros}, beat[{bits + k}]}}" for k in reversed(range(tag_bits))]
            module.body = [
                f"logic [{bits + tag_bits - 1}:0] beat;",
                f"assign out_data = {{{', '.join([*parts, f'beat[{bits - 1}:0]'])}}};",
            ]
        module.body.append(instance("stream_tag", "place", ports, parameters))
        return [module]


def _planes(values: list[int], bits: int) -> str:
    """Return the bits of some values, bit by bit, as a constant; the places are as many as an index has."""
    places = 1 << max((len(values) - 1).bit_length(), 1)
    whole = sum((value >> b & 1) << (b * places + k) for b in range(bits) for k, value in enumerate(values))
    return constant(whole, bits * places)
