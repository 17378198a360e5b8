#ifndef NNET_RECURRENT_H_
#define NNET_RECURRENT_H_

// Recurrent layers: SimpleRNN, LSTM and GRU, with the order of gates that Keras has (i f c o, and z r h).
//
// Every sum and product is exact. A value is rounded where it goes into a type that says how: what a function reads and
// gives (input_t, result_t), and the hidden and cell state. State quantizers are applied to the states that a step reads,
// those of the first step included, which are zero before.

#include "hls_stream.h"
#include "nnet_clip.h"
#include "nnet_common.h"
#include "nnet_thresholds.h"

namespace nnet {

struct recurrent_config {
    static const unsigned n_steps = 10;
    static const unsigned n_in = 10;
    static const unsigned units = 10;
    static const unsigned n_sums = 10; // of each of the two matrices
    static const bool return_sequences = false;
    static const bool reset_after = true; // of a GRU: the reset gate comes behind the recurrent matrix
    static const unsigned reuse_factor = 1;
};

template <class value_T> value_T rectified(value_T value) {
    #pragma HLS INLINE
    return value > 0 ? value : (value_T)0;
}

// sums[j] = bias[j] + data * weights, for `count` columns from `first` on of a matrix with n_columns.
template <unsigned n_rows, unsigned n_columns, class data_T, class weight_T, class bias_T, class sum_T>
void sums_of(data_T data[n_rows], weight_T weights[n_rows * n_columns], bias_T bias[n_columns], unsigned first,
             unsigned count, sum_T sums[n_columns]) {
    #pragma HLS INLINE
Column:
    for (unsigned j = 0; j < count; j++) {
        #pragma HLS UNROLL
        sum_T sum = bias[first + j];
    Row:
        for (unsigned i = 0; i < n_rows; i++) {
            #pragma HLS UNROLL
            sum += data[i] * weights[i * n_columns + first + j];
        }
        sums[j] = sum;
    }
}

// A cell keeps the states as the next step reads them; next() takes the sums of the input and gives the result.

template <typename CONFIG_T> struct simple_rnn_cell {
    typename CONFIG_T::hidden_state::result_t hidden[CONFIG_T::units];

    void first() {
        for (unsigned j = 0; j < CONFIG_T::units; j++) {
            #pragma HLS UNROLL
            hidden[j] = CONFIG_T::hidden_state::of(0);
        }
    }

    void next(typename CONFIG_T::x_sum_t x[CONFIG_T::n_sums], typename CONFIG_T::hidden_t result[CONFIG_T::units],
              typename CONFIG_T::recurrent_weight_t weights[CONFIG_T::units * CONFIG_T::n_sums],
              typename CONFIG_T::recurrent_bias_t bias[CONFIG_T::n_sums]) {
        typename CONFIG_T::h_sum_t h[CONFIG_T::n_sums];
        sums_of<CONFIG_T::units, CONFIG_T::n_sums>(hidden, weights, bias, 0, CONFIG_T::n_sums, h);
    Unit:
        for (unsigned j = 0; j < CONFIG_T::units; j++) {
            #pragma HLS UNROLL
            result[j] = CONFIG_T::output::of(x[j] + h[j]);
        }
    State:
        for (unsigned j = 0; j < CONFIG_T::units; j++) {
            #pragma HLS UNROLL
            hidden[j] = CONFIG_T::hidden_state::of(result[j]);
        }
    }
};

template <typename CONFIG_T> struct lstm_cell {
    typename CONFIG_T::hidden_state::result_t hidden[CONFIG_T::units];
    typename CONFIG_T::cell_state::result_t cell[CONFIG_T::units];

    void first() {
        for (unsigned j = 0; j < CONFIG_T::units; j++) {
            #pragma HLS UNROLL
            hidden[j] = CONFIG_T::hidden_state::of(0);
            cell[j] = CONFIG_T::cell_state::of(0);
        }
    }

    void next(typename CONFIG_T::x_sum_t x[CONFIG_T::n_sums], typename CONFIG_T::hidden_t result[CONFIG_T::units],
              typename CONFIG_T::recurrent_weight_t weights[CONFIG_T::units * CONFIG_T::n_sums],
              typename CONFIG_T::recurrent_bias_t bias[CONFIG_T::n_sums]) {
        static const unsigned units = CONFIG_T::units;
        typename CONFIG_T::h_sum_t h[CONFIG_T::n_sums];
        sums_of<units, CONFIG_T::n_sums>(hidden, weights, bias, 0, CONFIG_T::n_sums, h);
    Unit:
        for (unsigned j = 0; j < units; j++) {
            #pragma HLS UNROLL
            typename CONFIG_T::input_gate::result_t i = CONFIG_T::input_gate::of(x[j] + h[j]);
            typename CONFIG_T::forget_gate::result_t f = CONFIG_T::forget_gate::of(x[units + j] + h[units + j]);
            typename CONFIG_T::candidate::result_t g = CONFIG_T::candidate::of(x[2 * units + j] + h[2 * units + j]);
            typename CONFIG_T::output_gate::result_t o = CONFIG_T::output_gate::of(x[3 * units + j] + h[3 * units + j]);
            typename CONFIG_T::cell_t after = f * cell[j] + i * g;
            result[j] = o * CONFIG_T::output::of(after);
            cell[j] = CONFIG_T::cell_state::of(after);
        }
    State:
        for (unsigned j = 0; j < units; j++) {
            #pragma HLS UNROLL
            hidden[j] = CONFIG_T::hidden_state::of(result[j]);
        }
    }
};

template <typename CONFIG_T> struct gru_cell {
    typename CONFIG_T::hidden_state::result_t hidden[CONFIG_T::units];

    void first() {
        for (unsigned j = 0; j < CONFIG_T::units; j++) {
            #pragma HLS UNROLL
            hidden[j] = CONFIG_T::hidden_state::of(0);
        }
    }

    void next(typename CONFIG_T::x_sum_t x[CONFIG_T::n_sums], typename CONFIG_T::hidden_t result[CONFIG_T::units],
              typename CONFIG_T::recurrent_weight_t weights[CONFIG_T::units * CONFIG_T::n_sums],
              typename CONFIG_T::recurrent_bias_t bias[CONFIG_T::n_sums]) {
        static const unsigned units = CONFIG_T::units;
        typename CONFIG_T::h_sum_t h[CONFIG_T::n_sums];
        sums_of<units, CONFIG_T::n_sums>(hidden, weights, bias, 0, 2 * units, h);
        typename CONFIG_T::update_gate::result_t z[units];
        typename CONFIG_T::reset_gate::result_t r[units];
    Gate:
        for (unsigned j = 0; j < units; j++) {
            #pragma HLS UNROLL
            z[j] = CONFIG_T::update_gate::of(x[j] + h[j]);
            r[j] = CONFIG_T::reset_gate::of(x[units + j] + h[units + j]);
        }
        typename CONFIG_T::reset_t reset[units];
        typename CONFIG_T::h_sum_t recurrent[CONFIG_T::n_sums];
        if (CONFIG_T::reset_after) {
            sums_of<units, CONFIG_T::n_sums>(hidden, weights, bias, 2 * units, units, recurrent);
        } else {
            for (unsigned j = 0; j < units; j++) {
                #pragma HLS UNROLL
                reset[j] = r[j] * hidden[j];
            }
            sums_of<units, CONFIG_T::n_sums>(reset, weights, bias, 2 * units, units, recurrent);
        }
    Unit:
        for (unsigned j = 0; j < units; j++) {
            #pragma HLS UNROLL
            typename CONFIG_T::total_t total = x[2 * units + j];
            if (CONFIG_T::reset_after)
                total += r[j] * recurrent[j];
            else
                total += recurrent[j];
            typename CONFIG_T::candidate::result_t g = CONFIG_T::candidate::of(total);
            result[j] = g + z[j] * (hidden[j] - g); // z h + (1 - z) g with one product less
        }
    State:
        for (unsigned j = 0; j < units; j++) {
            #pragma HLS UNROLL
            hidden[j] = CONFIG_T::hidden_state::of(result[j]);
        }
    }
};

template <class data_T, class res_T, typename CONFIG_T>
void recurrent(data_T data[CONFIG_T::n_steps * CONFIG_T::n_in],
               res_T res[(CONFIG_T::return_sequences ? CONFIG_T::n_steps : 1) * CONFIG_T::units],
               typename CONFIG_T::weight_t weights[CONFIG_T::n_in * CONFIG_T::n_sums],
               typename CONFIG_T::bias_t bias[CONFIG_T::n_sums],
               typename CONFIG_T::recurrent_weight_t recurrent_weights[CONFIG_T::units * CONFIG_T::n_sums],
               typename CONFIG_T::recurrent_bias_t recurrent_bias[CONFIG_T::n_sums]) {
    typename CONFIG_T::cell cell;
    cell.first();
Step:
    for (unsigned t = 0; t < CONFIG_T::n_steps; t++) {
        typename CONFIG_T::x_sum_t x[CONFIG_T::n_sums];
        typename CONFIG_T::hidden_t result[CONFIG_T::units];
        sums_of<CONFIG_T::n_in, CONFIG_T::n_sums>(data + t * CONFIG_T::n_in, weights, bias, 0, CONFIG_T::n_sums, x);
        cell.next(x, result, recurrent_weights, recurrent_bias);
        if (CONFIG_T::return_sequences || t == CONFIG_T::n_steps - 1) {
        Result:
            for (unsigned j = 0; j < CONFIG_T::units; j++) {
                #pragma HLS UNROLL
                res[(CONFIG_T::return_sequences ? t * CONFIG_T::units : 0) + j] = result[j];
            }
        }
    }
}

// One step is a beat.
template <class data_T, class res_T, typename CONFIG_T>
void recurrent(hls::stream<data_T> &data, hls::stream<res_T> &res,
               typename CONFIG_T::weight_t weights[CONFIG_T::n_in * CONFIG_T::n_sums],
               typename CONFIG_T::bias_t bias[CONFIG_T::n_sums],
               typename CONFIG_T::recurrent_weight_t recurrent_weights[CONFIG_T::units * CONFIG_T::n_sums],
               typename CONFIG_T::recurrent_bias_t recurrent_bias[CONFIG_T::n_sums]) {
    typename CONFIG_T::cell cell;
    cell.first();
Step:
    for (unsigned t = 0; t < CONFIG_T::n_steps; t++) {
        data_T beat = data.read();
        typename data_T::value_type in[CONFIG_T::n_in];
        for (unsigned i = 0; i < CONFIG_T::n_in; i++) {
            #pragma HLS UNROLL
            in[i] = beat[i];
        }
        typename CONFIG_T::x_sum_t x[CONFIG_T::n_sums];
        typename CONFIG_T::hidden_t result[CONFIG_T::units];
        sums_of<CONFIG_T::n_in, CONFIG_T::n_sums>(in, weights, bias, 0, CONFIG_T::n_sums, x);
        cell.next(x, result, recurrent_weights, recurrent_bias);
        if (CONFIG_T::return_sequences || t == CONFIG_T::n_steps - 1) {
            res_T out;
            for (unsigned j = 0; j < CONFIG_T::units; j++) {
                #pragma HLS UNROLL
                out[j] = result[j];
            }
            res.write(out);
        }
    }
}

} // namespace nnet

#endif
