#ifndef NNET_WINDOWS_STREAM_H_
#define NNET_WINDOWS_STREAM_H_

// Convolutions and poolings on streams of pixels: margins, strides and dilations of any size, one result a window.
//
// Every frame is read to its end, and no window reaches into the frame before: the static registers hold nothing that
// is used after the last pixel of a frame.

#include "ap_shift_reg.h"
#include "hls_stream.h"
#include "nnet_common.h"
#include "nnet_conv_stream.h"
#include "nnet_depthwise_product.h"
#include "nnet_pooling.h"

namespace nnet {

struct window_config {
    static const unsigned n_chan = 1;
    // The image, and the image with its margins; a series is an image of one row.
    static const unsigned in_height = 1;
    static const unsigned in_width = 10;
    static const unsigned pad_top = 0;
    static const unsigned pad_left = 0;
    static const unsigned padded_height = 1;
    static const unsigned padded_width = 10;
    // The elements of a window, the steps between windows and those between the elements of a window.
    static const unsigned filt_height = 1;
    static const unsigned filt_width = 1;
    static const unsigned stride_height = 1;
    static const unsigned stride_width = 1;
    static const unsigned dilation_height = 1;
    static const unsigned dilation_width = 1;
};

// What hls4ml's line buffer keeps: everything that a window reaches over.
template <typename WINDOW_T> struct reach_config {
    static const unsigned n_chan = WINDOW_T::n_chan;
    static const unsigned in_width = WINDOW_T::padded_width;
    static const unsigned filt_height = (WINDOW_T::filt_height - 1) * WINDOW_T::dilation_height + 1;
    static const unsigned filt_width = (WINDOW_T::filt_width - 1) * WINDOW_T::dilation_width + 1;
};

// Whether a pixel of the padded image is one of the image. Below zero an unsigned number is large.
template <typename WINDOW_T> bool in_image(unsigned row, unsigned column) {
    #pragma HLS INLINE
    return row - WINDOW_T::pad_top < WINDOW_T::in_height && column - WINDOW_T::pad_left < WINDOW_T::in_width;
}

// Take the next pixel of the padded image; return whether it is the last one of a window, and the elements of that.
template <class data_T, typename WINDOW_T>
bool next_window(hls::stream<data_T> &data, unsigned row, unsigned column,
                 typename data_T::value_type window[WINDOW_T::filt_height * WINDOW_T::filt_width * WINDOW_T::n_chan]) {
    #pragma HLS INLINE

    typedef reach_config<WINDOW_T> reach;
    static ap_shift_reg<typename data_T::value_type, reach::in_width> rows[MAX(reach::filt_height - 1, 1)][reach::n_chan];
    #pragma HLS ARRAY_PARTITION variable=rows complete dim=2
    static typename data_T::value_type reached[reach::filt_height * reach::filt_width * reach::n_chan];
    #pragma HLS ARRAY_PARTITION variable=reached complete

    data_T pixel;
    if (in_image<WINDOW_T>(row, column)) {
        pixel = data.read();
    } else {
    Margin:
        for (unsigned k = 0; k < WINDOW_T::n_chan; k++) {
            #pragma HLS UNROLL
            pixel[k] = 0;
        }
    }
    shift_line_buffer<data_T, reach>(pixel, rows, reached);

PickRow:
    for (unsigned i = 0; i < WINDOW_T::filt_height; i++) {
        #pragma HLS UNROLL
    PickColumn:
        for (unsigned j = 0; j < WINDOW_T::filt_width; j++) {
            #pragma HLS UNROLL
            const unsigned from = i * WINDOW_T::dilation_height * reach::filt_width + j * WINDOW_T::dilation_width;
        PickChannel:
            for (unsigned k = 0; k < WINDOW_T::n_chan; k++) {
                #pragma HLS UNROLL
                window[(i * WINDOW_T::filt_width + j) * WINDOW_T::n_chan + k] = reached[from * WINDOW_T::n_chan + k];
            }
        }
    }
    const unsigned first_row = reach::filt_height - 1, first_column = reach::filt_width - 1;
    return row >= first_row && column >= first_column && (row - first_row) % WINDOW_T::stride_height == 0 &&
           (column - first_column) % WINDOW_T::stride_width == 0;
}

// *************************************************
//       Convolution
// *************************************************

template <class data_T, class res_T, typename CONFIG_T, typename WINDOW_T>
void conv_pixel(hls::stream<data_T> &data, hls::stream<res_T> &res, unsigned row, unsigned column,
                typename CONFIG_T::weight_t *weights, typename CONFIG_T::bias_t *biases) {
    #pragma HLS INLINE

    typename data_T::value_type window[WINDOW_T::filt_height * WINDOW_T::filt_width * WINDOW_T::n_chan];
    #pragma HLS ARRAY_PARTITION variable=window complete
    typename res_T::value_type sums[res_T::size];
    #pragma HLS ARRAY_PARTITION variable=sums complete

    if (next_window<data_T, WINDOW_T>(data, row, column, window)) {
        typedef typename CONFIG_T::mult_config mult;
        mult::template kernel<typename data_T::value_type, typename res_T::value_type, mult>::dense(window, sums, weights,
                                                                                                    biases);
        res_T pixel;
    Filter:
        for (unsigned k = 0; k < res_T::size; k++) {
            #pragma HLS UNROLL
            pixel[k] = sums[k];
        }
        res.write(pixel);
    }
}

// A matrix that reuses its multipliers has a pipeline of its own.
template <class data_T, class res_T, typename CONFIG_T, typename WINDOW_T>
void conv_windows(hls::stream<data_T> &data, hls::stream<res_T> &res, typename CONFIG_T::weight_t *weights,
                  typename CONFIG_T::bias_t *biases) {
    if (CONFIG_T::strategy == nnet::latency) {
    Row:
        for (unsigned row = 0; row < WINDOW_T::padded_height; row++) {
        Column:
            for (unsigned column = 0; column < WINDOW_T::padded_width; column++) {
                #pragma HLS LOOP_FLATTEN
                #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
                conv_pixel<data_T, res_T, CONFIG_T, WINDOW_T>(data, res, row, column, weights, biases);
            }
        }
    } else {
    RowSerial:
        for (unsigned row = 0; row < WINDOW_T::padded_height; row++) {
        ColumnSerial:
            for (unsigned column = 0; column < WINDOW_T::padded_width; column++) {
                #pragma HLS LOOP_FLATTEN
                conv_pixel<data_T, res_T, CONFIG_T, WINDOW_T>(data, res, row, column, weights, biases);
            }
        }
    }
}

// *************************************************
//       Pooling
// *************************************************

// Add an element to what has been reduced of a window.
template <typename CONFIG_T>
typename CONFIG_T::accum_t pooled(typename CONFIG_T::accum_t reduced, typename CONFIG_T::accum_t element, bool first) {
    #pragma HLS INLINE
    if (CONFIG_T::pool_op == Max)
        return first || element > reduced ? element : reduced;
    return reduced + element;
}

// An average is cut towards zero at the last bit of the accumulator.
template <typename CONFIG_T> typename CONFIG_T::accum_t pool_end(typename CONFIG_T::accum_t reduced, unsigned elements) {
    #pragma HLS INLINE
    if (CONFIG_T::pool_op == Average)
        reduced /= elements;
    return reduced;
}

template <class data_T, class res_T, typename CONFIG_T, typename WINDOW_T>
void pool_windows(hls::stream<data_T> &data, hls::stream<res_T> &res) {
Row:
    for (unsigned row = 0; row < WINDOW_T::padded_height; row++) {
    Column:
        for (unsigned column = 0; column < WINDOW_T::padded_width; column++) {
            #pragma HLS LOOP_FLATTEN
            #pragma HLS PIPELINE

            typename data_T::value_type window[WINDOW_T::filt_height * WINDOW_T::filt_width * WINDOW_T::n_chan];
            #pragma HLS ARRAY_PARTITION variable=window complete
            const bool complete = next_window<data_T, WINDOW_T>(data, row, column, window);
            const unsigned top = row - (WINDOW_T::filt_height - 1), left = column - (WINDOW_T::filt_width - 1);

            res_T pixel;
        Channel:
            for (unsigned k = 0; k < WINDOW_T::n_chan; k++) {
                #pragma HLS UNROLL
                typename CONFIG_T::accum_t reduced = 0;
                unsigned elements = 0;
            Element:
                for (unsigned n = 0; n < WINDOW_T::filt_height * WINDOW_T::filt_width; n++) {
                    #pragma HLS UNROLL
                    if (in_image<WINDOW_T>(top + n / WINDOW_T::filt_width, left + n % WINDOW_T::filt_width)) {
                        reduced = pooled<CONFIG_T>(reduced, window[n * WINDOW_T::n_chan + k], elements == 0);
                        elements++;
                    }
                }
                if (complete)
                    pixel[k] = pool_end<CONFIG_T>(reduced, elements);
            }
            if (complete)
                res.write(pixel);
        }
    }
}

template <class data_T, class res_T, typename CONFIG_T, unsigned positions>
void pool_frame(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    typename CONFIG_T::accum_t reduced[res_T::size];
    #pragma HLS ARRAY_PARTITION variable=reduced complete

Init:
    for (unsigned k = 0; k < res_T::size; k++) {
        #pragma HLS UNROLL
        reduced[k] = 0;
    }
Position:
    for (unsigned n = 0; n < positions; n++) {
        #pragma HLS PIPELINE
        data_T pixel = data.read();
    Channel:
        for (unsigned k = 0; k < res_T::size; k++) {
            #pragma HLS UNROLL
            reduced[k] = pooled<CONFIG_T>(reduced[k], pixel[k], n == 0);
        }
    }
    res_T pixel;
Result:
    for (unsigned k = 0; k < res_T::size; k++) {
        #pragma HLS UNROLL
        pixel[k] = pool_end<CONFIG_T>(reduced[k], positions);
    }
    res.write(pixel);
}

} // namespace nnet

#endif
