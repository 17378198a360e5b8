// stream_crop: drops pixels at the edges of every frame of a pixel stream.
//
// Function   One beat is one pixel; they come row by row. Counters tell which ones are kept.
//            out_last marks the last one that is kept; in_last is not looked at.
// Latency    1 cycle.
// II         1 cycle a pixel that comes.
// Parameters PIXEL_W        bits of a pixel, all channels.
//            ROWS, COLS     pixels of a frame that comes.
//            TOP, BOTTOM    rows that are dropped; LEFT, RIGHT columns.
// Cost       a register of one pixel, two counters.
// Reset      rst_n is synchronous and active low; the next pixel is the first one of a frame.
module stream_crop #(
    parameter int unsigned PIXEL_W = 8,
    parameter int unsigned ROWS = 4,
    parameter int unsigned COLS = 4,
    parameter int unsigned TOP = 1,
    parameter int unsigned BOTTOM = 1,
    parameter int unsigned LEFT = 1,
    parameter int unsigned RIGHT = 1
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

    localparam int unsigned ROW_W = ROWS > 1 ? $clog2(ROWS) : 1;
    localparam int unsigned COL_W = COLS > 1 ? $clog2(COLS) : 1;

    if (PIXEL_W < 1) begin : g_check_0
        $error("stream_crop: PIXEL_W must be at least 1");
    end
    if (TOP + BOTTOM >= ROWS || LEFT + RIGHT >= COLS) begin : g_check_1
        $error("stream_crop: nothing is left of a frame");
    end

    logic [ROW_W-1:0] row;
    logic [COL_W-1:0] col;
    logic accept, last_row, last_col, kept;

    assign in_ready = out_ready | ~out_valid;
    assign accept   = in_valid & in_ready;
    assign last_row = row == ROW_W'(ROWS - 1);
    assign last_col = col == COL_W'(COLS - 1);

    // A comparison with an edge at which nothing is dropped would always be true.
    logic below_top, above_bottom, behind_left, before_right;
    if (TOP > 0) begin : g_top
        assign below_top = row >= ROW_W'(TOP);
    end else begin : g_no_top
        assign below_top = 1'b1;
    end
    if (BOTTOM > 0) begin : g_bottom
        assign above_bottom = row < ROW_W'(ROWS - BOTTOM);
    end else begin : g_no_bottom
        assign above_bottom = 1'b1;
    end
    if (LEFT > 0) begin : g_left
        assign behind_left = col >= COL_W'(LEFT);
    end else begin : g_no_left
        assign behind_left = 1'b1;
    end
    if (RIGHT > 0) begin : g_right
        assign before_right = col < COL_W'(COLS - RIGHT);
    end else begin : g_no_right
        assign before_right = 1'b1;
    end
    assign kept = below_top & above_bottom & behind_left & before_right;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            out_valid <= 1'b0;
            row       <= '0;
            col       <= '0;
        end else begin
            if (in_ready) out_valid <= in_valid & kept;
            if (accept) begin
                col <= last_col ? '0 : col + 1'b1;
                if (last_col) row <= last_row ? '0 : row + 1'b1;
            end
        end
        if (accept) begin
            out_data <= in_data;
            out_last <= row == ROW_W'(ROWS - BOTTOM - 1) && col == COL_W'(COLS - RIGHT - 1);
        end
    end

    logic unused_last;
    assign unused_last = in_last;

endmodule
