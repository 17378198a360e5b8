// softmax_vector: softmax of a vector by tables (hls4ml's stable variant), with exact integer arithmetic in between.
//
// Function   d = max(x) - x is cut to an index; e = exp(-d) comes from the exponential ROM; the sum of all e is cut to an
//            index of the reciprocal ROM; e * reciprocal is rounded half to even. The ROMs are outside and answer one
//            enabled clock after their address, one port of the exponential ROM per element.
// Latency    2 * ceil(log2(N)) + 5 cycles.          II  1 cycle.
// Parameters N, W, SIGNED     elements, their bits and signedness; N at least 2.
//            DROP             fraction bits dropped from d before the index (negative: zeros appended).
//            INDEX_W          bits of both indices.
//            TABLE_W, FRAC    bits and fraction bits of table entries and results.
//            SUM_DROP         fraction bits dropped from the sum.
// Reset      rst_n is synchronous and active low; it empties the pipeline.
module softmax_vector #(
    parameter int unsigned N = 4,
    parameter int unsigned W = 8,
    parameter bit SIGNED = 1'b1,
    parameter int DROP = 0,
    parameter int unsigned INDEX_W = 10,
    parameter int unsigned TABLE_W = 17,
    parameter int unsigned FRAC = 16,
    parameter int unsigned SUM_DROP = 8
) (
    input  logic                 clk,
    input  logic                 rst_n,
    input  logic                 in_valid,
    output logic                 in_ready,
    input  logic                 in_last,
    input  logic [N*W-1:0]       in_data,
    output logic                 out_valid,
    input  logic                 out_ready,
    output logic                 out_last,
    output logic [N*TABLE_W-1:0] out_data,
    output logic                 enable,
    output logic [N*INDEX_W-1:0] exp_address,
    input  logic [N*TABLE_W-1:0] exp_data,
    output logic [INDEX_W-1:0]   inv_address,
    input  logic [TABLE_W-1:0]   inv_data
);

    localparam int unsigned LEVELS = $clog2(N);
    localparam int unsigned LEAVES = 1 << LEVELS;
    localparam int unsigned SUM_W = TABLE_W + LEVELS;
    localparam int unsigned PRODUCT_W = 2 * TABLE_W;
    localparam int unsigned GAIN = DROP < 0 ? -DROP : 0;
    localparam int unsigned LOSS = DROP > 0 ? DROP : 0;
    localparam int unsigned DISTANCE_W = W + 1 + GAIN;

    if (N < 2) begin : g_check_0
        $error("softmax_vector: N must be at least 2");
    end
    if (SUM_DROP + INDEX_W < SUM_W - 1) begin : g_check_1
        $error("softmax_vector: the sum does not fit its index");
    end

    pipeline_control #(.STAGES(2 * LEVELS + 5)) control (
        .clk, .rst_n, .in_valid, .in_ready, .in_last, .out_valid, .out_ready, .out_last, .enable
    );

    // --- maximum: one level of the tree a stage, the elements beside it ----------------------------------------------
    logic [N*W-1:0] elements [LEVELS+1];
    assign elements[0] = in_data;
    for (genvar level = 0; level <= LEVELS; level++) begin : largest
        logic signed [W:0] value [LEAVES >> level];
        for (genvar k = 0; k < (LEAVES >> level); k++) begin : node
            if (level == 0) begin : leaf
                // Missing leaves repeat the first element, which cannot change the maximum.
                localparam int unsigned E = k < N ? k : 0;
                assign value[k] = {SIGNED & in_data[E*W+W-1], in_data[E*W+:W]};
            end else begin : pair
                always_ff @(posedge clk)
                    if (enable)
                        value[k] <= largest[level-1].value[2*k+1] > largest[level-1].value[2*k] ?
                            largest[level-1].value[2*k+1] : largest[level-1].value[2*k];
            end
        end
        if (level > 0) begin : beside
            always_ff @(posedge clk) if (enable) elements[level] <= elements[level-1];
        end
    end

    // --- distance from the maximum, cut to an index; the exponential ROM answers a clock later ------------------------
    for (genvar k = 0; k < N; k++) begin : distance
        logic signed [W:0] x;
        logic [W:0] d;
        logic [DISTANCE_W-1:0] scaled;
        logic [DISTANCE_W+INDEX_W-1:0] wide;
        assign x = {SIGNED & elements[LEVELS][k*W+W-1], elements[LEVELS][k*W+:W]};
        assign d = largest[LEVELS].value[0] - x;
        assign scaled = (DISTANCE_W'(d) << GAIN) >> LOSS;
        assign wide = {{INDEX_W{1'b0}}, scaled};
        always_ff @(posedge clk)
            if (enable)
                exp_address[k*INDEX_W+:INDEX_W] <= |wide[DISTANCE_W+INDEX_W-1:INDEX_W] ? '1 : wide[INDEX_W-1:0];
    end

    // --- sum of the exponentials: one level of the tree a stage, the exponentials beside it ---------------------------
    logic [N*TABLE_W-1:0] exponentials [LEVELS+2];
    assign exponentials[0] = exp_data;
    for (genvar level = 0; level <= LEVELS; level++) begin : total
        logic [SUM_W-1:0] value [LEAVES >> level];
        for (genvar k = 0; k < (LEAVES >> level); k++) begin : node
            if (level == 0) begin : leaf
                if (k < N) begin : element
                    assign value[k] = SUM_W'(exp_data[k*TABLE_W+:TABLE_W]);
                end else begin : missing
                    assign value[k] = '0;
                end
            end else begin : pair
                always_ff @(posedge clk)
                    if (enable) value[k] <= total[level-1].value[2*k] + total[level-1].value[2*k+1];
            end
        end
        always_ff @(posedge clk) if (enable) exponentials[level+1] <= exponentials[level];
    end
    logic [SUM_W+INDEX_W-1:0] sum;
    assign sum = {{INDEX_W{1'b0}}, total[LEVELS].value[0]} >> SUM_DROP;
    assign inv_address = sum[INDEX_W-1:0];
    logic unused;
    assign unused = ^sum[SUM_W+INDEX_W-1:INDEX_W];

    // --- quotient: product, then rounding half to even --------------------------------------------------------------
    localparam logic [PRODUCT_W-1:0] HALF = {{(PRODUCT_W - FRAC){1'b0}}, 1'b1, {(FRAC - 1){1'b0}}};
    for (genvar k = 0; k < N; k++) begin : quotient
        logic [TABLE_W-1:0] e;
        logic [PRODUCT_W-1:0] product, rounded;
        logic even, unused_top;
        assign e = exponentials[LEVELS+1][k*TABLE_W+:TABLE_W];
        always_ff @(posedge clk) if (enable) product <= {{TABLE_W{1'b0}}, e} * {{TABLE_W{1'b0}}, inv_data};
        assign rounded = product + HALF;
        assign even = rounded[FRAC-1:0] != '0;
        assign unused_top = ^rounded[PRODUCT_W-1:FRAC+TABLE_W];
        always_ff @(posedge clk)
            if (enable) out_data[k*TABLE_W+:TABLE_W] <= {rounded[FRAC+TABLE_W-1:FRAC+1], rounded[FRAC] & even};
    end

endmodule
