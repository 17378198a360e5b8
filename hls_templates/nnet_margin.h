#ifndef NNET_MARGIN_H_
#define NNET_MARGIN_H_

// A margin of one value around an image; a series is an image of one row.

#include "hls_stream.h"
#include "nnet_common.h"

namespace nnet {

struct margin_config {
    static const unsigned in_height = 1;
    static const unsigned in_width = 10;
    static const unsigned out_height = 1;
    static const unsigned out_width = 10;
    static const unsigned n_chan = 1;
    static const unsigned pad_top = 0;
    static const unsigned pad_left = 0;
    typedef float value_t;
};

template <class data_T, class res_T, typename CONFIG_T>
void margin(data_T data[CONFIG_T::in_height * CONFIG_T::in_width * CONFIG_T::n_chan],
            res_T res[CONFIG_T::out_height * CONFIG_T::out_width * CONFIG_T::n_chan],
            typename CONFIG_T::value_t value[1]) {
    #pragma HLS PIPELINE

Row:
    for (unsigned i = 0; i < CONFIG_T::out_height; i++) {
        #pragma HLS UNROLL
    Column:
        for (unsigned j = 0; j < CONFIG_T::out_width; j++) {
            #pragma HLS UNROLL
            // Below zero an unsigned number is large: one comparison tests both ends.
            const unsigned row = i - CONFIG_T::pad_top, column = j - CONFIG_T::pad_left;
            const bool inside = row < CONFIG_T::in_height && column < CONFIG_T::in_width;
        Channel:
            for (unsigned k = 0; k < CONFIG_T::n_chan; k++) {
                #pragma HLS UNROLL
                const unsigned to = (i * CONFIG_T::out_width + j) * CONFIG_T::n_chan + k;
                if (inside)
                    res[to] = (res_T)data[(row * CONFIG_T::in_width + column) * CONFIG_T::n_chan + k];
                else
                    res[to] = (res_T)value[0];
            }
        }
    }
}

template <class data_T, class res_T, typename CONFIG_T>
void margin(hls::stream<data_T> &data, hls::stream<res_T> &res, typename CONFIG_T::value_t value[1]) {
Row:
    for (unsigned i = 0; i < CONFIG_T::out_height; i++) {
    Column:
        for (unsigned j = 0; j < CONFIG_T::out_width; j++) {
            #pragma HLS LOOP_FLATTEN
            #pragma HLS PIPELINE
            const unsigned row = i - CONFIG_T::pad_top, column = j - CONFIG_T::pad_left;
            const bool inside = row < CONFIG_T::in_height && column < CONFIG_T::in_width;
            data_T in;
            if (inside)
                in = data.read();
            res_T out;
        Channel:
            for (unsigned k = 0; k < CONFIG_T::n_chan; k++) {
                #pragma HLS UNROLL
                if (inside)
                    out[k] = in[k];
                else
                    out[k] = value[0];
            }
            res.write(out);
        }
    }
}

} // namespace nnet

#endif
