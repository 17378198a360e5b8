// skid_buffer: cuts the combinational path of `ready`; forward data pass through while the consumer keeps up.
//
// Function   out = in while empty. If the consumer stalls in the cycle in which a word arrives, the word is kept and
//            offered until it is taken. in_ready comes from a register.
// Latency    0 cycles.            II  1 cycle.
// Parameters WIDTH  bits of a word.
// Reset      rst_n is synchronous and active low; it empties the buffer.
module skid_buffer #(
    parameter int unsigned WIDTH = 8
) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic             in_valid,
    output logic             in_ready,
    input  logic [WIDTH-1:0] in_data,
    output logic             out_valid,
    input  logic             out_ready,
    output logic [WIDTH-1:0] out_data
);

    if (WIDTH < 1) begin : g_check
        $error("skid_buffer: WIDTH must be at least 1");
    end

    logic             full;
    logic [WIDTH-1:0] kept;

    assign in_ready  = ~full;
    assign out_valid = full | in_valid;
    assign out_data  = full ? kept : in_data;

    always_ff @(posedge clk) begin
        if (!rst_n) full <= 1'b0;
        else full <= out_valid & ~out_ready;
        if (!full) kept <= in_data;
    end

endmodule
