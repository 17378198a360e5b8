#ifndef NNET_LEAKY_H_
#define NNET_LEAKY_H_

// Rectifier with a slope for negative values: res[i] = data[i] * slopes[channel] where data[i] is negative, else data[i].
// The product has all its bits; only the cast to the type of the result may lose some.

#include "nnet_common.h"

namespace nnet {

struct leaky_config {
    static const unsigned n_in = 10;
    static const unsigned n_chan = 10;
    typedef float slope_t;
};

template <class data_T, class res_T, typename CONFIG_T>
void leaky(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_in], typename CONFIG_T::slope_t slopes[CONFIG_T::n_chan]) {
    #pragma HLS PIPELINE
    #pragma HLS ARRAY_PARTITION variable=slopes complete

Element:
    for (unsigned i = 0; i < CONFIG_T::n_in; i++) {
        #pragma HLS UNROLL
        if (data[i] < 0)
            res[i] = (res_T)(data[i] * slopes[i % CONFIG_T::n_chan]);
        else
            res[i] = (res_T)data[i];
    }
}

} // namespace nnet

#endif
