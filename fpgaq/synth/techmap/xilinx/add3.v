// add3 for Xilinx: one LUT6 a bit, which yosys does not infer from a + b + c. Stands in for fpgaq/rtl/lib/add3.sv in the
// yosys flow; same parameters, same function, tested against integers with the same bench.
//
// Every LUT6_2 is a full adder (carry-save) and the half adder of the second row at once:
//   O5 = majority(a, b, c)          the carry-save carry, used by the bit above
//   O6 = a ^ b ^ c ^ carry_below    the propagate signal of the carry chain that adds sums and shifted carries
// Negated operands are inverted inside the LUT; what two's complement adds for them is the carry chain's CYINIT, which is
// why there are at most two negations. One adds 1, so the chain starts at bit 0. None and two add 0 and 2: bit 0 is then
// the plain sum a ^ b ^ c, and the chain starts at bit 1.
// A bit with three constants above a bit with two equal ones has a constant propagate signal, which needs no LUT; vendors'
// tools trim that too. It is the carry out of the sum of three unsigned numbers. techmap tells which bits are constant.
// Of the two lowest bits, if they are not read and c is constant there, only carries are needed: one for either row, from
// four inputs, which is one LUT6_2 instead of two.
module add3 #(
    parameter W = 8,
    parameter NEG_A = 0,
    parameter NEG_B = 0,
    parameter NEG_C = 0,
    parameter UNREAD = 0,
    parameter [W-1:0] _TECHMAP_CONSTMSK_a_ = 0,
    parameter [W-1:0] _TECHMAP_CONSTVAL_a_ = 0,
    parameter [W-1:0] _TECHMAP_CONSTMSK_b_ = 0,
    parameter [W-1:0] _TECHMAP_CONSTVAL_b_ = 0,
    parameter [W-1:0] _TECHMAP_CONSTMSK_c_ = 0,
    parameter [W-1:0] _TECHMAP_CONSTVAL_c_ = 0
) (
    input  [W-1:0] a,
    input  [W-1:0] b,
    input  [W-1:0] c,
    output [W-1:0] y
);

  // Constant bits of the operands, after their signs.
  localparam [W-1:0] A_ONE = _TECHMAP_CONSTMSK_a_ & (NEG_A != 0 ? ~_TECHMAP_CONSTVAL_a_ : _TECHMAP_CONSTVAL_a_);
  localparam [W-1:0] B_ONE = _TECHMAP_CONSTMSK_b_ & (NEG_B != 0 ? ~_TECHMAP_CONSTVAL_b_ : _TECHMAP_CONSTVAL_b_);
  localparam [W-1:0] C_ONE = _TECHMAP_CONSTMSK_c_ & (NEG_C != 0 ? ~_TECHMAP_CONSTVAL_c_ : _TECHMAP_CONSTVAL_c_);
  localparam [W-1:0] A_ZERO = _TECHMAP_CONSTMSK_a_ & ~A_ONE;
  localparam [W-1:0] B_ZERO = _TECHMAP_CONSTMSK_b_ & ~B_ONE;
  localparam [W-1:0] C_ZERO = _TECHMAP_CONSTMSK_c_ & ~C_ONE;
  // Where the carry-save carry into the bit is known, and where no LUT is needed.
  localparam [W-1:0] CARRY_ONE = ((A_ONE & B_ONE) | (A_ONE & C_ONE) | (B_ONE & C_ONE)) << 1;
  localparam [W-1:0] CARRY_ZERO = ((A_ZERO & B_ZERO) | (A_ZERO & C_ZERO) | (B_ZERO & C_ZERO)) << 1 | 1'b1;
  localparam [W-1:0] FIXED =
      _TECHMAP_CONSTMSK_a_ & _TECHMAP_CONSTMSK_b_ & _TECHMAP_CONSTMSK_c_ & (CARRY_ONE | CARRY_ZERO);
  localparam [W-1:0] FIXED_SUM = A_ONE ^ B_ONE ^ C_ONE ^ CARRY_ONE;
  localparam [W-1:0] FIXED_CARRY = (A_ONE & B_ONE) | (A_ONE & C_ONE) | (B_ONE & C_ONE);

  // Parameters have the width of the value given: were all three one bit wide, 1'b1 + 1'b1 would be 1'b0.
  localparam integer NEGATIONS = (NEG_A != 0 ? 1 : 0) + (NEG_B != 0 ? 1 : 0) + (NEG_C != 0 ? 1 : 0);
  localparam [1:0] C_KNOWN = _TECHMAP_CONSTMSK_c_;
  localparam integer FUSED = UNREAD > 1 && W > 2 && C_KNOWN == 2'b11;
  localparam integer FIRST = FUSED ? 2 : NEGATIONS == 1 ? 0 : 1;  // lowest bit on the chain
  localparam integer TOP = FIRST + ((W - FIRST + 3) / 4) * 4;  // a CARRY4 holds four bits

  generate
    if (NEGATIONS > 2) begin : g_check
      $error("add3: at most two operands may be negated");
    end
  endgenerate

  // Truth tables over {I3..I0} = {carry_below, c, b, a}, as words: one evaluation a width, where a function called for
  // every LUT took most of the time of reading the design.
  localparam [31:0] A = 32'hAAAA_AAAA ^ {32{NEG_A != 0}};
  localparam [31:0] B = 32'hCCCC_CCCC ^ {32{NEG_B != 0}};
  localparam [31:0] C = 32'hF0F0_F0F0 ^ {32{NEG_C != 0}};
  localparam [31:0] BELOW = 32'hFF00_FF00;
  localparam [63:0] INIT = {A ^ B ^ C ^ BELOW, (A & B) | (A & C) | (B & C)};  // O6 with I5 = 1, O5 with I5 = 0

  // The same of the two fused bits over {b1, a1, b0, a0}: O5 is the carry-save carry out, O6 the carry into the chain.
  localparam [1:0] C_LOW = C_ONE;
  function [63:0] fused_table(input integer unused);
    integer i, total, row;
    reg [1:0] p, q;
    for (i = 0; i < 64; i = i + 1) begin
      p = {i[2], i[0]} ^ {2{NEG_A != 0}};
      q = {i[3], i[1]} ^ {2{NEG_B != 0}};
      total = p + q + C_LOW + NEGATIONS;
      row = (p[1] & q[1]) | (p[1] & C_LOW[1]) | (q[1] & C_LOW[1]);
      fused_table[i] = (i < 32) ? row : total >= 4 + 4 * row;
    end
  endfunction

  wire carry_in;
  wire [W:0] carry_save;
  wire [TOP:0] propagate, generated, sum, carry;

  assign carry_save[0] = 1'b0;
  assign y = sum[W-1:0];

  genvar i;
  generate
    for (i = 0; i < TOP; i = i + 1) begin : g_bit
      if (FUSED && i < 2) begin : g_fused
        assign propagate[i] = 1'b0;
        assign generated[i] = 1'b0;
        if (i == 1) begin : g_lut
          LUT6_2 #(
              .INIT(fused_table(0))
          ) lut (
              .O6(carry_in),
              .O5(carry_save[2]),
              .I0(a[0]),
              .I1(b[0]),
              .I2(a[1]),
              .I3(b[1]),
              .I4(1'b0),
              .I5(1'b1)
          );
        end else begin : g_none
          assign carry_save[1] = 1'b0;
        end
      end else if (i < W && FIXED[i]) begin : g_fixed
        assign propagate[i] = FIXED_SUM[i];
        assign generated[i] = CARRY_ONE[i];
        assign carry_save[i+1] = FIXED_CARRY[i];
      end else if (i < W) begin : g_lut
        LUT6_2 #(
            .INIT(INIT)
        ) lut (
            .O6(propagate[i]),
            .O5(carry_save[i+1]),
            .I0(a[i]),
            .I1(b[i]),
            .I2(c[i]),
            .I3(carry_save[i]),
            .I4(1'b0),
            .I5(1'b1)
        );
        assign generated[i] = carry_save[i];
      end else begin : g_pad
        assign propagate[i] = 1'b0;
        assign generated[i] = 1'b0;
      end
    end
    if (!FUSED) begin : g_carry
      assign carry_in = NEGATIONS != 0;
    end
    if (FIRST > 0) begin : g_plain
      assign sum[FIRST-1:0] = propagate[FIRST-1:0];
    end
    for (i = FIRST; i < TOP; i = i + 4) begin : g_chain
      if (i == FIRST) begin : g_first
        CARRY4 chain (
            .CO(carry[i+3:i]),
            .O(sum[i+3:i]),
            .CI(1'b0),
            .CYINIT(carry_in),
            .DI(generated[i+3:i]),
            .S(propagate[i+3:i])
        );
      end else begin : g_next
        CARRY4 chain (
            .CO(carry[i+3:i]),
            .O(sum[i+3:i]),
            .CI(carry[i-1]),
            .CYINIT(1'b0),
            .DI(generated[i+3:i]),
            .S(propagate[i+3:i])
        );
      end
    end
  endgenerate

endmodule
