// pipeline_control: valid/ready handshake of a pipeline whose registers share one enable.
//
// Function   The pipeline advances whenever its last stage is empty or is being read. `last` travels with the data.
// Latency    STAGES cycles.       II  1 cycle.
// Parameters STAGES  pipeline registers between input and output, at least 1.
// Reset      rst_n is synchronous and active low; it empties the pipeline. Data registers need no reset.
module pipeline_control #(
    parameter int unsigned STAGES = 1
) (
    input  logic clk,
    input  logic rst_n,
    input  logic in_valid,
    output logic in_ready,
    input  logic in_last,
    output logic out_valid,
    input  logic out_ready,
    output logic out_last,
    output logic enable
);

    if (STAGES < 1) begin : g_check
        $error("pipeline_control: STAGES must be at least 1");
    end

    logic [STAGES-1:0] valid;
    logic [STAGES-1:0] last;
    logic [STAGES:0]   next_valid;
    logic [STAGES:0]   next_last;

    assign enable     = out_ready | ~valid[STAGES-1];
    assign in_ready   = enable;
    assign out_valid  = valid[STAGES-1];
    assign out_last   = last[STAGES-1];
    assign next_valid = {valid, in_valid};
    assign next_last  = {last, in_last};

    always_ff @(posedge clk) begin
        if (!rst_n) valid <= '0;
        else if (enable) valid <= next_valid[STAGES-1:0];
        if (enable) last <= next_last[STAGES-1:0];
    end

    // The bits shifted out at the end.
    logic unused;
    assign unused = next_valid[STAGES] | next_last[STAGES];

endmodule
