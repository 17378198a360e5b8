#ifndef NNET_GATED_DENSE_H_
#define NNET_GATED_DENSE_H_

// Dense layer with precision gating: res = high + (high > threshold ? low : 0), where `high` is the product of the
// weights with the high bits of the data, and `low` that with their low bits. The data are unsigned.
//
// Every type is exact: high_t holds the sums of the high bits only, so that its last bit weighs 2^low_bits of low_t's.

#include "hls_stream.h"
#include "nnet_common.h"
#include "nnet_dense.h"
#include "nnet_dense_stream.h"

namespace nnet {

struct gated_dense_config {
    static const unsigned n_in = 10;
    static const unsigned n_out = 10;
    static const unsigned low_bits = 2;
    static const unsigned reuse_factor = 1;
    typedef float weight_t;
    typedef float threshold_t;
    typedef float high_t;
    typedef float low_t;
};

template <class data_T, class res_T, typename CONFIG_T>
void gated_dense(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_out],
                 typename CONFIG_T::weight_t weights[CONFIG_T::n_in * CONFIG_T::n_out],
                 typename CONFIG_T::threshold_t thresholds[CONFIG_T::n_out]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
    #pragma HLS ARRAY_PARTITION variable=weights complete
    #pragma HLS ARRAY_PARTITION variable=thresholds complete

    data_T high_bits[CONFIG_T::n_in];
    data_T low_bits[CONFIG_T::n_in];
    #pragma HLS ARRAY_PARTITION variable=high_bits complete
    #pragma HLS ARRAY_PARTITION variable=low_bits complete

Split:
    for (unsigned i = 0; i < CONFIG_T::n_in; i++) {
        #pragma HLS UNROLL
        high_bits[i] = data[i];
        high_bits[i].range(CONFIG_T::low_bits - 1, 0) = 0;
        low_bits[i] = data[i] - high_bits[i];
    }

Output:
    for (unsigned j = 0; j < CONFIG_T::n_out; j++) {
        #pragma HLS UNROLL
        typename CONFIG_T::high_t high = 0;
    Predict:
        for (unsigned i = 0; i < CONFIG_T::n_in; i++) {
            #pragma HLS UNROLL
            high += weights[i * CONFIG_T::n_out + j] * high_bits[i];
        }
        typename CONFIG_T::low_t low = 0;
        if (high > thresholds[j]) {
        Update:
            for (unsigned i = 0; i < CONFIG_T::n_in; i++) {
                #pragma HLS UNROLL
                low += weights[i * CONFIG_T::n_out + j] * low_bits[i];
            }
        }
        res[j] = high + low;
    }
}

template <class data_T, class res_T, typename CONFIG_T>
void gated_dense(hls::stream<data_T> &data, hls::stream<res_T> &res,
                 typename CONFIG_T::weight_t weights[CONFIG_T::n_in * CONFIG_T::n_out],
                 typename CONFIG_T::threshold_t thresholds[CONFIG_T::n_out]) {
    #pragma HLS INLINE recursive

    typename data_T::value_type in[CONFIG_T::n_in];
    #pragma HLS ARRAY_PARTITION variable=in complete
    typename res_T::value_type out[CONFIG_T::n_out];
    #pragma HLS ARRAY_PARTITION variable=out complete

    data_prepare<data_T, CONFIG_T>(data, in);
    gated_dense<typename data_T::value_type, typename res_T::value_type, CONFIG_T>(in, out, weights, thresholds);
    res_write<res_T, CONFIG_T>(out, res);
}

} // namespace nnet

#endif
