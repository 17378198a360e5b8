"""What a design occupies on an FPGA."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Resources:
    """Counts of FPGA resources; add them with ``+``, scale them with ``*``.

    Attributes
    ----------
    lut
        Look-up tables used as logic. Xilinx: LUT1 to LUT6 plus INV (yosys leaves inverters that occupy a LUT outside
        its LUT counts); a LUT6_2 with both outputs in use is one.
    ff
        Flip-flops.
    dsp
        DSP blocks (hard multipliers).
    bram18
        Block RAMs in units of 18 Kbit; a RAMB36 is two. On families with another block size, blocks.
    carry
        Carry cells: CARRY4 (four bits) on Xilinx, the family's own cell elsewhere.
    lutram
        LUTs used as memory (distributed RAM and shift registers). Not part of `lut`: the split is Vivado's "LUT as
        Logic" and "LUT as Memory", their sum the LUTs a device must have.
    """

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram18: int = 0
    carry: int = 0
    lutram: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __mul__(self, count: int) -> Resources:
        return Resources(*(getattr(self, f.name) * count for f in fields(self)))

    def to_json(self) -> dict[str, int]:
        """Return name -> count, in the order of the attributes."""
        return asdict(self)

    @classmethod
    def from_json(cls, counts: dict[str, int]) -> Resources:
        """Return what `to_json` wrote."""
        return cls(**counts)
