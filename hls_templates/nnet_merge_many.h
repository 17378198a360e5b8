#ifndef NNET_MERGE_MANY_H_
#define NNET_MERGE_MANY_H_

// Merging of any number of tensors: one element of each becomes one, or the tensors are put behind each other.
//
// exact_t holds every intermediate result, so that nothing is lost before the cast to the type of the result. A tensor
// that is smaller than the result is repeated as a whole.

#include "hls_stream.h"
#include "nnet_common.h"

namespace nnet {

struct merge_many_config {
    static const unsigned n_tensors = 2;
    // Elements of the result are n_outer blocks of n_elem, those of tensor k n_outer blocks of length(k).
    static const unsigned n_outer = 1;
    static const unsigned n_elem = 10;
    typedef float exact_t;
};

// The number at place k.
constexpr unsigned nth(unsigned k, unsigned first) { return first; }
template <class... rest_T> constexpr unsigned nth(unsigned k, unsigned first, rest_T... rest) {
    return k == 0 ? first : nth(k - 1, rest...);
}

struct many_add {
    template <class T> static T next(T a, T b) { return a + b; }
    template <class T> static T last(T a, unsigned n) { return a; }
};

struct many_multiply {
    template <class T> static T next(T a, T b) { return a * b; }
    template <class T> static T last(T a, unsigned n) { return a; }
};

struct many_maximum {
    template <class T> static T next(T a, T b) { return a > b ? a : b; }
    template <class T> static T last(T a, unsigned n) { return a; }
};

struct many_minimum {
    template <class T> static T next(T a, T b) { return a < b ? a : b; }
    template <class T> static T last(T a, unsigned n) { return a; }
};

struct many_subtract {
    template <class T> static T next(T a, T b) { return a - b; }
    template <class T> static T last(T a, unsigned n) { return a; }
};

// The quotient is cut towards zero at the last bit of T.
struct many_average {
    template <class T> static T next(T a, T b) { return a + b; }
    template <class T> static T last(T a, unsigned n) {
        T quotient = a;
        quotient /= n;
        return quotient;
    }
};

template <class function, typename CONFIG_T, unsigned k>
typename CONFIG_T::exact_t merge_rest(unsigned i, typename CONFIG_T::exact_t merged) {
    #pragma HLS INLINE
    return merged;
}

template <class function, typename CONFIG_T, unsigned k, class data_T, class... rest_T>
typename CONFIG_T::exact_t merge_rest(unsigned i, typename CONFIG_T::exact_t merged, data_T data, rest_T... rest) {
    #pragma HLS INLINE
    const typename CONFIG_T::exact_t element = data[i % CONFIG_T::length(k)];
    const typename CONFIG_T::exact_t next = function::template next<typename CONFIG_T::exact_t>(merged, element);
    return merge_rest<function, CONFIG_T, k + 1>(i, next, rest...);
}

template <class function, class res_T, typename CONFIG_T, class data_T, class... rest_T>
void merge_many(res_T res[CONFIG_T::n_elem], data_T data, rest_T... rest) {
    #pragma HLS PIPELINE

    for (unsigned i = 0; i < CONFIG_T::n_elem; i++) {
        #pragma HLS UNROLL
        const typename CONFIG_T::exact_t first = data[i % CONFIG_T::length(0)];
        const typename CONFIG_T::exact_t merged = merge_rest<function, CONFIG_T, 1>(i, first, rest...);
        res[i] = function::template last<typename CONFIG_T::exact_t>(merged, CONFIG_T::n_tensors);
    }
}

template <class res_T, typename CONFIG_T, unsigned k> void concatenate_rest(res_T *res, unsigned outer) {}

template <class res_T, typename CONFIG_T, unsigned k, class data_T, class... rest_T>
void concatenate_rest(res_T *res, unsigned outer, data_T data, rest_T... rest) {
    #pragma HLS INLINE

    for (unsigned i = 0; i < CONFIG_T::length(k); i++) {
        #pragma HLS UNROLL
        res[i] = data[outer * CONFIG_T::length(k) + i];
    }
    concatenate_rest<res_T, CONFIG_T, k + 1>(res + CONFIG_T::length(k), outer, rest...);
}

template <class res_T, typename CONFIG_T, class... data_T>
void concatenate_many(res_T res[CONFIG_T::n_outer * CONFIG_T::n_elem], data_T... data) {
    #pragma HLS PIPELINE

    for (unsigned outer = 0; outer < CONFIG_T::n_outer; outer++) {
        #pragma HLS UNROLL
        concatenate_rest<res_T, CONFIG_T, 0>(res + outer * CONFIG_T::n_elem, outer, data...);
    }
}

// *************************************************
//       Streams
// *************************************************

// The beat of tensor k that belongs to a beat of the result. A smaller tensor is read once a frame, and kept.
template <class res_T, typename CONFIG_T, unsigned k, class data_T>
data_T beat_of(hls::stream<data_T> &data, unsigned beat) {
    #pragma HLS INLINE
    const unsigned beats = CONFIG_T::length(k) / data_T::size;
    const unsigned n_kept = beats < CONFIG_T::n_elem / res_T::size ? beats : 1;
    static data_T kept[n_kept];

    if (beat < beats)
        kept[beat % n_kept] = data.read();
    return kept[beat % n_kept];
}

template <class function, class res_T, typename CONFIG_T, unsigned k>
void merge_beats(typename CONFIG_T::exact_t *merged, unsigned beat) {}

template <class function, class res_T, typename CONFIG_T, unsigned k, class data_T, class... rest_T>
void merge_beats(typename CONFIG_T::exact_t *merged, unsigned beat, hls::stream<data_T> &data,
                 hls::stream<rest_T> &...rest) {
    #pragma HLS INLINE
    const data_T in = beat_of<res_T, CONFIG_T, k, data_T>(data, beat);

    for (unsigned i = 0; i < res_T::size; i++) {
        #pragma HLS UNROLL
        const typename CONFIG_T::exact_t element = in[i % data_T::size];
        merged[i] = k == 0 ? element : function::template next<typename CONFIG_T::exact_t>(merged[i], element);
    }
    merge_beats<function, res_T, CONFIG_T, k + 1>(merged, beat, rest...);
}

template <class function, class res_T, typename CONFIG_T, class... data_T>
void merge_many(hls::stream<res_T> &res, hls::stream<data_T> &...data) {
    for (unsigned beat = 0; beat < CONFIG_T::n_elem / res_T::size; beat++) {
        #pragma HLS PIPELINE
        typename CONFIG_T::exact_t merged[res_T::size];
        #pragma HLS ARRAY_PARTITION variable=merged complete
        merge_beats<function, res_T, CONFIG_T, 0>(merged, beat, data...);

        res_T out;
        for (unsigned i = 0; i < res_T::size; i++) {
            #pragma HLS UNROLL
            out[i] = function::template last<typename CONFIG_T::exact_t>(merged[i], CONFIG_T::n_tensors);
        }
        res.write(out);
    }
}

// The channels of a pixel of each tensor become one pixel.
template <class res_T> void join_beats(res_T &out, unsigned start) {}

template <class res_T, class data_T, class... rest_T>
void join_beats(res_T &out, unsigned start, hls::stream<data_T> &data, hls::stream<rest_T> &...rest) {
    #pragma HLS INLINE
    const data_T in = data.read();

    for (unsigned i = 0; i < data_T::size; i++) {
        #pragma HLS UNROLL
        out[start + i] = in[i];
    }
    join_beats<res_T>(out, start + data_T::size, rest...);
}

// Pixels of one tensor after those of another.
template <class res_T, typename CONFIG_T, unsigned k> void pass_beats(hls::stream<res_T> &res) {}

template <class res_T, typename CONFIG_T, unsigned k, class data_T, class... rest_T>
void pass_beats(hls::stream<res_T> &res, hls::stream<data_T> &data, hls::stream<rest_T> &...rest) {
    for (unsigned beat = 0; beat < CONFIG_T::length(k) / data_T::size; beat++) {
        #pragma HLS PIPELINE
        const data_T in = data.read();
        res_T out;
        for (unsigned i = 0; i < data_T::size; i++) {
            #pragma HLS UNROLL
            out[i] = in[i];
        }
        res.write(out);
    }
    pass_beats<res_T, CONFIG_T, k + 1>(res, rest...);
}

template <class res_T, typename CONFIG_T, class... data_T>
void concatenate_many(hls::stream<res_T> &res, hls::stream<data_T> &...data) {
    if (CONFIG_T::n_elem == res_T::size) {
        for (unsigned outer = 0; outer < CONFIG_T::n_outer; outer++) {
            #pragma HLS PIPELINE
            res_T out;
            join_beats<res_T>(out, 0, data...);
            res.write(out);
        }
    } else {
        for (unsigned outer = 0; outer < CONFIG_T::n_outer; outer++) {
            pass_beats<res_T, CONFIG_T, 0>(res, data...);
        }
    }
}

} // namespace nnet

#endif
