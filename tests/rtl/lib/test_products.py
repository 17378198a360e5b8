"""popcount and pot_product against integers: every input where there are few, all counts and extremes beyond."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fpgaq import toolchain
from fpgaq.errors import ToolError
from fpgaq.synth import netlist, simulate

LIBRARY = Path(__file__).parents[3] / "fpgaq" / "rtl" / "lib"
#: Below, at and above what a compressor (6), a row of them (36) and two blocks hold
COUNTS = (1, 2, 5, 6, 7, 12, 16, 35, 36, 37, 72, 109)
#: Bits of x, its signedness, largest exponent
PRODUCTS = [(w, s, m) for w in (1, 4, 6) for s in (0, 1) for m in (0, 1, 2, 6, 8)]
_WIDEST = 6
_CODE = 6  # exponent up to 8, enable, sign


def shift_bits(most: int) -> int:
    return most.bit_length()


def every_block(path: Path) -> Path:
    """Write one module that holds every instance; narrower ones see the low bits of an input."""
    ports = [f"input logic [{COUNTS[-1] - 1}:0] bits", f"input logic [{_WIDEST - 1}:0] x"]
    ports += [f"input logic [{_CODE - 1}:0] weight"]
    body = []
    for n in COUNTS:
        ports.append(f"output logic [{n.bit_length() - 1}:0] count{n}")
        body.append(f"popcount #(.N({n})) u_count{n} (.bits(bits[{n - 1}:0]), .count(count{n}));")
    for w, s, m in PRODUCTS:
        name = f"y{w}_{s}_{m}"
        ports.append(f"output logic signed [{w + (not s) + m - 1}:0] {name}")
        body.append(
            f"pot_product #(.IN_W({w}), .IN_SIGNED(1'b{s}), .MAX_SHIFT({m})) u_{name} "
            f"(.x(x[{w - 1}:0]), .weight(weight[{shift_bits(m) + 1}:0]), .y({name}));"
        )
    path.write_text("\n".join(["module every_block (", ",\n".join(ports), ");", *body, "endmodule", ""]))
    return path


def test_equal_integers(tmp_path: Path) -> None:
    """Counts: all words of 12 bits, then every number of ones. Products: every legal weight times every x."""
    rng = random.Random(4)
    most = COUNTS[-1]
    words = list(range(1 << 12))
    words += [sum(1 << b for b in rng.sample(range(most), n)) for n in range(most + 1) for _ in range(6)]
    words += [((1 << n) - 1) << k for n in range(most + 1) for k in (0, most - n)]
    # The first 2**12 run x and the weight through all of their values as well.
    vectors = [{"bits": w, "x": k & 63, "weight": k >> 6 & 63} for k, w in enumerate(words)]
    sources = [every_block(tmp_path / "every_block.sv")]
    sources += [LIBRARY / f"{name}.sv" for name in ("popcount", "pot_product", "add3")]
    toolchain.lint(sources, "every_block")
    found = simulate(
        sources,
        "every_block",
        vectors,
        inputs=["bits", "x", "weight"],
        outputs=[*(f"count{n}" for n in COUNTS), *(f"y{w}_{s}_{m}" for w, s, m in PRODUCTS)],
        work=tmp_path / "sim",
    )
    for n in COUNTS:
        mask, name = (1 << n) - 1, f"count{n}"
        wrong = [v for v, got in zip(vectors, found, strict=True) if got[name] != (v["bits"] & mask).bit_count()]
        assert not wrong, (name, wrong[0])
    for w, s, m in PRODUCTS:
        checked = set()
        for vector, got in zip(vectors[: 1 << 12], found, strict=False):
            exponent, enable, negative = decoded(vector["weight"], m)
            if exponent > m or negative > enable:
                continue  # no weight
            x = vector["x"] & ((1 << w) - 1)
            value = x - (1 << w) * (s & x >> (w - 1))
            want = (enable * value << exponent) * (1 - 2 * negative) - negative
            width = w + (not s) + m
            assert got[f"y{w}_{s}_{m}"] == want % (1 << width), (w, s, m, vector)
            assert -(1 << (width - 1)) <= want < 1 << (width - 1)
            checked.add((x, exponent, enable, negative))
        assert len(checked) == (1 << w) * 3 * (m + 1)


def decoded(weight: int, most: int) -> tuple[int, int, int]:
    """Exponent, enable and sign of a code."""
    bits = shift_bits(most)
    return weight & ((1 << bits) - 1), weight >> bits & 1, weight >> (bits + 1) & 1


@pytest.mark.parametrize("block", ["popcount", "pot_product"])
def test_default_parameters_are_lint_clean(block: str) -> None:
    toolchain.lint([LIBRARY / f"{name}.sv" for name in (block, "add3")], block)


def test_cost_in_synthesis(tmp_path: Path) -> None:
    """yosys reads them without a warning, which `netlist` refuses; counting takes about a LUT a bit."""
    source = tmp_path / "counter.sv"
    source.write_text(
        "module counter (input logic [35:0] bits, output logic [5:0] count);\n"
        "  popcount #(.N(36)) u_count (.bits, .count);\nendmodule\n"
    )
    sources = [source, LIBRARY / "popcount.sv", LIBRARY / "add3.sv"]
    assert netlist(sources, "counter", work=tmp_path / "counter").resources.lut <= 40
    y = netlist([LIBRARY / "pot_product.sv"], "pot_product", work=tmp_path / "product").resources
    assert (y.dsp, y.carry) == (0, 0)


@pytest.mark.parametrize(
    ("block", "parameters", "message"),
    [
        ("popcount", "N(0)", "N must be at least 1"),
        ("popcount", "N(7), .COUNT_W(4)", "COUNT_W is derived, do not set it"),
        ("pot_product", "IN_W(0)", "IN_W must be at least 1"),
        ("pot_product", "MAX_SHIFT(3), .SHIFT_W(3)", "SHIFT_W and Y_W are derived, do not set them"),
        ("pot_product", "MAX_SHIFT(3), .Y_W(9)", "SHIFT_W and Y_W are derived, do not set them"),
    ],
)
def test_wrong_parameters_stop_elaboration(block: str, parameters: str, message: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sv"
    wrong.write_text(f"module wrong;\n  {block} #(.{parameters}) u ();\nendmodule\n")
    with pytest.raises(ToolError) as raised:
        toolchain.lint([wrong, LIBRARY / f"{block}.sv", LIBRARY / "add3.sv"], "wrong")
    assert message in str(raised.value)
