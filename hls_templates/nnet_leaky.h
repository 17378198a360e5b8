#ifndef NNET_LEAKY_H_
#define NNET_LEAKY_H_

// Rectifier with a slope for negative values: res[i] = data[i] * slopes[channel] where data[i] is negative, else data[i].
// The product has all its bits; only the cast to the type of the result may lose some.

#include "hls_stream.h"
#include "nnet_common.h"

namespace nnet {

struct leaky_config {
    static const unsigned n_in = 10;
    static const unsigned n_chan = 10;
    typedef float slope_t;
};

template <class data_T, class res_T, typename CONFIG_T>
res_T leaked(data_T element, typename CONFIG_T::slope_t slope) {
    #pragma HLS INLINE
    if (element < 0)
        return (res_T)(element * slope);
    return (res_T)element;
}

template <class data_T, class res_T, typename CONFIG_T>
void leaky(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_in], typename CONFIG_T::slope_t slopes[CONFIG_T::n_chan]) {
    #pragma HLS PIPELINE
    #pragma HLS ARRAY_PARTITION variable=slopes complete

Element:
    for (unsigned i = 0; i < CONFIG_T::n_in; i++) {
        #pragma HLS UNROLL
        res[i] = leaked<data_T, res_T, CONFIG_T>(data[i], slopes[i % CONFIG_T::n_chan]);
    }
}

// All channels of a pixel are in one beat.
template <class data_T, class res_T, typename CONFIG_T>
void leaky(hls::stream<data_T> &data, hls::stream<res_T> &res, typename CONFIG_T::slope_t slopes[CONFIG_T::n_chan]) {
    #pragma HLS ARRAY_PARTITION variable=slopes complete

Pixel:
    for (unsigned n = 0; n < CONFIG_T::n_in / res_T::size; n++) {
        #pragma HLS PIPELINE
        data_T in = data.read();
        res_T out;
    Channel:
        for (unsigned k = 0; k < res_T::size; k++) {
            #pragma HLS UNROLL
            out[k] = leaked<typename data_T::value_type, typename res_T::value_type, CONFIG_T>(
                in[k], slopes[k % CONFIG_T::n_chan]);
        }
        res.write(out);
    }
}

} // namespace nnet

#endif
