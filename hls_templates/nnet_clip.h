#ifndef NNET_CLIP_H_
#define NNET_CLIP_H_

// Clipping: res[i] = data[i] between limits[0] and limits[1], which may lie on a finer grid than the data.

#include "nnet_common.h"

namespace nnet {

struct clip_config {
    static const unsigned n_in = 10;
    typedef float limit_t;
};

template <class data_T, class res_T, typename CONFIG_T>
void clip(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_in], typename CONFIG_T::limit_t limits[2]) {
    #pragma HLS PIPELINE
    #pragma HLS ARRAY_PARTITION variable=limits complete

Element:
    for (unsigned i = 0; i < CONFIG_T::n_in; i++) {
        #pragma HLS UNROLL
        if (data[i] < limits[0])
            res[i] = (res_T)limits[0];
        else if (data[i] > limits[1])
            res[i] = (res_T)limits[1];
        else
            res[i] = (res_T)data[i];
    }
}

} // namespace nnet

#endif
