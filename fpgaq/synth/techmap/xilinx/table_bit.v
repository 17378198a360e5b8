// table_bit for Xilinx: LUTs that hold the table as it is, and the multiplexers that stand beside them. Stands in for
// fpgaq/rtl/lib/table_bit.sv in the yosys flow; same parameters, same function, tested with the same bench.
//
// yosys makes a tree of multiplexers of an index into constants, whose parts abc then shares between the bits of a word:
// 2.3 LUTs instead of one for a bit of a ROM of 39 words.
module table_bit #(
    parameter N = 6,
    parameter [2**N-1:0] TABLE = 0
) (
    input  [N-1:0] x,
    output y
);

  localparam HALF = 2 ** N / 2;

  generate
    if (TABLE == 0 || &TABLE) begin : g_known
      assign y = TABLE[0];
    end else if (N == 1) begin : g_lut1
      LUT1 #(.INIT(TABLE)) lut (.O(y), .I0(x[0]));
    end else if (N == 2) begin : g_lut2
      LUT2 #(.INIT(TABLE)) lut (.O(y), .I0(x[0]), .I1(x[1]));
    end else if (N == 3) begin : g_lut3
      LUT3 #(.INIT(TABLE)) lut (.O(y), .I0(x[0]), .I1(x[1]), .I2(x[2]));
    end else if (N == 4) begin : g_lut4
      LUT4 #(.INIT(TABLE)) lut (.O(y), .I0(x[0]), .I1(x[1]), .I2(x[2]), .I3(x[3]));
    end else if (N == 5) begin : g_lut5
      LUT5 #(.INIT(TABLE)) lut (.O(y), .I0(x[0]), .I1(x[1]), .I2(x[2]), .I3(x[3]), .I4(x[4]));
    end else if (N == 6) begin : g_lut6
      LUT6 #(.INIT(TABLE)) lut (.O(y), .I0(x[0]), .I1(x[1]), .I2(x[2]), .I3(x[3]), .I4(x[4]), .I5(x[5]));
    end else begin : g_halves
      localparam [HALF-1:0] BELOW = TABLE[HALF-1:0];
      localparam [HALF-1:0] ABOVE = TABLE[2*HALF-1:HALF];
      wire [1:0] half;
      table_bit #(.N(N - 1), .TABLE(BELOW)) below (.x(x[N-2:0]), .y(half[0]));
      if (BELOW == ABOVE) begin : g_same
        assign y = half[0];
      end else begin : g_both
        table_bit #(.N(N - 1), .TABLE(ABOVE)) above (.x(x[N-2:0]), .y(half[1]));
        // The multiplexers beside the LUTs take results of LUTs only.
        if (N == 7 && BELOW != 0 && !(&BELOW) && ABOVE != 0 && !(&ABOVE)) begin : g_muxf7
          MUXF7 mux (.O(y), .I0(half[0]), .I1(half[1]), .S(x[N-1]));
        end else begin : g_lut
          LUT3 #(.INIT(8'hCA)) lut (.O(y), .I0(half[0]), .I1(half[1]), .I2(x[N-1]));
        end
      end
    end
  endgenerate

endmodule
