#ifndef NNET_MERGE_MANY_H_
#define NNET_MERGE_MANY_H_

// Merging of any number of tensors: one element of each becomes one, or the tensors are put behind each other.
//
// exact_t holds every intermediate result, so that nothing is lost before the cast to the type of the result. A tensor
// that is smaller than the result is repeated as a whole.

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

} // namespace nnet

#endif
