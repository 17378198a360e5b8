// gated_engine: y = (h << LOW) + (h > threshold ? l : 0) with few multipliers; closed gates save their cycles.
//
// Function   h is the product of the matrix with the high bits of the vector, l that with its LOW low bits. Each cycle
//            multiplies INPUTS elements with the weights of one output in every one of LANES lanes. First all outputs
//            are predicted: BEATS cycles make h of LANES outputs, GROUPS groups all of them, group 0 in the low bits of
//            the result. When every gate is known, each lane takes its own outputs with open gates, the first one
//            first, BEATS cycles each, and skips the others.
//            The ROMs are outside. Word `address` of lane k must appear on its part of `weights` one enabled clock after
//            it is asked for, input 0 in the low bits; so must the thresholds of a group on `thresholds`.
// updates    How many outputs the low bits were added to, for the vector on out_data.
// II         GROUPS * BEATS + 4 + TREE + BEATS * m cycles, m the largest number of open gates in a lane, where TREE is
//            floor(log2(INPUTS) / 2), log2 rounded up: the products are added by a tree with a register after every
//            second level.
// Latency    II + 4 + TREE cycles from a vector accepted to its result.
// Parameters N_IN, IN_W      elements and bits of the input vector, which is never negative.
//            LOW             bits of an element that are not predicted with.
//            INPUTS, LANES   inputs of an output and outputs multiplied per cycle; INPUTS * BEATS = N_IN.
//            BEATS, GROUPS   cycles of an output in one pass, outputs of a lane.
//            WEIGHT_W        bits of a weight (signed).
//            SUM_W           bits of h, l and the thresholds (signed).
//            OUT_W           bits of a result; it is exact modulo 2^OUT_W.
// Reset      rst_n is synchronous and active low; a vector under way is dropped.
module gated_engine #(
    parameter int unsigned N_IN = 4,
    parameter int unsigned IN_W = 4,
    parameter int unsigned LOW = 2,
    parameter int unsigned INPUTS = 2,
    parameter int unsigned LANES = 1,
    parameter int unsigned BEATS = 2,
    parameter int unsigned GROUPS = 2,
    parameter int unsigned WEIGHT_W = 4,
    parameter int unsigned SUM_W = 12,
    parameter int unsigned OUT_W = 12,
    parameter int unsigned ADDRESS_W = BEATS * GROUPS > 1 ? $clog2(BEATS * GROUPS) : 1,
    parameter int unsigned GROUP_W = GROUPS > 1 ? $clog2(GROUPS) : 1,
    parameter int unsigned COUNT_W = $clog2(GROUPS * LANES + 1)
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
    output logic [GROUPS*LANES*OUT_W-1:0]    out_data,
    output logic [COUNT_W-1:0]               updates,
    output logic                             enable,
    output logic [LANES*ADDRESS_W-1:0]       address,
    input  logic [LANES*INPUTS*WEIGHT_W-1:0] weights,
    output logic [GROUP_W-1:0]               group,
    input  logic [LANES*SUM_W-1:0]           thresholds
);

    localparam int unsigned BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;
    localparam int unsigned LOW_W = LOW < IN_W ? LOW : IN_W;
    localparam int unsigned HIGH_W = LOW < IN_W ? IN_W - LOW : 1;
    localparam int unsigned PART_W = LOW_W > HIGH_W ? LOW_W : HIGH_W;
    // No bit more: yosys (0.70) loses the register of a doubled sign bit when it packs the others into a DSP block.
    localparam int unsigned PRODUCT_W = PART_W + WEIGHT_W;
    localparam int unsigned LEVELS = INPUTS > 1 ? $clog2(INPUTS) : 0;
    localparam int unsigned LEAVES = 1 << LEVELS;
    localparam int unsigned TREE = LEVELS / 2;
    localparam int unsigned DRAIN = 4 + TREE;
    localparam int unsigned DRAIN_W = $clog2(DRAIN);

    if (INPUTS * BEATS != N_IN) begin : g_check_0
        $error("gated_engine: INPUTS * BEATS must be N_IN");
    end
    if (LOW < 1) begin : g_check_1
        $error("gated_engine: LOW must be at least 1");
    end
    if (ADDRESS_W < $clog2(BEATS * GROUPS) || GROUP_W < $clog2(GROUPS) || COUNT_W < $clog2(GROUPS * LANES + 1)) begin : g_check_2
        $error("gated_engine: ADDRESS_W, GROUP_W and COUNT_W are derived, do not set them");
    end

    // The whole engine stops while a result waits.
    assign enable = out_ready | ~out_valid;

    // --- sequence: which pass, which weights, which inputs ----------------------------------------------------------
    localparam logic [1:0] IDLE = 2'd0, PREDICT = 2'd1, WAIT = 2'd2, UPDATE = 2'd3;
    logic [1:0] phase;
    logic accept, ending, choose, last_beat, predicted, vector_last;
    logic [BEAT_W-1:0] beat;
    logic [GROUP_W-1:0] group_0;
    logic [DRAIN_W-1:0] waited;
    logic [LANES-1:0] left, chosen;

    assign last_beat = beat == BEAT_W'(BEATS - 1);
    assign predicted = last_beat & (group_0 == GROUP_W'(GROUPS - 1));
    // Every gate is known, or an output is finished: the lanes choose what comes next, if there is anything.
    assign choose    = (phase == WAIT & waited == DRAIN_W'(DRAIN - 1)) | (phase == UPDATE & last_beat);
    assign ending    = choose & (left == '0);
    assign in_ready  = enable & (phase == IDLE | ending);
    assign accept    = in_valid & in_ready;

    always_ff @(posedge clk) begin
        if (!rst_n) phase <= IDLE;
        else if (accept) phase <= PREDICT;
        else if (enable) begin
            if (ending) phase <= IDLE;
            else if (choose) phase <= UPDATE;
            else if (phase == PREDICT & predicted) phase <= WAIT;
        end
        if (accept) begin
            beat    <= '0;
            group_0 <= '0;
            waited  <= '0;
        end else if (enable) begin
            if (phase == PREDICT | phase == UPDATE) beat <= last_beat ? '0 : beat + 1'b1;
            if (phase == PREDICT & last_beat) group_0 <= group_0 + 1'b1;
            if (phase == WAIT) waited <= waited + 1'b1;
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
        end else if (enable & (phase == PREDICT | phase == UPDATE)) begin
            vector <= rotated[N_IN*IN_W-1:0];
        end
    end
    logic unused_rotated;
    assign unused_rotated = ^rotated[2*N_IN*IN_W-1:N_IN*IN_W];

    // --- stage 1: the part of the operands that the pass multiplies, beside the ROM's output ------------------------
    logic [INPUTS*PART_W-1:0] operands;
    for (genvar i = 0; i < INPUTS; i++) begin : operand
        logic [IN_W-1:0] x;
        assign x = vector[i*IN_W+:IN_W];
        always_ff @(posedge clk)
            if (enable) operands[i*PART_W+:PART_W] <= phase == UPDATE ? PART_W'(x[LOW_W-1:0]) : PART_W'(x >> LOW);
    end

    // What goes along with the products: whether the vector ends and its last, the pass, the first and the last beat of
    // an output, the lanes at work, and on which output.
    localparam int unsigned TOKEN_W = 5 + LANES + LANES * GROUP_W;
    logic [LANES*GROUP_W-1:0] slots;
    logic [TOKEN_W-1:0] issued;
    assign issued = {
        ending, vector_last, phase == UPDATE, beat == '0, last_beat,
        phase == UPDATE ? chosen : {LANES{phase == PREDICT}}, phase == UPDATE ? slots : {LANES{group_0}}
    };

    // --- stage 2: products, and the registers of the tree behind them; stage 3: accumulators -------------------------
    logic [TOKEN_W-1:0] token [TREE+3];
    always_ff @(posedge clk) begin
        if (!rst_n) token[0] <= '0;
        else if (enable) token[0] <= issued;
    end
    for (genvar t = 0; t < TREE + 2; t++) begin : along
        always_ff @(posedge clk) begin
            if (!rst_n) token[t+1] <= '0;
            else if (enable) token[t+1] <= token[t];
        end
    end
    logic summed_first, ends, ended_last, update, done;
    logic [LANES-1:0] summed_active, active;
    logic [LANES*GROUP_W-1:0] summed_slots, done_slots;
    assign summed_first  = token[TREE+1][LANES+LANES*GROUP_W+1];
    assign summed_active = token[TREE+1][LANES*GROUP_W+:LANES];
    assign summed_slots  = token[TREE+1][LANES*GROUP_W-1:0];
    assign {ends, ended_last, update} = token[TREE+2][LANES+LANES*GROUP_W+2+:3];
    assign {done, active, done_slots} = token[TREE+2][LANES+LANES*GROUP_W:0];
    assign group = summed_slots[GROUP_W-1:0];
    logic unused_first;
    assign unused_first = token[TREE+2][LANES+LANES*GROUP_W+1];

    for (genvar l = 0; l < LANES; l++) begin : lane
        logic signed [INPUTS*PRODUCT_W-1:0] products;
        for (genvar i = 0; i < INPUTS; i++) begin : multiplier
            logic signed [PART_W:0] x;
            logic signed [WEIGHT_W-1:0] w;
            logic signed [PRODUCT_W-1:0] p;
            assign x = {1'b0, operands[i*PART_W+:PART_W]};
            assign w = weights[(l*INPUTS+i)*WEIGHT_W+:WEIGHT_W];
            assign p = x * w;
            always_ff @(posedge clk) if (enable) products[i*PRODUCT_W+:PRODUCT_W] <= p;
        end

        for (genvar level = 0; level <= LEVELS; level++) begin : tree
            logic signed [SUM_W-1:0] value [LEAVES >> level];
            for (genvar k = 0; k < (LEAVES >> level); k++) begin : node
                if (level == 0) begin : leaf
                    if (k < INPUTS) begin : product
                        assign value[k] = SUM_W'($signed(products[k*PRODUCT_W+:PRODUCT_W]));
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

        logic signed [SUM_W-1:0] start, sum, threshold;
        assign start = summed_first ? '0 : sum;
        always_ff @(posedge clk) if (enable & summed_active[l]) sum <= start + tree[LEVELS].value[0];

        // --- stage 4: results and gates -------------------------------------------------------------------------------
        logic [GROUP_W-1:0] slot;
        logic finished, opens;
        logic [OUT_W-1:0] result, prediction;
        assign threshold = thresholds[l*SUM_W+:SUM_W];
        assign slot      = done_slots[l*GROUP_W+:GROUP_W];
        assign finished  = active[l] & done;
        assign opens     = sum > threshold;
        // The prediction, read beside the last beat of its update: it was written before the first one.
        logic [GROUPS*OUT_W-1:0] results, selected;
        assign selected = results >> (summed_slots[l*GROUP_W+:GROUP_W] * OUT_W);
        logic unused_selected;
        assign unused_selected = ^selected;
        always_ff @(posedge clk) if (enable) prediction <= selected[OUT_W-1:0];
        assign result = update ? prediction + OUT_W'(sum) : OUT_W'(sum) << LOW;
        for (genvar g = 0; g < GROUPS; g++) begin : output_
            always_ff @(posedge clk) if (enable & finished & (slot == GROUP_W'(g))) results[g*OUT_W+:OUT_W] <= result;
            assign out_data[(g*LANES+l)*OUT_W+:OUT_W] = results[g*OUT_W+:OUT_W];
        end

        // Outputs whose gate is open and that no one has chosen yet; the first one is chosen next.
        logic [GROUPS-1:0] waiting, first;
        logic [GROUP_W-1:0] next_slot, chosen_slot;
        logic [ADDRESS_W-1:0] next_address, lane_address;
        assign first = waiting & (~waiting + 1'b1);
        always_comb begin
            next_slot    = '0;
            next_address = '0;
            for (int unsigned g = 0; g < GROUPS; g++) begin
                if (first[g]) begin
                    next_slot    = next_slot | GROUP_W'(g);
                    next_address = next_address | ADDRESS_W'(g * BEATS);
                end
            end
        end
        for (genvar g = 0; g < GROUPS; g++) begin : gate
            always_ff @(posedge clk) begin
                if (!rst_n) waiting[g] <= 1'b0;
                else if (enable) begin
                    if (finished & ~update & (slot == GROUP_W'(g))) waiting[g] <= opens;
                    else if (choose & first[g]) waiting[g] <= 1'b0;
                end
            end
        end
        always_ff @(posedge clk) begin
            if (accept) lane_address <= '0;
            else if (enable) begin
                if (choose) begin
                    lane_address <= next_address;
                    chosen_slot  <= next_slot;
                    chosen[l]    <= left[l];
                end else if (phase == PREDICT | phase == UPDATE) lane_address <= lane_address + 1'b1;
            end
        end
        assign left[l] = |waiting;
        assign slots[l*GROUP_W+:GROUP_W] = chosen_slot;
        assign address[l*ADDRESS_W+:ADDRESS_W] = lane_address;
    end

    // --- end of the vector; updates are counted where they are written -------------------------------------------------
    logic [COUNT_W-1:0] counted, total;
    always_comb begin
        total = counted;
        for (int unsigned l = 0; l < LANES; l++) begin
            if (active[l] & done & update) total = total + 1'b1;
        end
    end
    always_ff @(posedge clk) begin
        if (!rst_n) begin
            out_valid <= 1'b0;
            counted   <= '0;
        end else if (enable) begin
            out_valid <= ends;
            counted   <= ends ? '0 : total;
        end
        if (enable) out_last <= ended_last;
        if (enable & ends) updates <= total;
    end

endmodule
