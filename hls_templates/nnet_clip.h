#ifndef NNET_CLIP_H_
#define NNET_CLIP_H_

// Clipping: res[i] = data[i] between limits[0] and limits[1], which may lie on a finer grid than the data.

#include "hls_stream.h"
#include "nnet_common.h"

namespace nnet {

struct clip_config {
    static const unsigned n_in = 10;
    typedef float limit_t;
};

template <class data_T, class res_T, typename CONFIG_T>
res_T clipped(data_T element, typename CONFIG_T::limit_t limits[2]) {
    #pragma HLS INLINE
    if (element < limits[0])
        return (res_T)limits[0];
    if (element > limits[1])
        return (res_T)limits[1];
    return (res_T)element;
}

template <class data_T, class res_T, typename CONFIG_T>
void clip(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_in], typename CONFIG_T::limit_t limits[2]) {
    #pragma HLS PIPELINE
    #pragma HLS ARRAY_PARTITION variable=limits complete

Element:
    for (unsigned i = 0; i < CONFIG_T::n_in; i++) {
        #pragma HLS UNROLL
        res[i] = clipped<data_T, res_T, CONFIG_T>(data[i], limits);
    }
}

template <class data_T, class res_T, typename CONFIG_T>
void clip(hls::stream<data_T> &data, hls::stream<res_T> &res, typename CONFIG_T::limit_t limits[2]) {
    #pragma HLS ARRAY_PARTITION variable=limits complete

Pixel:
    for (unsigned n = 0; n < CONFIG_T::n_in / res_T::size; n++) {
        #pragma HLS PIPELINE
        data_T in = data.read();
        res_T out;
    Channel:
        for (unsigned k = 0; k < res_T::size; k++) {
            #pragma HLS UNROLL
            out[k] = clipped<typename data_T::value_type, typename res_T::value_type, CONFIG_T>(in[k], limits);
        }
        res.write(out);
    }
}

} // namespace nnet

#endif
