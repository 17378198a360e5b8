"""table_bit against its table: the portable body, and the body that stands in for it in synthesis for Xilinx."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fpgaq import toolchain
from fpgaq.synth import FAMILIES, cell_models, netlist, simulate

LIBRARY = Path(__file__).parents[3] / "fpgaq" / "rtl" / "lib"
MOST = 9


def tables() -> list[tuple[int, int]]:
    """Indices of 1 to 9 bits, and tables: random ones, constants, a bit of the index, and halves that are equal."""
    rng = random.Random(1)
    found = []
    for n in range(1, MOST + 1):
        size = 1 << n
        half = rng.getrandbits(size // 2)
        found += [(n, rng.getrandbits(size)), (n, 0), (n, (1 << size) - 1), (n, half << size // 2 | half)]
        found += [(n, half), (n, sum((k >> n - 1 & 1) << k for k in range(size)))]
    return found


def every_table(path: Path) -> Path:
    """Write one module that holds them all."""
    outputs = ", ".join(f"y{k}" for k in range(len(tables())))
    lines = [f"module every_table (input logic [{MOST - 1}:0] x, output logic {outputs});"]
    for k, (n, table) in enumerate(tables()):
        lines.append(f"  table_bit #(.N({n}), .TABLE({1 << n}'h{table:x})) u{k} (.x(x[{n - 1}:0]), .y(y{k}));")
    path.write_text("\n".join([*lines, "endmodule", ""]))
    return path


def wrong_bits(sources: list[Path], work: Path) -> list[tuple[int, int]]:
    """Return table and index of every bit that is not the table's."""
    vectors = [{"x": x} for x in range(1 << MOST)]
    outputs = [f"y{k}" for k in range(len(tables()))]
    found = simulate(sources, "every_table", vectors, inputs=["x"], outputs=outputs, work=work)
    return [
        (k, x)
        for x, got in enumerate(found)
        for k, (n, table) in enumerate(tables())
        if got[f"y{k}"] != table >> (x & (1 << n) - 1) & 1
    ]


def bodies() -> dict[str, list[Path]]:
    mapped = next(path for path in FAMILIES["xc7"].replacements() if path.stem == "table_bit")
    return {"portable": [LIBRARY / "table_bit.sv"], "xilinx": [mapped, *cell_models("xc7")]}


@pytest.mark.parametrize("body", [pytest.param("portable", marks=pytest.mark.extended), "xilinx"])
def test_equals_its_table(body: str, tmp_path: Path) -> None:
    assert wrong_bits([every_table(tmp_path / "every_table.sv"), *bodies()[body]], tmp_path / "sim") == []


def test_a_wrong_bit_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "table_bit.sv"
    broken.write_text((LIBRARY / "table_bit.sv").read_text().replace("TABLE[x]", "TABLE[x] ^ (x == '1)"))
    assert wrong_bits([every_table(tmp_path / "every_table.sv"), broken], tmp_path / "sim")


def test_synthesized_for_xilinx(tmp_path: Path) -> None:
    """The netlist of all of them, and no more than a LUT for 64 bits with what selects among those."""
    sources = [every_table(tmp_path / "every_table.sv"), LIBRARY / "table_bit.sv"]
    made = netlist(sources, "every_table", family="xc7", work=tmp_path / "synth")
    assert wrong_bits([made.path, *made.models], tmp_path / "sim") == []
    most = sum(max(1 << n >> 6, 1) + max((1 << n >> 7) - 1, 0) for n, _ in tables())
    assert made.resources.lut <= most


def test_lint_clean(tmp_path: Path) -> None:
    toolchain.lint([every_table(tmp_path / "every_table.sv"), LIBRARY / "table_bit.sv"], "every_table")
