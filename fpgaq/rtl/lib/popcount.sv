// popcount: the number of ones among N bits.
//
// Function   Two rows of compressors of six bits to three count 36 bits: the first row makes planes of bits that weigh 1, 2
//            and 4, the second one counts each plane, and add3 adds the three counts. Beyond 36 bits such counts are
//            added up.
// Latency    0 (combinational).       II  1.
// Parameters N        bits to count, at least 1.
//            COUNT_W  derived, do not set.
// Cost       Xilinx, yosys: 3 LUTs for 6 bits, 19 for 18, 37 for 36. A tree of adders, one carry chain each, takes 9, 35 and
//            76. A loop that adds one bit after the other takes 36 for 36, but as a chain of 36 carries.
module popcount #(
    parameter int unsigned N = 36,
    parameter int unsigned COUNT_W = $clog2(N + 1)
) (
    input  logic [N-1:0]       bits,
    output logic [COUNT_W-1:0] count
);

    localparam int unsigned BLOCKS = (N + 35) / 36;
    // The three bits of a count of six as tables of 64: each is one LUT6.
    localparam logic [63:0] WEIGHT_1 = 64'h6996966996696996;
    localparam logic [63:0] WEIGHT_2 = 64'h8117177e177e7ee8;
    localparam logic [63:0] WEIGHT_4 = 64'hfee8e880e8808000;

    if (N < 1) begin : g_check_0
        $error("popcount: N must be at least 1");
    end
    if (COUNT_W != $clog2(N + 1)) begin : g_check_1
        $error("popcount: COUNT_W is derived, do not set it");
    end

    if (N <= 6) begin : g_six
        logic [5:0] six;
        assign six   = 6'(bits);
        assign count = COUNT_W'({WEIGHT_4[six], WEIGHT_2[six], WEIGHT_1[six]});
    end else begin : g_blocks
        logic [36*BLOCKS-1:0] padded;
        logic [COUNT_W-1:0] counted [BLOCKS+1];
        assign padded = (36 * BLOCKS)'(bits);
        assign counted[0] = '0;
        for (genvar b = 0; b < BLOCKS; b++) begin : block
            logic [5:0] plane_1, plane_2, plane_4;
            for (genvar g = 0; g < 6; g++) begin : compressor
                logic [5:0] six;
                assign six = padded[36*b+6*g+:6];
                assign {plane_4[g], plane_2[g], plane_1[g]} = {WEIGHT_4[six], WEIGHT_2[six], WEIGHT_1[six]};
            end
            logic [2:0] ones, twos, fours;
            logic [5:0] total;
            assign ones  = {WEIGHT_4[plane_1], WEIGHT_2[plane_1], WEIGHT_1[plane_1]};
            assign twos  = {WEIGHT_4[plane_2], WEIGHT_2[plane_2], WEIGHT_1[plane_2]};
            assign fours = {WEIGHT_4[plane_4], WEIGHT_2[plane_4], WEIGHT_1[plane_4]};
            assign total[0] = ones[0];
            add3 #(.W(5)) sum (.a({3'd0, ones[2:1]}), .b({2'd0, twos}), .c({1'b0, fours, 1'b0}), .y(total[5:1]));
            assign counted[b+1] = counted[b] + COUNT_W'(total);
            logic unused_total;  // its high bits, where N has fewer than 6
            assign unused_total = ^total;
        end
        assign count = counted[BLOCKS];
    end

endmodule
