// ternary_adder: the cell of that name in alkaid's Verilog, on fpgaq's add3, so that both tools' three-input adders are
// mapped by the same body. Written from the cell's interface; only names and order of ports and parameters are alkaid's.
//
// Function    out = (+/-(in0 << PAD0) +/-(in1 << PAD1) +/-(in2 << PAD2)) >> DROP_LSBS, modulo 2**BW_OUT
// Parameters  per operand: width, two's complement or not, subtracted or not, left shift
// Low bits in which one positive operand lives alone are wired through, as in fpgaq's own datapaths.
module ternary_adder #(
    parameter BW_INPUT0 = 32,
    parameter SIGNED0 = 0,
    parameter NEGATE0 = 0,
    parameter PAD0 = 0,
    parameter BW_INPUT1 = 32,
    parameter SIGNED1 = 0,
    parameter NEGATE1 = 0,
    parameter PAD1 = 0,
    parameter BW_INPUT2 = 32,
    parameter SIGNED2 = 0,
    parameter NEGATE2 = 0,
    parameter PAD2 = 0,
    parameter BW_OUT = 32,
    parameter DROP_LSBS = 0
) (
    input  [BW_INPUT0-1:0] in0,
    input  [BW_INPUT1-1:0] in1,
    input  [BW_INPUT2-1:0] in2,
    output [   BW_OUT-1:0] out
);

  localparam TOP = BW_OUT + DROP_LSBS;
  localparam LOW01 = PAD0 < PAD1 ? PAD0 : PAD1;
  localparam HIGH01 = PAD0 < PAD1 ? PAD1 : PAD0;
  localparam LOWEST = LOW01 < PAD2 ? LOW01 : PAD2;
  // The middle one of the three shifts: below it at most one operand has bits.
  localparam MIDDLE = PAD2 < LOW01 ? LOW01 : PAD2 < HIGH01 ? PAD2 : HIGH01;
  localparam NEGATED = PAD0 == LOWEST ? NEGATE0 : PAD1 == LOWEST ? NEGATE1 : NEGATE2;
  localparam START = NEGATED ? LOWEST : MIDDLE;  // equal where two operands share the lowest shift
  localparam FIRST = START < TOP ? START : TOP - 1;
  localparam WIDE = TOP + BW_INPUT0 + BW_INPUT1 + BW_INPUT2;

  wire [WIDE-1:0] wide0 = {{(WIDE - BW_INPUT0) {SIGNED0 ? in0[BW_INPUT0-1] : 1'b0}}, in0} << PAD0;
  wire [WIDE-1:0] wide1 = {{(WIDE - BW_INPUT1) {SIGNED1 ? in1[BW_INPUT1-1] : 1'b0}}, in1} << PAD1;
  wire [WIDE-1:0] wide2 = {{(WIDE - BW_INPUT2) {SIGNED2 ? in2[BW_INPUT2-1] : 1'b0}}, in2} << PAD2;
  wire [TOP-1:0] sum;

  add3 #(
      .W(TOP - FIRST),
      .NEG_A(NEGATE0 != 0),
      .NEG_B(NEGATE1 != 0),
      .NEG_C(NEGATE2 != 0)
  ) add (
      .a(wide0[TOP-1:FIRST]),
      .b(wide1[TOP-1:FIRST]),
      .c(wide2[TOP-1:FIRST]),
      .y(sum[TOP-1:FIRST])
  );

  generate
    if (FIRST > 0) begin : g_low
      assign sum[FIRST-1:0] = wide0[FIRST-1:0] | wide1[FIRST-1:0] | wide2[FIRST-1:0];
    end
  endgenerate
  assign out = sum[TOP-1:DROP_LSBS];

endmodule
