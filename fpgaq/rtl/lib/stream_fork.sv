// stream_fork: hands every beat of one stream to N consumers, to each exactly once.
//
// Function   A consumer may take the beat at once; the beat leaves the producer when the last one has taken it. Only the
//            handshake passes through here: data and last of the producer go to every consumer as they are.
//            out_valid does not depend on out_ready, so forks and joins make no combinational loop.
// Latency    0 cycles.            II  1 cycle.
// Parameters N  consumers, at least 2.
// Reset      rst_n is synchronous and active low; it forgets who has taken the beat.
module stream_fork #(
    parameter int unsigned N = 2
) (
    input  logic         clk,
    input  logic         rst_n,
    input  logic         in_valid,
    output logic         in_ready,
    output logic [N-1:0] out_valid,
    input  logic [N-1:0] out_ready
);

    if (N < 2) begin : g_check
        $error("stream_fork: N must be at least 2");
    end

    logic [N-1:0] taken;

    assign out_valid = {N{in_valid}} & ~taken;
    assign in_ready  = &(out_ready | taken);

    always_ff @(posedge clk) begin
        if (!rst_n) taken <= '0;
        else if (in_valid) taken <= in_ready ? '0 : taken | out_ready;
    end

endmodule
