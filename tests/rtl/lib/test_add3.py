"""add3 against integers: the portable body, and the body that stands in for it in synthesis for Xilinx."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fpgaq import toolchain
from fpgaq.errors import ToolError
from fpgaq.synth import FAMILIES, cell_models, netlist, simulate

LIBRARY = Path(__file__).parents[3] / "fpgaq" / "rtl" / "lib"
SIGNS = [(a, b, c) for a in (1, -1) for b in (1, -1) for c in (1, -1) if (a, b, c) != (-1, -1, -1)]
WIDTHS = (1, 2, 3, 4, 5, 8, 33)  # a carry cell holds 4 bits: below, at and above its multiples


def port(width: int, signs: tuple[int, int, int]) -> str:
    return f"y{width}_" + "".join("n" if sign < 0 else "p" for sign in signs)


def every_add3(path: Path) -> Path:
    """Write one module that holds every width and sign combination."""
    lines = ["module every_add3 (", f"    input logic [{WIDTHS[-1] - 1}:0] a, b, c,"]
    lines.append(",\n".join(f"    output logic [{w - 1}:0] {port(w, s)}" for w in WIDTHS for s in SIGNS))
    lines.append(");")
    for w in WIDTHS:
        for s in SIGNS:
            negated = ", ".join(f".NEG_{name}({int(sign < 0)})" for name, sign in zip("ABC", s, strict=True))
            connected = ", ".join(f".{name}({name}[{w - 1}:0])" for name in "abc")
            lines.append(f"  add3 #(.W({w}), {negated}) u_{port(w, s)} ({connected}, .y({port(w, s)}));")
    path.write_text("\n".join([*lines, "endmodule", ""]))
    return path


def bodies() -> dict[str, list[Path]]:
    mapped = next(path for path in FAMILIES["xc7"].replacements() if path.stem == "add3")
    return {"portable": [LIBRARY / "add3.sv"], "xilinx": [mapped, *cell_models("xc7")]}


@pytest.mark.parametrize("body", bodies())
def test_equals_integers(body: str, tmp_path: Path) -> None:
    """All inputs up to 4 bits (narrower widths see their low bits), random and extreme ones above."""
    rng = random.Random(1)
    bits = WIDTHS[-1]
    full = 2**bits - 1
    vectors = [{"a": n & 15, "b": n >> 4 & 15, "c": n >> 8} for n in range(4096)]
    vectors += [{name: rng.choice((0, 1, full, full >> 1, full ^ full >> 1)) for name in "abc"} for _ in range(100)]
    vectors += [{name: rng.getrandbits(bits) for name in "abc"} for _ in range(400)]
    found = simulate(
        [every_add3(tmp_path / "every_add3.sv"), *bodies()[body]],
        "every_add3",
        vectors,
        inputs=list("abc"),
        outputs=[port(w, s) for w in WIDTHS for s in SIGNS],
        work=tmp_path / "sim",
    )
    for vector, got in zip(vectors, found, strict=True):
        for signs in SIGNS:
            total = sum(sign * vector[name] for sign, name in zip(signs, "abc", strict=True))
            for width in WIDTHS:
                assert got[port(width, signs)] == total % 2**width, (vector, signs, width)


@pytest.mark.extended
def test_mapped_with_constants_and_unread_bits(tmp_path: Path) -> None:
    """Bits that are known, or of which only the carries are wanted, in the netlist: all signs, all low constants."""
    cases = [(s, c, u) for s in SIGNS for c in (*range(4), 0x7D, 0x5E) for u in (0, 2)]
    lines = ["module some_add3 (input logic [3:0] a, b,"]
    lines.append(",\n".join(f"    output logic [{6 - u}:0] y{k}" for k, (_, _, u) in enumerate(cases)) + ");")
    for k, (signs, c, unread) in enumerate(cases):
        negated = ", ".join(f".NEG_{name}({int(sign < 0)})" for name, sign in zip("ABC", signs, strict=True))
        lines.append(f"  logic [6:0] s{k};")
        ports = f".a({{3'd0, a}}), .b({{3'd0, b}}), .c(7'd{c}), .y(s{k})"
        lines.append(f"  add3 #(.W(7), {negated}, .UNREAD({unread})) u{k} ({ports});")
        lines.append(f"  assign y{k} = s{k}[6:{unread}];")
    source = tmp_path / "some_add3.sv"
    source.write_text("\n".join([*lines, "endmodule", ""]))
    made = netlist([source, LIBRARY / "add3.sv"], "some_add3", family="xc7", work=tmp_path / "synth")
    vectors = [{"a": n & 15, "b": n >> 4} for n in range(256)]
    found = simulate(
        [made.path, *made.models],
        "some_add3",
        vectors,
        inputs=["a", "b"],
        outputs=[f"y{k}" for k in range(len(cases))],
        work=tmp_path / "sim",
    )
    for vector, got in zip(vectors, found, strict=True):
        for k, (signs, c, unread) in enumerate(cases):
            total = signs[0] * vector["a"] + signs[1] * vector["b"] + signs[2] * c
            assert got[f"y{k}"] == total % 128 >> unread, (vector, signs, c, unread)


def test_lint_clean_with_every_sign(tmp_path: Path) -> None:
    toolchain.lint([LIBRARY / "add3.sv"], "add3")
    used = every_add3(tmp_path / "every_add3.sv")
    toolchain.lint([used, LIBRARY / "add3.sv"], "every_add3")


def test_three_negations_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sv"
    wrong.write_text(
        "module wrong(input logic [7:0] a, output logic [7:0] y);\n"
        "  add3 #(.NEG_A(1), .NEG_B(1), .NEG_C(1)) u(.a(a), .b(a), .c(a), .y(y));\nendmodule\n"
    )
    with pytest.raises(ToolError, match="at most two operands may be negated"):
        toolchain.lint([wrong, LIBRARY / "add3.sv"], "wrong")
