#ifndef NNET_GATED_CONVOLUTION_H_
#define NNET_GATED_CONVOLUTION_H_

// Convolution with precision gating: the gated matrix on every window, whose margin is zero.

#include "nnet_gated_dense.h"
#include "nnet_windows_stream.h"

namespace nnet {

template <class data_T, class res_T, typename CONFIG_T, typename WINDOW_T>
void gated_convolution(data_T *data, res_T *res, typename CONFIG_T::weight_t *weights,
                       typename CONFIG_T::threshold_t *thresholds) {
    const unsigned reach_height = (WINDOW_T::filt_height - 1) * WINDOW_T::dilation_height + 1;
    const unsigned reach_width = (WINDOW_T::filt_width - 1) * WINDOW_T::dilation_width + 1;
    unsigned first = 0;

Row:
    for (unsigned top = 0; top + reach_height <= WINDOW_T::padded_height; top += WINDOW_T::stride_height) {
    Column:
        for (unsigned left = 0; left + reach_width <= WINDOW_T::padded_width; left += WINDOW_T::stride_width) {
            #pragma HLS PIPELINE
            data_T window[CONFIG_T::n_in];
            #pragma HLS ARRAY_PARTITION variable=window complete
        Element:
            for (unsigned n = 0; n < WINDOW_T::filt_height * WINDOW_T::filt_width; n++) {
                #pragma HLS UNROLL
                const unsigned row = top + n / WINDOW_T::filt_width * WINDOW_T::dilation_height;
                const unsigned column = left + n % WINDOW_T::filt_width * WINDOW_T::dilation_width;
            Channel:
                for (unsigned k = 0; k < WINDOW_T::n_chan; k++) {
                    #pragma HLS UNROLL
                    data_T value = 0;
                    if (in_image<WINDOW_T>(row, column))
                        value = data[((row - WINDOW_T::pad_top) * WINDOW_T::in_width + column - WINDOW_T::pad_left) *
                                         WINDOW_T::n_chan +
                                     k];
                    window[n * WINDOW_T::n_chan + k] = value;
                }
            }
            gated_dense<data_T, res_T, CONFIG_T>(window, res + first, weights, thresholds);
            first += CONFIG_T::n_out;
        }
    }
}

template <class data_T, class res_T, typename CONFIG_T, typename WINDOW_T>
void gated_convolution(hls::stream<data_T> &data, hls::stream<res_T> &res, typename CONFIG_T::weight_t *weights,
                       typename CONFIG_T::threshold_t *thresholds) {
Row:
    for (unsigned row = 0; row < WINDOW_T::padded_height; row++) {
    Column:
        for (unsigned column = 0; column < WINDOW_T::padded_width; column++) {
            #pragma HLS LOOP_FLATTEN
            #pragma HLS PIPELINE
            typename data_T::value_type window[CONFIG_T::n_in];
            #pragma HLS ARRAY_PARTITION variable=window complete
            if (next_window<data_T, WINDOW_T>(data, row, column, window)) {
                typename res_T::value_type sums[CONFIG_T::n_out];
                #pragma HLS ARRAY_PARTITION variable=sums complete
                gated_dense<typename data_T::value_type, typename res_T::value_type, CONFIG_T>(window, sums, weights,
                                                                                               thresholds);
                res_write<res_T, CONFIG_T>(sums, res);
            }
        }
    }
}

} // namespace nnet

#endif
