// stream_concatenate: beats of several streams one after the other, so many of each in turn.
//
// Function   A round takes the beats of input 0, then those of input 1, and so on; a frame is some rounds of them. With
//            one round whole frames come behind each other, with a round for every row the rows do. An input whose turn
//            it is not waits. out_last marks the last beat of a frame; in_last is not looked at.
// Latency    1 cycle.
// II         1 cycle a beat.
// Parameters N        inputs, at least 2.
//            WIDTH    bits of a beat.
//            COUNT_W  bits of the counter of beats.
//            LAST     number of the last beat that each input gives in a round, from 0, COUNT_W bits each; input 0 in the
//                     low bits.
//            ROUNDS   rounds of a frame.
// Cost       a register of one beat, a multiplexer of N beats, three counters.
// Reset      rst_n is synchronous and active low; the next beat is the first one of a frame.
module stream_concatenate #(
    parameter int unsigned N = 2,
    parameter int unsigned WIDTH = 8,
    parameter int unsigned COUNT_W = 2,
    parameter logic [N*COUNT_W-1:0] LAST = '1,
    parameter int unsigned ROUNDS = 2
) (
    input  logic               clk,
    input  logic               rst_n,
    input  logic [N-1:0]       in_valid,
    output logic [N-1:0]       in_ready,
    input  logic [N-1:0]       in_last,
    input  logic [N*WIDTH-1:0] in_data,
    output logic               out_valid,
    input  logic               out_ready,
    output logic               out_last,
    output logic [WIDTH-1:0]   out_data
);

    localparam int unsigned TURN_W = N > 1 ? $clog2(N) : 1;
    localparam int unsigned ROUND_W = ROUNDS > 1 ? $clog2(ROUNDS) : 1;

    if (N < 2) begin : g_check_0
        $error("stream_concatenate: N must be at least 2");
    end
    if (WIDTH < 1 || COUNT_W < 1 || ROUNDS < 1) begin : g_check_1
        $error("stream_concatenate: WIDTH, COUNT_W and ROUNDS must be at least 1");
    end

    logic [TURN_W-1:0] turn;
    logic [COUNT_W-1:0] count;
    logic [ROUND_W-1:0] rounds;
    logic free, accept, last_count, last_turn, last_round;
    logic [WIDTH-1:0] beat;

    assign free       = out_ready | ~out_valid;
    assign last_turn  = turn == TURN_W'(N - 1);
    assign last_round = rounds == ROUND_W'(ROUNDS - 1);

    always_comb begin
        in_ready   = '0;
        accept     = 1'b0;
        last_count = 1'b0;
        beat       = '0;
        for (int unsigned k = 0; k < N; k++) begin
            if (turn == TURN_W'(k)) begin
                in_ready[k] = free;
                accept      = free & in_valid[k];
                last_count  = count == LAST[k*COUNT_W+:COUNT_W];
                beat        = in_data[k*WIDTH+:WIDTH];
            end
        end
    end

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            out_valid <= 1'b0;
            turn      <= '0;
            count     <= '0;
            rounds    <= '0;
        end else begin
            if (free) out_valid <= accept;
            if (accept) begin
                count <= last_count ? '0 : count + 1'b1;
                if (last_count) begin
                    turn <= last_turn ? '0 : turn + 1'b1;
                    if (last_turn) rounds <= last_round ? '0 : rounds + 1'b1;
                end
            end
        end
        if (accept) begin
            out_data <= beat;
            out_last <= last_count & last_turn & last_round;
        end
    end

    logic unused_last;
    assign unused_last = |in_last;

endmodule
