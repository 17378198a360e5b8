// stream_reduce: the sum or the largest of every channel over the beats of a frame.
//
// Function   One beat is one pixel. The first beat of a frame sets the results, the others are added to them or compared
//            with them; after BEATS of them the results are offered. out_last is that of the last beat.
// Latency    1 cycle from the last beat accepted to the result.
// II         1 cycle a beat.
// Parameters CHANNELS elements of a beat.
//            IN_W     bits of an element.
//            SIGNED   whether elements have a sign.
//            OUT_W    bits of a result; a sum must fit, whatever its channel is.
//            BEATS    beats of a frame, at least 2.
//            LARGEST  1 for the largest element, 0 for the sum.
// Cost       CHANNELS * OUT_W registers, an adder or a comparator for each channel, and a counter.
// Reset      rst_n is synchronous and active low; the next beat is the first one.
module stream_reduce #(
    parameter int unsigned CHANNELS = 2,
    parameter int unsigned IN_W = 4,
    parameter bit          SIGNED = 1'b0,
    parameter int unsigned OUT_W = 6,
    parameter int unsigned BEATS = 4,
    parameter bit          LARGEST = 1'b0
) (
    input  logic                      clk,
    input  logic                      rst_n,
    input  logic                      in_valid,
    output logic                      in_ready,
    input  logic                      in_last,
    input  logic [CHANNELS*IN_W-1:0]  in_data,
    output logic                      out_valid,
    input  logic                      out_ready,
    output logic                      out_last,
    output logic [CHANNELS*OUT_W-1:0] out_data
);

    localparam int unsigned COUNT_W = $clog2(BEATS);

    if (CHANNELS < 1 || IN_W < 1) begin : g_check_0
        $error("stream_reduce: CHANNELS and IN_W must be at least 1");
    end
    if (OUT_W < IN_W) begin : g_check_1
        $error("stream_reduce: OUT_W must be at least IN_W");
    end
    if (BEATS < 2) begin : g_check_2
        $error("stream_reduce: BEATS must be at least 2");
    end

    logic [COUNT_W-1:0] count;
    logic accept, first_beat, last_beat;

    assign first_beat = count == '0;
    assign last_beat  = count == COUNT_W'(BEATS - 1);
    assign in_ready   = out_ready | ~out_valid;
    assign accept     = in_valid & in_ready;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            count     <= '0;
            out_valid <= 1'b0;
        end else begin
            if (in_ready) out_valid <= in_valid & last_beat;
            if (accept) count <= last_beat ? '0 : count + 1'b1;
        end
        if (accept) out_last <= in_last;
    end

    for (genvar c = 0; c < CHANNELS; c++) begin : channel
        logic [OUT_W-1:0] element, result, next;

        if (OUT_W == IN_W) begin : g_same
            assign element = in_data[c*IN_W+:IN_W];
        end else begin : g_wider
            assign element = {{OUT_W - IN_W{SIGNED & in_data[c*IN_W+IN_W-1]}}, in_data[c*IN_W+:IN_W]};
        end

        if (LARGEST) begin : g_largest
            // With the sign inverted, signed numbers compare as unsigned ones do.
            logic [OUT_W-1:0] bias;
            logic larger;
            assign bias   = OUT_W'(SIGNED) << (OUT_W - 1);
            assign larger = (element ^ bias) > (result ^ bias);
            assign next   = first_beat | larger ? element : result;
        end else begin : g_sum
            assign next = element + (first_beat ? '0 : result);
        end

        always_ff @(posedge clk) if (accept) result <= next;
        assign out_data[c*OUT_W+:OUT_W] = result;
    end

endmodule
