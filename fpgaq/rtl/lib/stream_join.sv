// stream_join: one beat of each of N streams becomes one beat.
//
// Function   The beat is offered when every stream offers one, and all of them are taken together. Only the handshake and
//            `last` pass through here; data are put side by side outside. last of the beat is that of any stream.
// Latency    0 cycles.            II  1 cycle.
// Parameters N  streams, at least 2.
// Reset      none is needed: there is no state.
module stream_join #(
    parameter int unsigned N = 2
) (
    input  logic [N-1:0] in_valid,
    output logic [N-1:0] in_ready,
    input  logic [N-1:0] in_last,
    output logic         out_valid,
    input  logic         out_ready,
    output logic         out_last
);

    if (N < 2) begin : g_check
        $error("stream_join: N must be at least 2");
    end

    assign out_valid = &in_valid;
    assign out_last  = |in_last;
    assign in_ready  = {N{out_valid & out_ready}};

endmodule
