"""The cell that stands in for alkaid's, against integers: its sources, and the netlist that the flow makes of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fpgaq import resources
from fpgaq.synth import netlist, simulate

CELL = Path(__file__).parents[2] / "benchmarks" / "ternary_adder.sv"
# Per operand: width, two's complement, negated, left shift; then width of the result and low bits dropped. All pairs of
# negations, low bits of one operand alone (negated or not), and everything below the lowest shift.
CASES = [
    ((8, 1, 0, 0), (5, 0, 0, 2), (3, 1, 0, 4), 12, 0),
    ((8, 1, 1, 0), (5, 0, 0, 2), (3, 1, 0, 4), 12, 0),
    ((3, 0, 0, 7), (5, 1, 1, 2), (8, 1, 1, 4), 16, 1),
    ((8, 0, 1, 1), (3, 1, 0, 1), (8, 1, 1, 3), 13, 0),
    ((5, 1, 1, 1), (5, 0, 1, 0), (5, 0, 0, 0), 4, 3),
    ((3, 0, 0, 4), (3, 0, 0, 0), (8, 0, 0, 5), 4, 0),
]


def module(path: Path) -> Path:
    ports, cells = [], []
    for k, (*operands, width, dropped) in enumerate(CASES):
        values = ", ".join(str(v) for operand in operands for v in operand)
        inputs = ", ".join(f"{name}[{operand[0] - 1}:0]" for name, operand in zip("abc", operands, strict=True))
        ports.append(f"output [{width - 1}:0] y{k}")
        cells.append(f"ternary_adder #({values}, {width}, {dropped}) u{k} ({inputs}, y{k});")
    path.write_text("\n".join([f"module cells(input [7:0] a, b, c, {', '.join(ports)});", *cells, "endmodule", ""]))
    return path


def expected(vector: dict[str, int]) -> dict[str, int]:
    found = {}
    for k, (*operands, width, dropped) in enumerate(CASES):
        total = 0
        for name, (bits, signed, negated, shift) in zip("abc", operands, strict=True):
            value = vector[name] & ((1 << bits) - 1)
            if signed and value >> (bits - 1):
                value -= 1 << bits
            total += (-value if negated else value) << shift
        found[f"y{k}"] = (total >> dropped) & ((1 << width) - 1)
    return found


@pytest.mark.extended
@pytest.mark.parametrize("what", ["sources", "netlist"])
def test_equals_integers(what: str, tmp_path: Path) -> None:
    sources = [module(tmp_path / "cells.v"), CELL, resources.rtl_library() / "add3.sv"]
    if what == "netlist":
        made = netlist(sources, "cells", work=tmp_path / "synth")
        sources = [made.path, *made.models]
    rng = random.Random(1)
    vectors = [{name: rng.getrandbits(8) for name in "abc"} for _ in range(500)]
    outputs = [f"y{k}" for k in range(len(CASES))]
    found = simulate(sources, "cells", vectors, inputs=list("abc"), outputs=outputs, work=tmp_path / "sim")
    assert found == [expected(vector) for vector in vectors]
