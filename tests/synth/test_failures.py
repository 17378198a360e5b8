"""What must never pass as a number: designs that yosys repairs, empties or dies on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fpgaq.errors import ToolError
from fpgaq.synth import synthesize

from synth_designs import ADD3  # isort: skip

BAD = {
    "no cell": (
        "module top(input logic clk, output logic y); assign y = 1'b0; endmodule",
        "left no cell at all",
    ),
    "select out of range": (
        "module top(input logic clk, input logic [3:0] a, output logic [3:0] y);\n"
        "  always_ff @(posedge clk) y <= a[5:2]; endmodule",
        "out of bounds",
    ),
    "undriven": (
        "module top(input logic clk, input logic a, output logic y); logic lost;\n"
        "  always_ff @(posedge clk) y <= a & lost; endmodule",
        "lost.*no driver",
    ),
    "two drivers": (
        "module top(input logic clk, input logic a, b, output logic y); logic t;\n"
        "  assign t = a; assign t = b; always_ff @(posedge clk) y <= t; endmodule",
        "multiple conflicting drivers",
    ),
    "loop": (
        "module top(input logic a, b, output logic y); logic s, t;\n"
        "  assign s = a ^ t; assign t = b & s; assign y = t; endmodule",
        "logic loop",
    ),
    "latch": (
        "module top(input logic a, g, output logic y); always @* if (g) y = a; endmodule",
        "[Ll]atch inferred",
    ),
    "latch in always_comb": (
        "module top(input logic a, g, output logic y); always_comb if (g) y = a; endmodule",
        "[Ll]atch inferred",
    ),
    "missing module": (
        "module top(input logic a, output logic y); lost u(.a(a), .y(y)); endmodule",
        "lost.*not part of the design",
    ),
    "width mismatch": (
        "module leaf(input logic [3:0] a, output logic [3:0] y); assign y = ~a; endmodule\n"
        "module top(input logic [2:0] a, output logic [3:0] y); leaf u(.a(a), .y(y)); endmodule",
        "Resizing cell port",
    ),
    "syntax error": ("module top(input logic a, output logic y); assign y = = a; endmodule", "syntax error"),
}


@pytest.mark.parametrize("name", BAD)
def test_is_an_error(name: str, tmp_path: Path) -> None:
    text, message = BAD[name]
    source = tmp_path / "top.sv"
    source.write_text(text + "\n")
    with pytest.raises(ToolError) as error:
        synthesize([source], "top", [], family="ice40", work=tmp_path / "work")
    assert re.search(message, str(error.value), re.DOTALL), str(error.value)
    assert "'top'" in str(error.value)


def test_loop_through_a_hand_mapped_module_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "top.sv"
    source.write_text(
        "module top(input logic [7:0] a, c, output logic [7:0] y);\n"
        "  add3 #(.W(8)) u(.a(a), .b({y[0], y[7:1]}), .c(c), .y(y));\nendmodule\n"
    )
    with pytest.raises(ToolError, match="logic loop"):
        synthesize([source, ADD3], "top", [], work=tmp_path / "work")


def test_another_packing_is_tried_where_a_dsp_block_loses_a_driver(tmp_path: Path) -> None:
    """Nothing is wrong with the source: yosys 0.70 loses the doubled sign bit when it packs the product's register."""
    source = tmp_path / "top.sv"
    source.write_text(
        "module top(input logic clk, e, input logic signed [11:0] a, input logic signed [9:0] b,\n"
        "           output logic signed [25:0] y);\n"
        "  logic signed [12:0] x; logic signed [22:0] p, q;\n"
        "  assign x = {a[11], a}; assign p = x * b; always_ff @(posedge clk) if (e) q <= p;\n"
        "  always_ff @(posedge clk) if (e) y <= 26'(q) + 26'(a); endmodule\n"
    )
    found = synthesize([source], "top", [], work=tmp_path / "work").total
    assert (found.dsp, found.ff, found.lut) == (1, 23, 0)  # product, its register and the sum; their register outside


def test_failing_layer_is_named(tmp_path: Path) -> None:
    source = tmp_path / "net.sv"
    source.write_text(
        "module good(input logic a, b, output logic y); assign y = a & b; endmodule\n"
        "module bad(input logic a, output logic y); assign y = 1'b1; endmodule\n"
        "module net(input logic a, b, output logic y, z); good g(.a(a), .b(b), .y(y)); bad h(.a(a), .y(z)); endmodule\n"
    )
    with pytest.raises(ToolError, match="'bad' for xc7 left no cell"):
        synthesize([source], "net", ["good", "bad"], work=tmp_path / "work")
