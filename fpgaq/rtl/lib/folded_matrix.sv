// folded_matrix: y = x * W + b with few multipliers, one ROM word of weights a cycle.
//
// Function   Each cycle multiplies INPUTS elements of the vector with the weights of LANES outputs and accumulates.
//            BEATS cycles make one group of LANES outputs; GROUPS groups make the output vector, group 0 in the low
//            bits. The weight ROM is outside: word `address` must appear on `weights` one enabled clock after it is asked
//            for, input 0 of lane 0 in the low bits, then its other inputs, then lane 1. So must the biases of a group.
//            The vector may come in several beats, which are then multiplied as they come.
// Products   PRODUCT 0  multiply: a weight is a signed integer.
//            PRODUCT 1  shift: a weight is a sign, an enable and an exponent, see pot_product. Each negative weight adds 1
//                       less than it should; the biases hold what lacks.
//            PRODUCT 2  count: a weight is a sign and an enable, an input IN_W bits that weigh the same. Counted are the
//                       bits that differ from the sign, of enabled weights.
// Latency    GROUPS * BEATS / PIXELS + 4 + floor(log2(TERMS) / 2) cycles from the last beat of a vector accepted to its
//            result; log2 rounded up.
//            TERMS is INPUTS, or INPUTS * IN_W / 36 rounded up where bits are counted: the products of a beat are added by
//            a tree with a register after every second level.
// II         GROUPS * BEATS cycles (the reuse factor), of which a beat takes its share.
// Parameters N_IN, IN_W      elements and bits of the input vector; IN_SIGNED its signedness.
//            INPUTS, LANES   inputs and outputs multiplied per cycle; INPUTS * BEATS = N_IN.
//            BEATS, GROUPS   cycles per group, groups per vector.
//            PIXELS          beats that bring a vector; where there are several, GROUPS is 1 and PIXELS divides BEATS.
//            PRODUCT         0, 1 or 2, see above.
//            WEIGHT_W        bits of a weight.
//            MAX_SHIFT       largest exponent of a weight where PRODUCT is 1.
//            SCALE_W         bits of a shift that lies above each bias and applies to the products of that output; 0 for none.
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
    parameter int unsigned PIXELS = 1,
    parameter int unsigned PRODUCT = 0,
    parameter int unsigned WEIGHT_W = 4,
    parameter int unsigned MAX_SHIFT = 0,
    parameter int unsigned SCALE_W = 0,
    parameter int unsigned ACC_W = 12,
    parameter int unsigned ADDRESS_W = BEATS * GROUPS > 1 ? $clog2(BEATS * GROUPS) : 1,
    parameter int unsigned GROUP_W = GROUPS > 1 ? $clog2(GROUPS) : 1
) (
    input  logic                               clk,
    input  logic                               rst_n,
    input  logic                               in_valid,
    output logic                               in_ready,
    input  logic                               in_last,
    input  logic [N_IN/PIXELS*IN_W-1:0]        in_data,
    output logic                               out_valid,
    input  logic                               out_ready,
    output logic                               out_last,
    output logic [GROUPS*LANES*ACC_W-1:0]      out_data,
    output logic                               enable,
    output logic [ADDRESS_W-1:0]               address,
    input  logic [LANES*INPUTS*WEIGHT_W-1:0]   weights,
    output logic [GROUP_W-1:0]                 group,
    input  logic [LANES*(SCALE_W+ACC_W)-1:0]   biases
);

    localparam int unsigned CYCLES = BEATS * GROUPS;
    // What a beat brings, and how many cycles it takes.
    localparam int unsigned PART_W = N_IN / PIXELS * IN_W;
    localparam int unsigned STEPS = CYCLES / PIXELS;
    localparam int unsigned BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;
    localparam int unsigned SHIFT = 1;
    localparam int unsigned COUNT = 2;
    // Terms are what the tree adds: products, or counts of up to 36 bits.
    localparam int unsigned BITS = INPUTS * IN_W;
    localparam int unsigned CHUNK = BITS < 36 ? BITS : 36;
    localparam int unsigned TERMS = PRODUCT == COUNT ? (BITS + 35) / 36 : INPUTS;
    // No bit more: yosys (0.70) loses the register of a doubled sign bit when it packs the others into a DSP block.
    localparam int unsigned TERM_W = PRODUCT == COUNT ? $clog2(CHUNK + 1) + 1 :
                                     PRODUCT == SHIFT ? IN_W + (IN_SIGNED ? 0 : 1) + MAX_SHIFT : IN_W + WEIGHT_W;
    localparam int unsigned LEVELS = TERMS > 1 ? $clog2(TERMS) : 0;
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
    if (PRODUCT > COUNT || (PRODUCT == COUNT && WEIGHT_W != 2)) begin : g_check_3
        $error("folded_matrix: PRODUCT must be 0 to 2, and WEIGHT_W 2 where bits are counted");
    end
    if (PIXELS < 1 || (PIXELS > 1 && (GROUPS > 1 || BEATS % PIXELS != 0))) begin : g_check_4
        $error("folded_matrix: a vector in several beats needs GROUPS 1, and PIXELS must divide BEATS");
    end

    // The whole engine stops while a result waits.
    assign enable = out_ready | ~out_valid;

    // --- sequence: which weights, which inputs ---------------------------------------------------------------------
    logic busy, vector_last, last_cycle, last_beat, last_step, accept;
    logic [BEAT_W-1:0] beat;
    logic [GROUP_W-1:0] group_0;

    assign last_beat  = beat == BEAT_W'(BEATS - 1);
    assign last_cycle = address == ADDRESS_W'(CYCLES - 1);
    assign in_ready   = enable & (~busy | last_step);
    assign accept     = in_valid & in_ready;

    always_ff @(posedge clk) begin
        if (!rst_n) begin
            busy    <= 1'b0;
            address <= '0;
            beat    <= '0;
            group_0 <= '0;
        end else if (enable) begin
            busy <= accept | (busy & ~last_step);
            if (busy) begin
                address <= last_cycle ? '0 : address + 1'b1;
                beat    <= last_beat ? '0 : beat + 1'b1;
                if (last_beat) group_0 <= last_cycle ? '0 : group_0 + 1'b1;
            end
        end
    end

    // The last cycle of what was accepted.
    if (PIXELS == 1) begin : g_whole
        assign last_step = last_cycle;
    end else if (STEPS == 1) begin : g_at_once
        assign last_step = 1'b1;
    end else begin : g_steps
        logic [$clog2(STEPS)-1:0] step;
        assign last_step = step == ($clog2(STEPS))'(STEPS - 1);
        always_ff @(posedge clk) begin
            if (!rst_n) step <= '0;
            else if (enable & busy) step <= last_step ? '0 : step + 1'b1;
        end
    end

    // The vector rotates by the inputs of a cycle, so that the multipliers always read its low end.
    logic [PART_W-1:0] vector;
    logic [2*PART_W-1:0] rotated;
    assign rotated = {vector, vector} >> (INPUTS * IN_W);
    always_ff @(posedge clk) begin
        if (accept) begin
            vector      <= in_data;
            vector_last <= in_last;
        end else if (enable & busy) begin
            vector <= rotated[PART_W-1:0];
        end
    end
    logic unused_rotated;
    assign unused_rotated = ^rotated[2*PART_W-1:PART_W];

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
    logic [LANES*(SCALE_W+ACC_W)-1:0] biases_2;
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
        logic signed [TERMS*TERM_W-1:0] terms;
        if (PRODUCT == COUNT) begin : g_count
            logic [CHUNK*TERMS-1:0] differing;
            for (genvar i = 0; i < INPUTS; i++) begin : matched
                logic enabled, negative;
                assign {negative, enabled} = weights[(l*INPUTS+i)*2+:2];
                assign differing[i*IN_W+:IN_W] = {IN_W{enabled}} & (operands[i*IN_W+:IN_W] ^ {IN_W{negative}});
            end
            if (BITS < CHUNK * TERMS) begin : g_missing
                assign differing[CHUNK*TERMS-1:BITS] = '0;
            end
            for (genvar i = 0; i < TERMS; i++) begin : term
                logic [TERM_W-2:0] count;
                popcount #(.N(CHUNK)) counter (.bits(differing[CHUNK*i+:CHUNK]), .count(count));
                always_ff @(posedge clk) if (enable) terms[i*TERM_W+:TERM_W] <= {1'b0, count};
            end
        end else begin : g_product
            for (genvar i = 0; i < INPUTS; i++) begin : term
                logic [IN_W-1:0] x;
                logic [WEIGHT_W-1:0] w;
                logic signed [TERM_W-1:0] p;
                assign x = operands[i*IN_W+:IN_W];
                assign w = weights[(l*INPUTS+i)*WEIGHT_W+:WEIGHT_W];
                if (PRODUCT == SHIFT) begin : g_shift
                    pot_product #(.IN_W(IN_W), .IN_SIGNED(IN_SIGNED), .MAX_SHIFT(MAX_SHIFT)) product (
                        .x(x), .weight(w), .y(p)
                    );
                end else begin : g_multiply
                    logic signed [IN_W:0] extended;
                    assign extended = {IN_SIGNED & x[IN_W-1], x};
                    assign p = extended * $signed(w);
                end
                always_ff @(posedge clk) if (enable) terms[i*TERM_W+:TERM_W] <= p;
            end
        end

        for (genvar level = 0; level <= LEVELS; level++) begin : tree
            localparam int unsigned SUM_W = TERM_W + level < ACC_W ? TERM_W + level : ACC_W;
            logic signed [SUM_W-1:0] value [LEAVES >> level];
            for (genvar k = 0; k < (LEAVES >> level); k++) begin : node
                if (level == 0) begin : leaf
                    if (k < TERMS) begin : present
                        assign value[k] = SUM_W'($signed(terms[k*TERM_W+:TERM_W]));
                    end else begin : missing
                        assign value[k] = '0;
                    end
                end else begin : sum
                    logic signed [SUM_W-1:0] a, b;
                    assign a = SUM_W'(tree[level-1].value[2*k]);
                    assign b = SUM_W'(tree[level-1].value[2*k+1]);
                    if (level % 2 == 0) begin : registered
                        always_ff @(posedge clk) if (enable) value[k] <= a + b;
                    end else begin : direct
                        assign value[k] = a + b;
                    end
                end
            end
        end

        // The sum of a beat in units of the result, and what it is added to.
        logic signed [ACC_W-1:0] scaled, start, accumulator;
        if (SCALE_W > 0) begin : g_scale
            assign scaled = ACC_W'(tree[LEVELS].value[0]) << biases_2[l*(SCALE_W+ACC_W)+ACC_W+:SCALE_W];
        end else begin : g_as_it_is
            assign scaled = ACC_W'(tree[LEVELS].value[0]);
        end
        assign start = first_t[TREE] ? biases_2[l*(SCALE_W+ACC_W)+:ACC_W] : accumulator;
        always_ff @(posedge clk) if (enable & valid_t[TREE]) accumulator <= start + scaled;

        for (genvar g = 0; g < GROUPS; g++) begin : result
            always_ff @(posedge clk)
                if (enable & valid_3 & done_3 & (group_3 == GROUP_W'(g)))
                    out_data[(g*LANES+l)*ACC_W+:ACC_W] <= accumulator;
        end
    end

endmodule
