"""SystemVerilog texts that the synthesis tests share."""

from __future__ import annotations

from pathlib import Path

LIBRARY = Path(__file__).parents[2] / "fpgaq" / "rtl" / "lib"
ADD3 = LIBRARY / "add3.sv"


def adder_tree(inputs: int, width: int) -> str:
    """A balanced tree of two-input adders, each as wide as its result."""
    lines = [
        f"module tree(input logic [{inputs * width - 1}:0] x, output logic [{width + inputs.bit_length() - 2}:0] y);"
    ]
    terms = [f"x[{i * width + width - 1}:{i * width}]" for i in range(inputs)]
    count = 0
    while len(terms) > 1:
        width += 1
        level = []
        for a, b in zip(terms[::2], terms[1::2], strict=True):
            lines.append(f"  logic [{width - 1}:0] t{count};\n  assign t{count} = {a} + {b};")
            level.append(f"t{count}")
            count += 1
        terms = level
    return "\n".join([*lines, f"  assign y = {terms[0]};", "endmodule", ""])


def add3_chain(stages: int, width: int) -> str:
    """Three-input adders one after another, with alternating signs."""
    lines = [f"module chain(input logic [{(2 * stages + 1) * width - 1}:0] x, output logic [{width - 1}:0] y);"]
    lines.append(f"  logic [{width - 1}:0] s [0:{stages}];\n  assign s[0] = x[{width - 1}:0];")
    for i in range(stages):
        b, c = ((2 * i + k) * width for k in (1, 2))
        lines.append(
            f"  add3 #(.W({width}), .NEG_B({i % 2}), .NEG_C({i // 2 % 2})) u{i}"
            f" (.a(s[{i}]), .b(x[{b} +: {width}]), .c(x[{c} +: {width}]), .y(s[{i + 1}]));"
        )
    return "\n".join([*lines, f"  assign y = s[{stages}];", "endmodule", ""])


TWO_LAYERS = """\
module first(input logic clk, input logic [7:0] a, b, output logic [8:0] y);
  always_ff @(posedge clk) y <= a + b;
endmodule
module second(input logic clk, input logic [8:0] a, output logic [8:0] y);
  always_ff @(posedge clk) y <= a ^ {a[0], a[8:1]};
endmodule
module net(input logic clk, input logic [7:0] a, b, output logic [8:0] y);
  logic [8:0] h;
  first u_first(.clk(clk), .a(a), .b(b), .y(h));
  second u_second(.clk(clk), .a(h), .y(y));
endmodule
"""
