// stream_window: all pixels of a window as one beat, at every position of the window in a pixel stream.
//
// Function   One beat is one pixel; they come row by row. When the last pixel of a window is there, the window is offered:
//            its positions row by row, the first one in the low bits. out_last marks the last window of a frame; in_last is
//            not looked at. Pixels behind the last window are taken and forgotten.
// Latency    1 cycle from the last pixel of a window accepted to the window.
// II         1 cycle a pixel.
// Parameters PIXEL_W             bits of a pixel, all channels.
//            ROWS, COLS          pixels of a frame.
//            KERNEL_H, KERNEL_W  positions of the window.
//            STRIDE_H, STRIDE_W  pixels from one window to the next.
//            DILATION_H, _W      pixels from one position to the next.
// Cost       (KERNEL_H - 1) * DILATION_H lines of pixels in one memory: registers for one word, block RAM from 256 words of
//            DILATION_H * COLS, between them what the tool finds best; ((KERNEL_W - 1) * DILATION_W + 1) * KERNEL_H pixels
//            in registers; four counters.
// Reset      rst_n is synchronous and active low; the next pixel is the first one of a frame. Memory and registers keep
//            what they have, which no window shows.
module stream_window #(
    parameter int unsigned PIXEL_W = 8,
    parameter int unsigned ROWS = 4,
    parameter int unsigned COLS = 4,
    parameter int unsigned KERNEL_H = 3,
    parameter int unsigned KERNEL_W = 3,
    parameter int unsigned STRIDE_H = 1,
    parameter int unsigned STRIDE_W = 1,
    parameter int unsigned DILATION_H = 1,
    parameter int unsigned DILATION_W = 1
) (
    input  logic                                 clk,
    input  logic                                 rst_n,
    input  logic                                 in_valid,
    output logic                                 in_ready,
    input  logic                                 in_last,
    input  logic [PIXEL_W-1:0]                   in_data,
    output logic                                 out_valid,
    input  logic                                 out_ready,
    output logic                                 out_last,
    output logic [KERNEL_H*KERNEL_W*PIXEL_W-1:0] out_data
);

    // Rows and columns that a window reaches over, and where the last one of a frame ends.
    localparam int unsigned REACH_H = (KERNEL_H - 1) * DILATION_H + 1;
    localparam int unsigned REACH_W = (KERNEL_W - 1) * DILATION_W + 1;
    localparam int unsigned LAST_ROW = REACH_H - 1 + (ROWS - REACH_H) / STRIDE_H * STRIDE_H;
    localparam int unsigned LAST_COL = REACH_W - 1 + (COLS - REACH_W) / STRIDE_W * STRIDE_W;
    localparam int unsigned ROW_W = ROWS > 1 ? $clog2(ROWS) : 1;
    localparam int unsigned COL_W = COLS > 1 ? $clog2(COLS) : 1;
    // Pixels until the next window: before the first one of a row, or a stride.
    localparam int unsigned WAIT_H = REACH_H > STRIDE_H ? REACH_H : STRIDE_H;
    localparam int unsigned WAIT_W = REACH_W > STRIDE_W ? REACH_W : STRIDE_W;
    localparam int unsigned DOWN_W = WAIT_H > 1 ? $clog2(WAIT_H) : 1;
    localparam int unsigned RIGHT_W = WAIT_W > 1 ? $clog2(WAIT_W) : 1;
    // A pixel comes back that many pixels later, DILATION_H rows further down.
    localparam int unsigned DEPTH = DILATION_H * COLS;
    localparam int unsigned COLUMN = KERNEL_H * PIXEL_W;

    if (PIXEL_W < 1 || KERNEL_H < 1 || KERNEL_W < 1) begin : g_check_0
        $error("stream_window: PIXEL_W, KERNEL_H and KERNEL_W must be at least 1");
    end
    if (STRIDE_H < 1 || STRIDE_W < 1 || DILATION_H < 1 || DILATION_W < 1) begin : g_check_1
        $error("stream_window: strides and dilations must be at least 1");
    end
    if (REACH_H > ROWS || REACH_W > COLS) begin : g_check_2
        $error("stream_window: the window is larger than the frame");
    end

    logic accept;
    assign in_ready = out_ready | ~out_valid;
    assign accept   = in_valid & in_ready;

    // --- where we are ------------------------------------------------------------------------------------------------
    logic [ROW_W-1:0] row;
    logic [COL_W-1:0] col;
    logic [DOWN_W-1:0] down;
    logic [RIGHT_W-1:0] right;
    logic end_of_row, end_of_frame, hit;

    assign end_of_row   = col == COL_W'(COLS - 1);
    assign end_of_frame = end_of_row && row == ROW_W'(ROWS - 1);
    assign hit          = down == '0 && right == '0;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            row       <= '0;
            col       <= '0;
            down      <= DOWN_W'(REACH_H - 1);
            right     <= RIGHT_W'(REACH_W - 1);
            out_valid <= 1'b0;
        end else begin
            if (in_ready) out_valid <= in_valid & hit;
            if (accept) begin
                col <= end_of_row ? '0 : col + 1'b1;
                if (end_of_row) right <= RIGHT_W'(REACH_W - 1);
                else if (right == '0) right <= RIGHT_W'(STRIDE_W - 1);
                else right <= right - 1'b1;
                if (end_of_row) begin
                    row <= end_of_frame ? '0 : row + 1'b1;
                    if (end_of_frame) down <= DOWN_W'(REACH_H - 1);
                    else if (down == '0) down <= DOWN_W'(STRIDE_H - 1);
                    else down <= down - 1'b1;
                end
            end
        end
        if (accept) out_last <= row == ROW_W'(LAST_ROW) && col == COL_W'(LAST_COL);
    end

    // --- lines: the pixels above the one that comes, the nearest in the low bits --------------------------------------
    logic [COLUMN-1:0] column;
    if (KERNEL_H == 1) begin : g_one_line
        assign column = in_data;
    end else begin : g_lines
        localparam int unsigned WORD = (KERNEL_H - 1) * PIXEL_W;
        logic [WORD-1:0] above;
        assign column = {above, in_data};
        if (DEPTH == 1) begin : g_register
            always_ff @(posedge clk) if (accept) above <= column[WORD-1:0];
        end else begin : g_memory
            localparam int unsigned ADDRESS_W = $clog2(DEPTH);
            logic [ADDRESS_W-1:0] address, next;
            assign next = address == ADDRESS_W'(DEPTH - 1) ? '0 : address + 1'b1;
            always_ff @(posedge clk) begin
                if (!rst_n) address <= '0;
                else if (accept) address <= next;
            end
            // The word for the next pixel is read while this one is written; the addresses are never the same.
            if (DEPTH < 256) begin : g_shallow
                (* no_rw_check *) logic [WORD-1:0] lines [DEPTH];
                always_ff @(posedge clk) begin
                    if (accept) begin
                        lines[address] <= column[WORD-1:0];
                        above <= lines[next];
                    end
                end
            end else begin : g_deep
                (* no_rw_check, ram_style = "block" *) logic [WORD-1:0] lines [DEPTH];
                always_ff @(posedge clk) begin
                    if (accept) begin
                        lines[address] <= column[WORD-1:0];
                        above <= lines[next];
                    end
                end
            end
        end
    end

    // --- columns: the one that came last in the low bits ---------------------------------------------------------------
    logic [REACH_W*COLUMN-1:0] columns;
    if (REACH_W == 1) begin : g_one_column
        always_ff @(posedge clk) if (accept) columns <= column;
    end else begin : g_columns
        always_ff @(posedge clk) if (accept) columns <= {columns[(REACH_W-1)*COLUMN-1:0], column};
    end

    for (genvar i = 0; i < KERNEL_H; i++) begin : row_of_window
        for (genvar j = 0; j < KERNEL_W; j++) begin : position
            assign out_data[(i*KERNEL_W+j)*PIXEL_W+:PIXEL_W] =
                columns[(KERNEL_W-1-j)*DILATION_W*COLUMN+(KERNEL_H-1-i)*PIXEL_W+:PIXEL_W];
        end
    end

    logic unused;  // a dilated window skips columns
    assign unused = in_last ^ (^columns);

endmodule
