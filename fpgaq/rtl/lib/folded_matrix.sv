// folded_matrix: y = x * W + b with few multipliers, one ROM word of weights a cycle.
//
// Function   Each cycle multiplies INPUTS elements of the vector with the weights of LANES outputs and accumulates.
//            BEATS cycles make one group of LANES outputs; GROUPS groups make the output vector, group 0 in the low
//            bits. The weight ROM is outside: word `address` must appear on `weights` one enabled clock after it is asked
//            for, input 0 of lane 0 in the low bits, then its other inputs, then lane 1. So must the biases of a group.
// Latency    GROUPS * BEATS + 4 + floor(log2(INPUTS) / 2) cycles from a vector accepted to its result; log2 rounded up:
//            the products of a beat are added by a tree with a register after every second level.
// II         GROUPS * BEATS cycles (the reuse factor).
// Parameters N_IN, IN_W      elements and bits of the input vector; IN_SIGNED its signedness.
//            INPUTS, LANES   inputs and outputs multiplied per cycle; INPUTS * BEATS = N_IN.
//            BEATS, GROUPS   cycles per group, groups per vector.
//            WEIGHT_W        bits of a weight (signed).
//            ACC_W           bits of a result; all sums are modulo 2^ACC_W and exact.
// Reset      rst_n is synchronous and active low; a vector under way is dropped.
module folded_matrix #(
    parameter int unsigned N_IN = 4,
    parameter int unsigned IN_W = 4,
    parameter bit IN_SIGNED = 1'b0,
    parameter int unsigned INPUTS = 1,
    parameter int unsigned LANES = 2,
    parameter int unsigned BEATS = 4,
    parameter int unsigned GROUPS = 1,
    parameter int unsigned WEIGHT_W = 4,
    parameter int unsigned ACC_W = 12,
    parameter int unsigned ADDRESS_W = BEATS * GROUPS > 1 ? $clog2(BEATS * GROUPS) : 1,
    parameter int unsigned GROUP_W = GROUPS > 1 ? $clog2(GROUPS) : 1
) (
    input  logic                             clk,
    input  logic                             rst_n,
    input  logic                             in_valid,
    output logic                             in_ready,
    input  logic                             in_last,
    input  logic [N_IN*IN_W-1:0]             in_data,
    output logic                             out_valid,
    input  logic                             out_ready,
    output logic                             out_last,
    output logic [GROUPS*LANES*ACC_W-1:0]    out_data,
    output logic                             enable,
    output logic [ADDRESS_W-1:0]             address,
    input  logic [LANES*INPUTS*WEIGHT_W-1:0] weights,
    output logic [GROUP_W-1:0]               group,
    input  logic [LANES*ACC_W-1:0]           biases
);

    localparam int unsigned CYCLES = BEATS * GROUPS;
    localparam int unsigned BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;
    // No bit more: yosys (0.70) loses the register of a doubled sign bit when it packs the others into a DSP block.
    localparam int unsigned PRODUCT_W = IN_W + WEIGHT_W;
    localparam int unsigned LEVELS = INPUTS > 1 ? $clog2(INPUTS) : 0;
    localparam int unsigned LEAVES = 1 << LEVELS;
    localparam int unsigned TREE = LEVELS / 2;

    if (INPUTS * BEATS != N_IN) begin : g_check_0
        $error("folded_matrix: INPUTS * BEATS must be N_IN");
    end
    if (CYCLES < 2) begin : g_check_1
        $error("folded_matrix: with one cycle use an unrolled layer");
    end
    if (ADDRESS_W != $clog2(CYCLES)) begin : g_check_2
        $error("folded_matrix: ADDRESS_W is derived, do not set it");
    end

    // The whole engine stops while a result waits.
    assign enable = out_ready | ~out_valid;

    // --- sequence: which weights, which inputs ---------------------------------------------------------------------
    logic busy, vector_last, last_cycle, last_beat, accept;
    logic [BEAT_W-1:0] beat;
    logic [GROUP_W-1:0] group_0;

    assign last_beat  = beat == BEAT_W'(BEATS - 1);
    assign last_cycle = address == ADDRESS_W'(CYCLES - 1);
    assign in_ready   = enable & (~busy | last_cycle);
    assign accept     = in_valid & in_ready;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            busy    <= 1'b0;
            address <= '0;
            beat    <= '0;
            group_0 <= '0;
        end else if (enable) begin
            busy <= accept | (busy & ~last_cycle);
            if (busy) begin
                address <= last_cycle ? '0 : address + 1'b1;
                beat    <= last_beat ? '0 : beat + 1'b1;
                if (last_beat) group_0 <= last_cycle ? '0 : group_0 + 1'b1;
            end
        end
    end

    // The vector rotates by one beat a cycle, so that the multipliers always read its low end.
    logic [N_IN*IN_W-1:0] vector;
    logic [2*N_IN*IN_W-1:0] rotated;
    assign rotated = {vector, vector} >> (INPUTS * IN_W);
    always_ff @(posedge clk) begin
        if (accept) begin
            vector      <= in_data;
            vector_last <= in_last;
        end else if (enable & busy) begin
            vector <= rotated[N_IN*IN_W-1:0];
        end
    end
    logic unused_rotated;
    assign unused_rotated = ^rotated[2*N_IN*IN_W-1:N_IN*IN_W];

    // --- stage 1: operands beside the ROM's output ------------------------------------------------------------------
    logic [INPUTS*IN_W-1:0] operands;
    logic valid_1, first_1, done_1, final_1, last_1;
    logic [GROUP_W-1:0] group_1;
    always_ff @(posedge clk) begin
        if (!rst_n) valid_1 <= 1'b0;
        else if (enable) valid_1 <= busy;
        if (enable) begin
            operands <= vector[INPUTS*IN_W-1:0];
            first_1  <= beat == '0;
            done_1   <= last_beat;
            final_1  <= last_cycle;
            last_1   <= vector_last;
            group_1  <= group_0;
        end
    end

    // --- stage 2: products, and the registers of the tree behind them: what goes along with them ----------------------
    logic [TREE:0] valid_t, first_t, done_t, final_t, last_t;
    logic [GROUP_W-1:0] group_t [TREE+1];
    logic [LANES*ACC_W-1:0] biases_2;
    always_ff @(posedge clk) begin
        if (!rst_n) valid_t[0] <= 1'b0;
        else if (enable) valid_t[0] <= valid_1;
        if (enable) begin
            {first_t[0], done_t[0], final_t[0], last_t[0]} <= {first_1, done_1, final_1, last_1};
            group_t[0] <= group_1;
            biases_2   <= biases;
        end
    end
    // The bias ROM is asked as much later as the tree takes.
    logic [GROUP_W-1:0] asked [TREE+1];
    assign asked[0] = group_0;
    assign group = asked[TREE];
    for (genvar t = 0; t < TREE; t++) begin : along
        always_ff @(posedge clk) begin
            if (!rst_n) valid_t[t+1] <= 1'b0;
            else if (enable) valid_t[t+1] <= valid_t[t];
            if (enable) begin
                {first_t[t+1], done_t[t+1], final_t[t+1], last_t[t+1]} <= {first_t[t], done_t[t], final_t[t], last_t[t]};
                group_t[t+1] <= group_t[t];
                asked[t+1]   <= asked[t];
            end
        end
    end

    // --- stage 3: sums of products, accumulators; stage 4: the result vector ------------------------------------------
    logic valid_3, done_3, final_3, last_3;
    logic [GROUP_W-1:0] group_3;
    always_ff @(posedge clk) begin
        if (!rst_n) begin
            valid_3   <= 1'b0;
            out_valid <= 1'b0;
        end else if (enable) begin
            valid_3   <= valid_t[TREE];
            out_valid <= valid_3 & final_3;
        end
        if (enable) begin
            {done_3, final_3, last_3} <= {done_t[TREE], final_t[TREE], last_t[TREE]};
            group_3  <= group_t[TREE];
            out_last <= last_3;
        end
    end

    for (genvar l = 0; l < LANES; l++) begin : lane
        logic signed [INPUTS*PRODUCT_W-1:0] products;
        for (genvar i = 0; i < INPUTS; i++) begin : multiplier
            logic signed [IN_W:0] x;
            logic signed [WEIGHT_W-1:0] w;
            logic signed [PRODUCT_W-1:0] p;
            assign x = {IN_SIGNED & operands[i*IN_W+IN_W-1], operands[i*IN_W+:IN_W]};
            assign w = weights[(l*INPUTS+i)*WEIGHT_W+:WEIGHT_W];
            assign p = x * w;
            always_ff @(posedge clk) if (enable) products[i*PRODUCT_W+:PRODUCT_W] <= p;
        end

        for (genvar level = 0; level <= LEVELS; level++) begin : tree
            logic signed [ACC_W-1:0] value [LEAVES >> level];
            for (genvar k = 0; k < (LEAVES >> level); k++) begin : node
                if (level == 0) begin : leaf
                    if (k < INPUTS) begin : product
                        assign value[k] = ACC_W'($signed(products[k*PRODUCT_W+:PRODUCT_W]));
                    end else begin : missing
                        assign value[k] = '0;
                    end
                end else if (level % 2 == 0) begin : registered
                    always_ff @(posedge clk)
                        if (enable) value[k] <= tree[level-1].value[2*k] + tree[level-1].value[2*k+1];
                end else begin : pair
                    assign value[k] = tree[level-1].value[2*k] + tree[level-1].value[2*k+1];
                end
            end
        end

        logic signed [ACC_W-1:0] start, accumulator;
        assign start = first_t[TREE] ? biases_2[l*ACC_W+:ACC_W] : accumulator;
        always_ff @(posedge clk) if (enable & valid_t[TREE]) accumulator <= start + tree[LEVELS].value[0];

        for (genvar g = 0; g < GROUPS; g++) begin : result
            always_ff @(posedge clk)
                if (enable & valid_3 & done_3 & (group_3 == GROUP_W'(g)))
                    out_data[(g*LANES+l)*ACC_W+:ACC_W] <= accumulator;
        end
    end

endmodule
