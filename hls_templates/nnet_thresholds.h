#ifndef NNET_THRESHOLDS_H_
#define NNET_THRESHOLDS_H_

// Staircase activation: res[i] = levels[number of thresholds t with data[i] >= t].
// The thresholds ascend and lie on the grid of the data, so that the comparison is exact.

#include "hls_stream.h"
#include "nnet_common.h"

namespace nnet {

struct thresholds_config {
    static const unsigned n_in = 10;
    static const unsigned n_thresholds = 1;
    typedef float threshold_t;
    typedef float level_t;
};

template <class data_T, typename CONFIG_T>
typename CONFIG_T::level_t level_of(data_T element, typename CONFIG_T::threshold_t table[CONFIG_T::n_thresholds],
                                    typename CONFIG_T::level_t levels[CONFIG_T::n_thresholds + 1]) {
    #pragma HLS INLINE
    unsigned passed = 0;
Threshold:
    for (unsigned t = 0; t < CONFIG_T::n_thresholds; t++) {
        #pragma HLS UNROLL
        if (element >= table[t])
            passed++;
    }
    return levels[passed];
}

template <class data_T, class res_T, typename CONFIG_T>
void thresholds(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_in],
                typename CONFIG_T::threshold_t table[CONFIG_T::n_thresholds],
                typename CONFIG_T::level_t levels[CONFIG_T::n_thresholds + 1]) {
    #pragma HLS PIPELINE
    #pragma HLS ARRAY_PARTITION variable=table complete
    #pragma HLS ARRAY_PARTITION variable=levels complete

Element:
    for (unsigned i = 0; i < CONFIG_T::n_in; i++) {
        #pragma HLS UNROLL
        res[i] = (res_T)level_of<data_T, CONFIG_T>(data[i], table, levels);
    }
}

template <class data_T, class res_T, typename CONFIG_T>
void thresholds(hls::stream<data_T> &data, hls::stream<res_T> &res,
                typename CONFIG_T::threshold_t table[CONFIG_T::n_thresholds],
                typename CONFIG_T::level_t levels[CONFIG_T::n_thresholds + 1]) {
    #pragma HLS ARRAY_PARTITION variable=table complete
    #pragma HLS ARRAY_PARTITION variable=levels complete

Pixel:
    for (unsigned n = 0; n < CONFIG_T::n_in / res_T::size; n++) {
        #pragma HLS PIPELINE
        data_T in = data.read();
        res_T out;
    Channel:
        for (unsigned k = 0; k < res_T::size; k++) {
            #pragma HLS UNROLL
            out[k] = level_of<typename data_T::value_type, CONFIG_T>(in[k], table, levels);
        }
        res.write(out);
    }
}

} // namespace nnet

#endif
