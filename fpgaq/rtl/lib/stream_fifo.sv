// stream_fifo: lets a short branch run ahead of a long one that it meets again later.
//
// Function   First in, first out. in_ready comes from a register: a full buffer takes nothing in the cycle in which a word
//            leaves, so DEPTH must be one more than the words that wait at full speed.
//            Up to 64 words the memory is LUT RAM, beyond block RAM, which is read a cycle ahead; a word that is
//            written in that cycle goes past it.
// Latency    1 cycle.             II  1 cycle.
// Parameters WIDTH  bits of a word.
//            DEPTH  words, at least 2.
// Reset      rst_n is synchronous and active low; it empties the buffer.
module stream_fifo #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned DEPTH = 4,
    parameter int unsigned ADDRESS_W = $clog2(DEPTH)
) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic             in_valid,
    output logic             in_ready,
    input  logic [WIDTH-1:0] in_data,
    output logic             out_valid,
    input  logic             out_ready,
    output logic [WIDTH-1:0] out_data
);

    if (WIDTH < 1) begin : g_check_0
        $error("stream_fifo: WIDTH must be at least 1");
    end
    if (DEPTH < 2) begin : g_check_1
        $error("stream_fifo: DEPTH must be at least 2");
    end

    logic [ADDRESS_W-1:0] head, tail, head_after;
    logic full, push, pop;

    assign in_ready = ~full;
    assign push     = in_valid & in_ready;
    assign pop      = out_valid & out_ready;

    // Equal addresses mean empty or full, whichever came last.
    function automatic logic [ADDRESS_W-1:0] next(input logic [ADDRESS_W-1:0] address);
        next = address == ADDRESS_W'(DEPTH - 1) ? '0 : address + 1'b1;
    endfunction

    assign head_after = pop ? next(head) : head;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            head      <= '0;
            tail      <= '0;
            full      <= 1'b0;
            out_valid <= 1'b0;
        end else begin
            head <= head_after;
            if (push) tail <= next(tail);
            if (push != pop) begin
                full      <= push & (next(tail) == head);
                out_valid <= push | (next(head) != tail);
            end
        end
    end

    if (DEPTH <= 64) begin : g_shallow
        logic [WIDTH-1:0] words [DEPTH];
        assign out_data = words[head];
        always_ff @(posedge clk) if (push) words[tail] <= in_data;
    end else begin : g_deep
        (* no_rw_check, ram_style = "block" *) logic [WIDTH-1:0] words [DEPTH];
        logic [WIDTH-1:0] read, passed;
        logic past;
        assign out_data = past ? passed : read;
        always_ff @(posedge clk) begin
            if (push) words[tail] <= in_data;
            read   <= words[head_after];
            passed <= in_data;
            past   <= push & (tail == head_after);
        end
    end

endmodule
