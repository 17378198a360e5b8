// stream_repeat: gives every pixel of a stream several times, and every row of them.
//
// Function   One beat is one pixel; they come row by row. Each is offered ACROSS times; a row that has been given goes
//            round in a line of shift registers and is given again until it was there DOWN times. The next pixel waits.
//            out_last marks the last beat of a frame; in_last is not looked at.
// Latency    1 cycle from a pixel accepted to its first beat, where it does not wait.
// II         1 cycle a beat of the result.
// Parameters PIXEL_W       bits of a pixel, all channels.
//            ROWS, COLS    pixels of a frame that comes.
//            DOWN, ACROSS  how often each row and each pixel of a row is given.
// Cost       a register of one pixel, four counters; with DOWN above 1 a line of COLS pixels.
// Reset      rst_n is synchronous and active low; the next pixel is the first one of a frame.
module stream_repeat #(
    parameter int unsigned PIXEL_W = 8,
    parameter int unsigned ROWS = 4,
    parameter int unsigned COLS = 4,
    parameter int unsigned DOWN = 2,
    parameter int unsigned ACROSS = 2
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
    localparam int unsigned DOWN_W = DOWN > 1 ? $clog2(DOWN) : 1;
    localparam int unsigned ACROSS_W = ACROSS > 1 ? $clog2(ACROSS) : 1;

    if (PIXEL_W < 1 || ROWS < 1 || COLS < 1 || DOWN < 1 || ACROSS < 1) begin : g_check
        $error("stream_repeat: all parameters must be at least 1");
    end

    logic [ROW_W-1:0] row;
    logic [COL_W-1:0] col;
    logic [DOWN_W-1:0] down;
    logic [ACROSS_W-1:0] across;
    logic last_row, last_col, last_down, last_across, fresh, move, accept, full;
    logic [PIXEL_W-1:0] pixel, again;

    assign last_row    = row == ROW_W'(ROWS - 1);
    assign last_col    = col == COL_W'(COLS - 1);
    assign last_down   = down == DOWN_W'(DOWN - 1);
    assign last_across = across == ACROSS_W'(ACROSS - 1);

    assign fresh     = down == '0;
    assign out_valid = full | ~fresh;
    assign out_last  = last_row & last_col & last_down & last_across;
    assign out_data  = fresh ? pixel : again;
    assign move      = out_valid & out_ready;
    assign in_ready  = ~full | (fresh & last_across & out_ready);
    assign accept    = in_valid & in_ready;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            full   <= 1'b0;
            row    <= '0;
            col    <= '0;
            down   <= '0;
            across <= '0;
        end else begin
            full <= accept | (full & ~(fresh & last_across & out_ready));
            if (move) across <= last_across ? '0 : across + 1'b1;
            if (move & last_across) begin
                col <= last_col ? '0 : col + 1'b1;
                if (last_col) begin
                    down <= last_down ? '0 : down + 1'b1;
                    if (last_down) row <= last_row ? '0 : row + 1'b1;
                end
            end
        end
        if (accept) pixel <= in_data;
    end

    if (DOWN > 1) begin : g_line
        // The oldest pixel is in the high bits.
        logic [COLS*PIXEL_W-1:0] line;
        assign again = line[COLS*PIXEL_W-1-:PIXEL_W];
        if (COLS > 1) begin : g_long
            always_ff @(posedge clk) if (move & last_across) line <= {line[(COLS-1)*PIXEL_W-1:0], out_data};
        end else begin : g_short
            always_ff @(posedge clk) if (move & last_across) line <= out_data;
        end
    end else begin : g_no_line
        assign again = pixel;
    end

    logic unused_last;
    assign unused_last = in_last;

endmodule
