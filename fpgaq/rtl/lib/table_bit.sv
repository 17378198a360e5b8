// table_bit: y = TABLE[x], one bit of a table or ROM.
//
// Function    y is bit x of the parameter.
// Latency     0 (combinational)
// II          1
// Parameters  N      bits of the index; >= 1
//             TABLE  the bits, the one for index 0 lowest
// Cost        Xilinx: 2**(N-6) LUT6, at least one LUT, and multiplexers beside the LUTs (fpgaq's yosys flow replaces the
//             module by fpgaq/synth/techmap/xilinx/table_bit.v; left to yosys the bits of a ROM share parts and take more).
module table_bit #(
    parameter int unsigned N = 6,
    parameter logic [2**N-1:0] TABLE = '0
) (
    input  logic [N-1:0] x,
    output logic         y
);

  if (N < 1) begin : g_check
    $error("table_bit: N must be at least 1");
  end

  assign y = TABLE[x];

endmodule
