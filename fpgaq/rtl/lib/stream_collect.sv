// stream_collect: several beats become one, the first one in the low bits.
//
// Function   Beats are shifted into a register; after BEATS of them it is offered as one. out_last is that of the last one.
// Latency    1 cycle from the last beat accepted to the result.
// II         BEATS cycles.
// Parameters WIDTH  bits of a beat.
//            BEATS  beats of a result, at least 2.
// Cost       WIDTH * BEATS registers and a counter.
// Reset      rst_n is synchronous and active low; the next beat is the first one.
module stream_collect #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned BEATS = 4
) (
    input  logic                   clk,
    input  logic                   rst_n,
    input  logic                   in_valid,
    output logic                   in_ready,
    input  logic                   in_last,
    input  logic [WIDTH-1:0]       in_data,
    output logic                   out_valid,
    input  logic                   out_ready,
    output logic                   out_last,
    output logic [BEATS*WIDTH-1:0] out_data
);

    localparam int unsigned COUNT_W = $clog2(BEATS);

    if (WIDTH < 1) begin : g_check_0
        $error("stream_collect: WIDTH must be at least 1");
    end
    if (BEATS < 2) begin : g_check_1
        $error("stream_collect: BEATS must be at least 2");
    end

    logic [COUNT_W-1:0] count;
    logic accept, last_beat;

    assign last_beat = count == COUNT_W'(BEATS - 1);
    assign in_ready  = out_ready | ~out_valid;
    assign accept    = in_valid & in_ready;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            count     <= '0;
            out_valid <= 1'b0;
        end else begin
            if (in_ready) out_valid <= in_valid & last_beat;
            if (accept) count <= last_beat ? '0 : count + 1'b1;
        end
        if (accept) begin
            out_data <= {in_data, out_data[BEATS*WIDTH-1:WIDTH]};
            out_last <= in_last;
        end
    end

endmodule
