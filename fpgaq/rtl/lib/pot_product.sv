// pot_product: a power of two, zero or a sign times x, with gates and multiplexers instead of a multiplier.
//
// Function   y = weight * x, less 1 where the weight is negative: the negative is the one's complement, which needs no
//            carries. Weights are constants of a layer, so the ones that lack are too; who sums the products adds them.
// Latency    0 (combinational).       II  1.
// Parameters IN_W, IN_SIGNED  bits of x and its signedness.
//            MAX_SHIFT        exponent of the largest weight; 0 for weights of -1, 0 and 1.
//            SHIFT_W, Y_W     derived, do not set.
// Ports      weight           from the low bits: exponent (SHIFT_W bits), enable (0 is a weight of zero), negative. Zero is
//                             not negative.
// Cost       Xilinx: a LUT a bit of y where MAX_SHIFT is 0, two to three where it is up to 6.
module pot_product #(
    parameter int unsigned IN_W = 4,
    parameter bit IN_SIGNED = 1'b0,
    parameter int unsigned MAX_SHIFT = 6,
    parameter int unsigned SHIFT_W = MAX_SHIFT > 0 ? $clog2(MAX_SHIFT + 1) : 0,
    parameter int unsigned Y_W = IN_W + (IN_SIGNED ? 0 : 1) + MAX_SHIFT
) (
    input  logic [IN_W-1:0]       x,
    input  logic [SHIFT_W+1:0]    weight,
    output logic signed [Y_W-1:0] y
);

    if (IN_W < 1) begin : g_check_0
        $error("pot_product: IN_W must be at least 1");
    end
    if (SHIFT_W != (MAX_SHIFT > 0 ? $clog2(MAX_SHIFT + 1) : 0) || Y_W != IN_W + (IN_SIGNED ? 0 : 1) + MAX_SHIFT)
    begin : g_check_1
        $error("pot_product: SHIFT_W and Y_W are derived, do not set them");
    end

    localparam int unsigned X_W = IN_W + (IN_SIGNED ? 0 : 1);
    logic signed [X_W-1:0] extended;
    if (IN_SIGNED) begin : g_signed
        assign extended = x;
    end else begin : g_unsigned
        assign extended = {1'b0, x};
    end
    logic [Y_W-1:0] shifted;
    if (MAX_SHIFT == 0) begin : g_sign
        assign shifted = extended;
    end else begin : g_shift
        assign shifted = Y_W'(extended) << weight[SHIFT_W-1:0];
    end
    assign y = (shifted & {Y_W{weight[SHIFT_W]}}) ^ {Y_W{weight[SHIFT_W+1]}};

endmodule
