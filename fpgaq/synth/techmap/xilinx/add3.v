// add3 for Xilinx: one LUT6 a bit, which yosys does not infer from a + b + c. Stands in for fpgaq/rtl/lib/add3.sv in the
// yosys flow; same parameters, same function, tested against integers with the same bench.
//
// Every LUT6_2 is a full adder (carry-save) and the half adder of the second row at once:
//   O5 = majority(a, b, c)          the carry-save carry, used by the bit above
//   O6 = a ^ b ^ c ^ carry_below    the propagate signal of the carry chain that adds sums and shifted carries
// Negated operands are inverted inside the LUT; what two's complement adds for them is the carry chain's CYINIT, which is
// why there are at most two negations. One adds 1, so the chain starts at bit 0. None and two add 0 and 2: bit 0 is then
// the plain sum a ^ b ^ c, and the chain starts at bit 1.
module add3 #(
    parameter W = 8,
    parameter NEG_A = 0,
    parameter NEG_B = 0,
    parameter NEG_C = 0
) (
    input  [W-1:0] a,
    input  [W-1:0] b,
    input  [W-1:0] c,
    output [W-1:0] y
);

  // Parameters have the width of the value given: were all three one bit wide, 1'b1 + 1'b1 would be 1'b0.
  localparam integer NEGATIONS = (NEG_A != 0 ? 1 : 0) + (NEG_B != 0 ? 1 : 0) + (NEG_C != 0 ? 1 : 0);
  localparam integer FIRST = NEGATIONS == 1 ? 0 : 1;  // lowest bit on the chain
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

  wire [W:0] carry_save;
  wire [TOP:0] propagate, generated, sum, carry;

  assign carry_save[0] = 1'b0;
  assign y = sum[W-1:0];

  genvar i;
  generate
    for (i = 0; i < TOP; i = i + 1) begin : g_bit
      if (i < W) begin : g_lut
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
    if (FIRST > 0) begin : g_plain
      assign sum[0] = propagate[0];
    end
    for (i = FIRST; i < TOP; i = i + 4) begin : g_chain
      if (i == FIRST) begin : g_first
        CARRY4 chain (
            .CO(carry[i+3:i]),
            .O(sum[i+3:i]),
            .CI(1'b0),
            .CYINIT(NEGATIONS != 0),
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
