// stream_tag: puts a few bits above every beat of a frame that tell where it stands.
//
// Function   Counters of rows and columns select the bits of both, which are joined by an or: a row and a column may have
//            fields of their own. out_last marks the last beat of a frame; in_last is not looked at.
// Latency    1 cycle.
// II         1 cycle a beat.
// Parameters WIDTH       bits of a beat that comes.
//            ROWS, COLS  beats of a frame.
//            TAG_W       bits that are put above it.
//            ROW_TAGS    for each of these bits, the lowest one first, its value in every row: 2^clog2(ROWS) bits, at least 2.
//            COL_TAGS    likewise for columns.
// Cost       a register of one beat, two counters, a LUT or a few for every bit.
// Reset      rst_n is synchronous and active low; the next beat is the first one of a frame.
module stream_tag #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned ROWS = 2,
    parameter int unsigned COLS = 2,
    parameter int unsigned TAG_W = 1,
    parameter int unsigned ROW_W = ROWS > 2 ? $clog2(ROWS) : 1,
    parameter int unsigned COL_W = COLS > 2 ? $clog2(COLS) : 1,
    parameter logic [TAG_W*(1<<ROW_W)-1:0] ROW_TAGS = 2'b10,
    parameter logic [TAG_W*(1<<COL_W)-1:0] COL_TAGS = 2'b10
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
    output logic [TAG_W+WIDTH-1:0] out_data
);

    if (WIDTH < 1 || TAG_W < 1 || ROWS < 1 || COLS < 1) begin : g_check
        $error("stream_tag: WIDTH, TAG_W, ROWS and COLS must be at least 1");
    end

    logic [ROW_W-1:0] row;
    logic [COL_W-1:0] col;
    logic [TAG_W-1:0] tag;
    logic accept, last_row, last_col;

    for (genvar b = 0; b < TAG_W; b++) begin : g_bit
        localparam logic [(1<<ROW_W)-1:0] OF_ROW = ROW_TAGS[b*(1<<ROW_W)+:(1<<ROW_W)];
        localparam logic [(1<<COL_W)-1:0] OF_COL = COL_TAGS[b*(1<<COL_W)+:(1<<COL_W)];
        assign tag[b] = OF_ROW[row] | OF_COL[col];
    end

    assign in_ready = out_ready | ~out_valid;
    assign accept   = in_valid & in_ready;
    assign last_row = row == ROW_W'(ROWS - 1);
    assign last_col = col == COL_W'(COLS - 1);

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            out_valid <= 1'b0;
            row       <= '0;
            col       <= '0;
        end else begin
            if (in_ready) out_valid <= in_valid;
            if (accept) begin
                col <= last_col ? '0 : col + 1'b1;
                if (last_col) row <= last_row ? '0 : row + 1'b1;
            end
        end
        if (accept) begin
            out_data <= {tag, in_data};
            out_last <= last_row & last_col;
        end
    end

    logic unused_last;
    assign unused_last = in_last;

endmodule
