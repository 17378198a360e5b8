// argmax_vector: index of the largest element of a vector; of equal elements the first one.
//
// Function   A binary tree of comparisons, one level a pipeline stage.
// Latency    ceil(log2(N)) cycles, at least 1.      II  1 cycle.
// Parameters N        elements.
//            W        bits of an element; SIGNED its signedness.
//            INDEX_W  bits of the index.
// Reset      rst_n is synchronous and active low; it empties the pipeline.
module argmax_vector #(
    parameter int unsigned N = 10,
    parameter int unsigned W = 8,
    parameter bit SIGNED = 1'b1,
    parameter int unsigned INDEX_W = N > 1 ? $clog2(N) : 1
) (
    input  logic               clk,
    input  logic               rst_n,
    input  logic               in_valid,
    output logic               in_ready,
    input  logic               in_last,
    input  logic [N*W-1:0]     in_data,
    output logic               out_valid,
    input  logic               out_ready,
    output logic               out_last,
    output logic [INDEX_W-1:0] out_data
);

    localparam int unsigned LEVELS = N > 1 ? $clog2(N) : 1;
    localparam int unsigned LEAVES = 1 << LEVELS;

    if (N < 1) begin : g_check_0
        $error("argmax_vector: N must be at least 1");
    end
    if ((1 << INDEX_W) < N) begin : g_check_1
        $error("argmax_vector: INDEX_W is too small for N");
    end

    logic enable;
    pipeline_control #(.STAGES(LEVELS)) control (
        .clk, .rst_n, .in_valid, .in_ready, .in_last, .out_valid, .out_ready, .out_last, .enable
    );

    // Level 0 holds the elements; missing ones are marked and never win.
    for (genvar level = 0; level <= LEVELS; level++) begin : tree
        logic signed [W:0]  value [LEAVES >> level];
        logic [INDEX_W-1:0] index [LEAVES >> level];
        logic               there [LEAVES >> level];
        for (genvar k = 0; k < (LEAVES >> level); k++) begin : node
            if (level == 0) begin : leaf
                if (k < N) begin : element
                    assign value[k] = {SIGNED & in_data[k*W+W-1], in_data[k*W+:W]};
                    assign there[k] = 1'b1;
                end else begin : missing
                    assign value[k] = '0;
                    assign there[k] = 1'b0;
                end
                assign index[k] = INDEX_W'(k);
            end else begin : pair
                logic second;
                assign second = tree[level-1].there[2*k+1] & (tree[level-1].value[2*k+1] > tree[level-1].value[2*k]);
                always_ff @(posedge clk) begin
                    if (enable) begin
                        value[k] <= second ? tree[level-1].value[2*k+1] : tree[level-1].value[2*k];
                        index[k] <= second ? tree[level-1].index[2*k+1] : tree[level-1].index[2*k];
                        there[k] <= tree[level-1].there[2*k];
                    end
                end
            end
        end
    end

    assign out_data = tree[LEVELS].index[0];

    logic unused;
    assign unused = tree[LEVELS].there[0] ^ (^tree[LEVELS].value[0]);

endmodule
