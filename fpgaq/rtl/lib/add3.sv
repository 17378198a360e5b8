// add3: y = (+/-)a (+/-)b (+/-)c modulo 2**W
//
// Function    three-input adder with up to two of the operands negated. The same sum serves signed and unsigned
//             operands: extend them to W bits outside.
// Latency     0 (combinational)
// II          1
// Parameters  W                    width of the operands and of the result, in bits; >= 1
//             NEG_A, NEG_B, NEG_C  1 subtracts that operand; at most two (negate the consumer for three)
//             UNREAD               low bits of y that nobody reads; the mapped body may leave them out
// Cost        Xilinx: one LUT6 a bit and one carry chain (Vivado infers it from the expression below; fpgaq's yosys flow
//             replaces the module by fpgaq/synth/techmap/xilinx/add3.v). Elsewhere two carry chains.
module add3 #(
    parameter int unsigned W = 8,
    parameter bit NEG_A = 0,
    parameter bit NEG_B = 0,
    parameter bit NEG_C = 0,
    parameter int unsigned UNREAD = 0
) (
    input  logic [W-1:0] a,
    input  logic [W-1:0] b,
    input  logic [W-1:0] c,
    output logic [W-1:0] y
);

  if (W < 1 || (NEG_A && NEG_B && NEG_C) || UNREAD > W) begin : g_check
    $error("add3: W must be >= 1, at most two operands may be negated, and no more than W bits unread");
  end

  // A positive operand comes first, so that no sign costs an adder of its own.
  if (NEG_A && NEG_B) begin : g_sub_ab
    assign y = c - a - b;
  end else if (NEG_A && NEG_C) begin : g_sub_ac
    assign y = b - a - c;
  end else if (NEG_B && NEG_C) begin : g_sub_bc
    assign y = a - b - c;
  end else if (NEG_A) begin : g_sub_a
    assign y = b + c - a;
  end else if (NEG_B) begin : g_sub_b
    assign y = a + c - b;
  end else if (NEG_C) begin : g_sub_c
    assign y = a + b - c;
  end else begin : g_add
    assign y = a + b + c;
  end

endmodule
