#ifndef NNET_THRESHOLDS_H_
#define NNET_THRESHOLDS_H_

// Staircase activation: res[i] = levels[number of thresholds t with data[i] >= t].
// The thresholds ascend and lie on the grid of the data, so that the comparison is exact.

#include "nnet_common.h"

namespace nnet {

struct thresholds_config {
    static const unsigned n_in = 10;
    static const unsigned n_thresholds = 1;
    typedef float threshold_t;
    typedef float level_t;
};

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
        unsigned passed = 0;
    Threshold:
        for (unsigned t = 0; t < CONFIG_T::n_thresholds; t++) {
            #pragma HLS UNROLL
            if (data[i] >= table[t])
                passed++;
        }
        res[i] = (res_T)levels[passed];
    }
}

} // namespace nnet

#endif
