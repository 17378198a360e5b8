// stream_split: one beat becomes several, the low bits first.
//
// Function   A register takes a beat and is shifted as its parts are given. out_last is that of the beat, at its last part.
// Latency    1 cycle to the first part.
// II         BEATS cycles a beat that comes.
// Parameters WIDTH  bits of a part.
//            BEATS  parts of a beat, at least 2.
// Cost       WIDTH * BEATS registers and a counter.
// Reset      rst_n is synchronous and active low.
module stream_split #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned BEATS = 4
) (
    input  logic                   clk,
    input  logic                   rst_n,
    input  logic                   in_valid,
    output logic                   in_ready,
    input  logic                   in_last,
    input  logic [BEATS*WIDTH-1:0] in_data,
    output logic                   out_valid,
    input  logic                   out_ready,
    output logic                   out_last,
    output logic [WIDTH-1:0]       out_data
);

    localparam int unsigned COUNT_W = $clog2(BEATS);

    if (WIDTH < 1) begin : g_check_0
        $error("stream_split: WIDTH must be at least 1");
    end
    if (BEATS < 2) begin : g_check_1
        $error("stream_split: BEATS must be at least 2");
    end

    logic [COUNT_W-1:0] count;
    logic [BEATS*WIDTH-1:0] shifted;
    logic accept, move, last_part, last_beat;

    assign last_part = count == COUNT_W'(BEATS - 1);
    assign in_ready  = ~out_valid | (last_part & out_ready);
    assign accept    = in_valid & in_ready;
    assign move      = out_valid & out_ready;
    assign out_last  = last_beat & last_part;
    assign out_data  = shifted[WIDTH-1:0];

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            out_valid <= 1'b0;
            count     <= '0;
        end else begin
            out_valid <= accept | (out_valid & ~(last_part & out_ready));
            if (move) count <= last_part ? '0 : count + 1'b1;
        end
        if (accept) begin
            shifted   <= in_data;
            last_beat <= in_last;
        end else if (move) begin
            shifted <= shifted >> WIDTH;
        end
    end

endmodule
