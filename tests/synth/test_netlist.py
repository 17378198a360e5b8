"""Post-synthesis simulation: the netlist computes what its sources do, and a planted fault shows."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from fpgaq.errors import ToolError
from fpgaq.synth import netlist, simulate

from synth_designs import ADD3, TWO_LAYERS  # isort: skip

# Adders, subtractions (sums taken from carry cells), three-input adders of several signs, registers with enable and
# reset, a compare, a shift register, and a multiplier for a DSP block.
DESIGN = """\
module mixed(
  input logic clk, input logic rst, input logic en,
  input logic signed [7:0] a, b, c, d,
  output logic signed [10:0] sum, output logic signed [9:0] three, output logic signed [11:0] low,
  output logic signed [15:0] product, output logic [3:0] late, output logic above
);
  logic signed [9:0] t0, t1, t2;
  add3 #(.W(10)) u0 (.a(10'(a)), .b(10'(b)), .c(10'(c)), .y(t0));
  add3 #(.W(10), .NEG_B(1)) u1 (.a(10'(b)), .b(10'(c)), .c(10'(d)), .y(t1));
  add3 #(.W(10), .NEG_A(1), .NEG_C(1)) u2 (.a(t0), .b(t1), .c(10'(d)), .y(t2));
  logic [3:0] pipe [0:4];
  always_ff @(posedge clk) begin
    if (rst) three <= 10'sd0;
    else if (en) three <= t2;
    sum <= (11'(a) - 11'(b)) - (11'(c) - 11'(d));
    low <= 12'(t0) - 12'(t1) - 12'sd1;
    product <= a * b;
    above <= (t0 > 10'sd17);
    pipe[0] <= a[3:0];
    for (int i = 1; i < 5; i++) pipe[i] <= pipe[i-1];
    late <= pipe[4];
  end
endmodule
"""
INPUTS = ["rst", "en", "a", "b", "c", "d"]
OUTPUTS = ["sum", "three", "low", "product", "late", "above"]


@pytest.fixture(scope="module")
def vectors() -> list[dict[str, int]]:
    rng = random.Random(7)
    first = [{"rst": 1, "en": 0, "a": 0, "b": 0, "c": 0, "d": 0}] * 8  # fills every register
    some = [{n: rng.getrandbits(1) if n in ("rst", "en") else rng.getrandbits(8) for n in INPUTS} for _ in range(3000)]
    return first + some


def run(sources: list[Path], vectors: list[dict[str, int]], work: Path) -> list[dict[str, int]]:
    found = simulate(sources, "mixed", vectors, inputs=INPUTS, outputs=OUTPUTS, clock="clk", work=work)
    return found[8:]


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("mixed") / "mixed.sv"
    source.write_text(DESIGN)
    return source


@pytest.fixture(scope="module")
def want(design: Path, vectors: list[dict[str, int]]) -> list[dict[str, int]]:
    return run([design, ADD3], vectors, design.parent / "before")


def test_xilinx_netlist_equals_the_sources(
    design: Path, vectors: list[dict[str, int]], want: list[dict[str, int]], tmp_path: Path
) -> None:
    made = netlist([design, ADD3], "mixed", work=tmp_path)
    assert made.resources.dsp == 1
    assert made.resources.lutram == 4  # the shift register
    assert run([made.path, *made.models], vectors, tmp_path / "sim") == want


@pytest.mark.extended
def test_other_netlists_equal_the_sources(tmp_path: Path) -> None:
    source = tmp_path / "net.sv"
    source.write_text(TWO_LAYERS)
    made = netlist([source], "first", family="ice40", work=tmp_path / "synth")
    vectors = [{"a": n & 255, "b": n >> 8} for n in range(0, 65536, 7)]
    files = [made.path, *made.models]
    found = simulate(files, "first", vectors, inputs=["a", "b"], outputs=["y"], clock="clk", work=tmp_path / "sim")
    assert [row["y"] for row in found[1:]] == [v["a"] + v["b"] for v in vectors[:-1]]


def test_a_fault_in_the_netlist_shows(tmp_path: Path) -> None:
    source = tmp_path / "sum.sv"
    source.write_text(
        "module sum(input logic [3:0] a, b, c, output logic [3:0] y); add3 #(.W(4)) u(.a, .b, .c, .y); endmodule\n"
    )
    made = netlist([source, ADD3], "sum", work=tmp_path / "synth")
    vectors = [{"a": n & 15, "b": n >> 4 & 15, "c": n >> 8} for n in range(4096)]

    faulty, count = re.subn(r"(LUT6_2 #\(\s*\.INIT\()64'h([0-9a-f]{16})", flipped, made.path.read_text(), count=1)
    assert count == 1
    (tmp_path / "faulty.v").write_text(faulty)
    files = [tmp_path / "faulty.v", *made.models]
    found = simulate(files, "sum", vectors, inputs=["a", "b", "c"], outputs=["y"], work=tmp_path / "sim")
    wrong = [v for v, row in zip(vectors, found, strict=True) if row["y"] != sum(v.values()) % 16]
    assert 0 < len(wrong) < len(vectors)


def flipped(match: re.Match[str]) -> str:
    """Make the parity of operands 1, 1, 1 without a carry come out wrong: one bit of the upper half of a LUT6_2."""
    return f"{match[1]}64'h{int(match[2], 16) ^ 1 << 39:016x}"


def test_wide_ports_travel_whole(tmp_path: Path) -> None:
    source = tmp_path / "wide.sv"
    source.write_text(
        "module wide(input logic [99:0] a, input logic [4:0] n, output logic [99:0] y); assign y = a << n; endmodule\n"
    )
    rng = random.Random(3)
    vectors = [{"a": rng.getrandbits(rng.choice((3, 33, 64, 100))), "n": rng.randrange(32)} for _ in range(50)]
    found = simulate([source], "wide", vectors, inputs=["a", "n"], outputs=["y"], work=tmp_path / "sim")
    assert [row["y"] for row in found] == [(v["a"] << v["n"]) % 2**100 for v in vectors]


def test_simulation_of_a_broken_file_shows_why(tmp_path: Path) -> None:
    source = tmp_path / "broken.sv"
    source.write_text("module broken(output logic y); assign y = lost; endmodul\n")
    with pytest.raises(ToolError, match="syntax error"):
        simulate([source], "broken", [], inputs=[], outputs=["y"], work=tmp_path / "sim")
