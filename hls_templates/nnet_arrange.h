#ifndef NNET_ARRANGE_H_
#define NNET_ARRANGE_H_

// Cropping, repeating and permuting axes: element (i, j, k) of the result is one of the data, which steps, repetitions
// and an offset say.

#include "nnet_common.h"

namespace nnet {

struct arrange_config {
    static const unsigned n_in = 10;
    static const unsigned offset = 0;
    static const unsigned size_0 = 1;
    static const unsigned size_1 = 1;
    static const unsigned size_2 = 10;
    static const unsigned repeat_0 = 1;
    static const unsigned repeat_1 = 1;
    static const unsigned repeat_2 = 1;
    static const unsigned step_0 = 1;
    static const unsigned step_1 = 1;
    static const unsigned step_2 = 1;
};

template <class data_T, class res_T, typename CONFIG_T>
void arrange(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::size_0 * CONFIG_T::size_1 * CONFIG_T::size_2]) {
    #pragma HLS PIPELINE

First:
    for (unsigned i = 0; i < CONFIG_T::size_0; i++) {
        #pragma HLS UNROLL
    Second:
        for (unsigned j = 0; j < CONFIG_T::size_1; j++) {
            #pragma HLS UNROLL
        Third:
            for (unsigned k = 0; k < CONFIG_T::size_2; k++) {
                #pragma HLS UNROLL
                const unsigned from = CONFIG_T::offset + i / CONFIG_T::repeat_0 * CONFIG_T::step_0 +
                                      j / CONFIG_T::repeat_1 * CONFIG_T::step_1 +
                                      k / CONFIG_T::repeat_2 * CONFIG_T::step_2;
                res[(i * CONFIG_T::size_1 + j) * CONFIG_T::size_2 + k] = (res_T)data[from];
            }
        }
    }
}

} // namespace nnet

#endif
