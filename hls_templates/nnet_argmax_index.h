#ifndef NNET_ARGMAX_INDEX_H_
#define NNET_ARGMAX_INDEX_H_

// Index of the largest element; of equal elements the first one wins.

#include "hls_stream.h"
#include "nnet_common.h"

namespace nnet {

struct argmax_index_config {
    static const unsigned n_in = 10;
};

template <class data_T, class res_T, typename CONFIG_T>
void argmax_index(data_T data[CONFIG_T::n_in], res_T res[1]) {
    #pragma HLS PIPELINE

    data_T best = data[0];
    unsigned index = 0;
Element:
    for (unsigned i = 1; i < CONFIG_T::n_in; i++) {
        #pragma HLS UNROLL
        if (data[i] > best) {
            best = data[i];
            index = i;
        }
    }
    res[0] = (res_T)index;
}

template <class data_T, class res_T, typename CONFIG_T>
void argmax_index(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    #pragma HLS PIPELINE

    data_T in = data.read();
    res_T out;
    argmax_index<typename data_T::value_type, typename res_T::value_type, CONFIG_T>(in.data, out.data);
    res.write(out);
}

} // namespace nnet

#endif
