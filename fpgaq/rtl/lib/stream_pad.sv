// stream_pad: puts a margin of constant pixels around every frame of a pixel stream.
//
// Function   One beat is one pixel; they come row by row. Counters of the result's rows and columns tell where the margin is.
//            Its first pixel is offered when the frame's first pixel has come, so that nothing is offered before there is
//            a frame; everything behind the last pixel follows by itself. With EARLY only the first frame after a reset is
//            waited for: the margin in front of the others comes at once, and does not stop their first pixels.
//            out_last marks the last beat of a frame; in_last is not looked at.
// Latency    1 cycle from a frame's first pixel accepted to the first beat; a pixel waits until its place is due.
// II         1 cycle a beat of the result.
// Parameters PIXEL_W        bits of a pixel, all channels.
//            ROWS, COLS     pixels of a frame.
//            TOP, BOTTOM    rows of margin; LEFT, RIGHT columns.
//            MARGIN         the pixel that the margin consists of.
//            EARLY          where nobody minds a margin without a frame behind it.
// Cost       a register and a multiplexer of one pixel, two counters.
// Reset      rst_n is synchronous and active low; the next pixel is the first one of a frame.
module stream_pad #(
    parameter int unsigned PIXEL_W = 8,
    parameter int unsigned ROWS = 4,
    parameter int unsigned COLS = 4,
    parameter int unsigned TOP = 1,
    parameter int unsigned BOTTOM = 1,
    parameter int unsigned LEFT = 1,
    parameter int unsigned RIGHT = 1,
    parameter logic [PIXEL_W-1:0] MARGIN = '0,
    parameter bit EARLY = 1'b0
) (
    input  logic               clk,
    input  logic               rst_n,
    input  logic               in_valid,
    output logic               in_ready,
    input  logic               in_last,
    input  logic [PIXEL_W-1:0] in_data,
    output logic               out_valid,
    input  logic               out_ready,
    output logic               out_last,
    output logic [PIXEL_W-1:0] out_data
);

    localparam int unsigned HEIGHT = TOP + ROWS + BOTTOM;
    localparam int unsigned WIDTH = LEFT + COLS + RIGHT;
    localparam int unsigned ROW_W = HEIGHT > 1 ? $clog2(HEIGHT) : 1;
    localparam int unsigned COL_W = WIDTH > 1 ? $clog2(WIDTH) : 1;

    if (PIXEL_W < 1 || ROWS < 1 || COLS < 1) begin : g_check
        $error("stream_pad: PIXEL_W, ROWS and COLS must be at least 1");
    end

    logic [ROW_W-1:0] row;
    logic [COL_W-1:0] col;
    logic last_row, last_col, in_rows, in_cols, in_frame, first, started, move, accept;

    assign last_row = row == ROW_W'(HEIGHT - 1);
    assign last_col = col == COL_W'(WIDTH - 1);
    assign first    = row == '0 && col == '0 && !(EARLY && started);

    // A comparison with an edge that is not there would always be true.
    logic below_top, above_bottom, behind_left, before_right;
    if (TOP > 0) begin : g_top
        assign below_top = row >= ROW_W'(TOP);
    end else begin : g_no_top
        assign below_top = 1'b1;
    end
    if (BOTTOM > 0) begin : g_bottom
        assign above_bottom = row < ROW_W'(TOP + ROWS);
    end else begin : g_no_bottom
        assign above_bottom = 1'b1;
    end
    if (LEFT > 0) begin : g_left
        assign behind_left = col >= COL_W'(LEFT);
    end else begin : g_no_left
        assign behind_left = 1'b1;
    end
    if (RIGHT > 0) begin : g_right
        assign before_right = col < COL_W'(LEFT + COLS);
    end else begin : g_no_right
        assign before_right = 1'b1;
    end
    assign in_rows = below_top & above_bottom;
    assign in_cols = behind_left & before_right;
    assign in_frame      = in_rows & in_cols;

    // One pixel waits for its place.
    logic full;
    logic [PIXEL_W-1:0] pixel;

    assign out_valid = full | ~(in_frame | first);
    assign out_last  = last_row & last_col;
    assign out_data  = in_frame ? pixel : MARGIN;
    assign move      = out_valid & out_ready;
    assign in_ready  = ~full | (in_frame & out_ready);
    assign accept    = in_valid & in_ready;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            full    <= 1'b0;
            started <= 1'b0;
            row     <= '0;
            col     <= '0;
        end else begin
            started <= started | in_valid;
            full <= accept | (full & ~(in_frame & out_ready));
            if (move) begin
                col <= last_col ? '0 : col + 1'b1;
                if (last_col) row <= last_row ? '0 : row + 1'b1;
            end
        end
        if (accept) pixel <= in_data;
    end

    logic unused_last;
    assign unused_last = in_last;

endmodule
