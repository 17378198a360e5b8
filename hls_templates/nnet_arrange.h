#ifndef NNET_ARRANGE_H_
#define NNET_ARRANGE_H_

// Cropping, repeating and permuting axes: element (i, j, k) of the result is one of the data, which steps, repetitions
// and an offset say.

#include "hls_stream.h"
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
    // Streams only: pixels of a frame that comes, and of a crop the first one that is kept.
    static const unsigned in_height = 1;
    static const unsigned in_width = 10;
    static const unsigned top = 0;
    static const unsigned left = 0;
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

// *************************************************
//       Streams
// *************************************************

// Pixels at the edges are read and dropped.
template <class data_T, class res_T, typename CONFIG_T> void crop(hls::stream<data_T> &data, hls::stream<res_T> &res) {
Row:
    for (unsigned i = 0; i < CONFIG_T::in_height; i++) {
    Column:
        for (unsigned j = 0; j < CONFIG_T::in_width; j++) {
            #pragma HLS LOOP_FLATTEN
            #pragma HLS PIPELINE
            // Below zero an unsigned number is large: one comparison tests both ends.
            const unsigned row = i - CONFIG_T::top, column = j - CONFIG_T::left;
            const data_T in = data.read();
            res_T out;
        Channel:
            for (unsigned k = 0; k < res_T::size; k++) {
                #pragma HLS UNROLL
                out[k] = in[k];
            }
            if (row < CONFIG_T::size_0 && column < CONFIG_T::size_1)
                res.write(out);
        }
    }
}

// A row is kept as long as it is given again.
template <class data_T, class res_T, typename CONFIG_T> void repeat(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    res_T line[CONFIG_T::in_width];

Row:
    for (unsigned i = 0; i < CONFIG_T::size_0; i++) {
    Column:
        for (unsigned j = 0; j < CONFIG_T::size_1; j++) {
            #pragma HLS LOOP_FLATTEN
            #pragma HLS PIPELINE
            const unsigned column = j / CONFIG_T::repeat_1;
            if (i % CONFIG_T::repeat_0 == 0 && j % CONFIG_T::repeat_1 == 0) {
                const data_T in = data.read();
            Channel:
                for (unsigned k = 0; k < res_T::size; k++) {
                    #pragma HLS UNROLL
                    line[column][k] = in[k];
                }
            }
            res.write(line[column]);
        }
    }
}

// Another order of pixels needs the whole frame, which is kept here: the first pixel that leaves may need the last one.
template <class data_T, class res_T, typename CONFIG_T> void permute(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    typename data_T::value_type frame[CONFIG_T::n_in];

Collect:
    for (unsigned n = 0; n < CONFIG_T::n_in / data_T::size; n++) {
        #pragma HLS PIPELINE
        const data_T in = data.read();
        for (unsigned k = 0; k < data_T::size; k++) {
            #pragma HLS UNROLL
            frame[n * data_T::size + k] = in[k];
        }
    }

Row:
    for (unsigned i = 0; i < CONFIG_T::size_0; i++) {
    Column:
        for (unsigned j = 0; j < CONFIG_T::size_1; j++) {
            #pragma HLS LOOP_FLATTEN
            #pragma HLS PIPELINE
            res_T out;
        Channel:
            for (unsigned k = 0; k < res_T::size; k++) {
                #pragma HLS UNROLL
                out[k] = frame[i * CONFIG_T::step_0 + j * CONFIG_T::step_1 + k * CONFIG_T::step_2];
            }
            res.write(out);
        }
    }
}

} // namespace nnet

#endif
