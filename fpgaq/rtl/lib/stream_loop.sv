// stream_loop: sends the beats of a frame through a step one after the other, each with the states that the one before left.
//
// Function   A beat is kept, and offered to the step together with the states, on SOURCES streams that the step may take
//            at any time: step_valid[0] goes with step_data, the others with parts of step_state. What comes back are the
//            states for the next beat and, outside of here, a result; it is handed on for every beat of a frame, or for
//            the last one. A frame begins with the states FIRST.
// Latency    That of the step, and 1 cycle.
// II         As much: a beat is accepted when the step is empty, or in the cycle in which it becomes so.
// Parameters X_WIDTH      bits of a beat.
//            STATE_WIDTH  bits of all states.
//            SOURCES      streams that the step reads, at least 2.
//            EVERY        1 if every beat gives a result, 0 if the last one of a frame does.
//            FIRST        states of the first beat of a frame.
// Cost       X_WIDTH + STATE_WIDTH + SOURCES + 2 registers.
// Reset      rst_n is synchronous and active low; the next beat is the first one. The step must be reset, too.
module stream_loop #(
    parameter int unsigned            X_WIDTH = 8,
    parameter int unsigned            STATE_WIDTH = 8,
    parameter int unsigned            SOURCES = 2,
    parameter bit                     EVERY = 1'b1,
    parameter logic [STATE_WIDTH-1:0] FIRST = '0
) (
    input  logic                   clk,
    input  logic                   rst_n,
    input  logic                   in_valid,
    output logic                   in_ready,
    input  logic                   in_last,
    input  logic [X_WIDTH-1:0]     in_data,
    output logic [SOURCES-1:0]     step_valid,
    input  logic [SOURCES-1:0]     step_ready,
    output logic                   step_last,
    output logic [X_WIDTH-1:0]     step_data,
    output logic [STATE_WIDTH-1:0] step_state,
    input  logic                   back_valid,
    output logic                   back_ready,
    input  logic                   back_last,
    input  logic [STATE_WIDTH-1:0] back_state,
    output logic                   out_valid,
    input  logic                   out_ready,
    output logic                   out_last
);

    if (SOURCES < 2) begin : g_check
        $error("stream_loop: SOURCES must be at least 2");
    end

    logic busy, gives, accept, done;
    logic [SOURCES-1:0] taken;

    assign gives      = EVERY | back_last;
    assign out_valid  = back_valid & gives;
    assign out_last   = back_last;
    assign back_ready = out_ready | ~gives;
    assign done       = back_valid & back_ready;
    assign in_ready   = ~busy | done;
    assign accept     = in_valid & in_ready;
    assign step_valid = {SOURCES{busy}} & ~taken;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            busy       <= 1'b0;
            step_state <= FIRST;
        end else begin
            if (in_ready) busy <= in_valid;
            if (done) step_state <= back_last ? FIRST : back_state;
        end
        if (accept) begin
            step_data <= in_data;
            step_last <= in_last;
        end
        taken <= accept ? '0 : taken | step_ready;
    end

endmodule
