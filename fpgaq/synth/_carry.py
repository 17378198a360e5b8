"""Taking a sum bit from its carry cell instead of from an inverter (Xilinx).

With a carry-in of 1, as every subtraction has, the lowest sum bit is the inverse of its propagate bit: O = S ^ 1. abc9
sees that through its model of CARRY4, leaves the output O unused and builds the inverse from S, with an INV wherever no
LUT can absorb it. An INV is a LUT; O is already there. On adder graphs this is 4 to 10 % of all LUTs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyosys import libyosys as ys


def reuse_sum_outputs(design: Any) -> int:
    """Replace inverters of propagate bits by the carry cell's sum outputs, in place; return how many.

    The design must be clean (``opt_clean``), so that a net has the same name in every port.
    """
    count = 0
    for module in design.selected_modules():
        cells = module.selected_cells()
        sums = {
            _net(propagate): total
            for cell in cells
            if cell.type.str() == r"\CARRY4"
            for propagate, total in _inverted(cell)
            if propagate.wire is not None
        }
        for cell in cells:
            if cell.type.str() != r"\INV":
                continue
            total = sums.get(_net(_bits(cell, "I")[0]))
            if total is not None:
                output = _bits(cell, "O")[0]
                module.remove(cell)
                module.connect(ys.SigSpec(output, 1), ys.SigSpec(total, 1))
                count += 1
    return count


def _inverted(cell: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (S, O) of the bits of a CARRY4 whose carry-in is the constant 1, where O is the inverse of S."""
    if not any(_is_one(_bits(cell, port)[0]) for port in ("CI", "CYINIT")):
        return
    for propagate, generate, total in zip(_bits(cell, "S"), _bits(cell, "DI"), _bits(cell, "O"), strict=True):
        yield propagate, total
        if not _is_one(generate):  # S ? carry-in : DI is 1 only if both are
            return


def _bits(cell: Any, port: str) -> list[Any]:
    return list(cell.getPort(ys.IdString(f"\\{port}")).to_sigbit_vector())


def _net(bit: Any) -> tuple[str, int]:
    return bit.wire.name.str(), bit.offset


def _is_one(bit: Any) -> bool:
    return bit.wire is None and bit.data == ys.State.S1
