"""Recurrent Keras and QKeras layers with quantizers that make them exact."""

from __future__ import annotations

from typing import Any

import keras
from keras_models import bits, with_random_weights
from qkeras import QGRU, QLSTM, QSimpleRNN, binary, quantized_relu, quantized_sigmoid, quantized_tanh, ternary

L = keras.layers
_Q = {"kernel_quantizer": bits(4), "bias_quantizer": bits(4, 1)}
_GATES = {"activation": quantized_tanh(5), "recurrent_activation": quantized_sigmoid(4)}

#: Layers by name, as functions of their options.
QUANTIZED = {
    "qrnn": lambda **o: QSimpleRNN(
        **{"units": 3, **_Q, "recurrent_quantizer": binary(alpha=1), "activation": quantized_relu(4, 1)},
        state_quantizer=bits(3, 1), **o,
    ),
    "qrnn_binary_state": lambda **o: QSimpleRNN(
        **{"units": 3, **_Q, "recurrent_quantizer": bits(3), "activation": quantized_tanh(4)},
        state_quantizer=binary(alpha=1), **o,
    ),
    "qlstm": lambda **o: QLSTM(
        **{"units": 3, **_Q, **_GATES, "recurrent_quantizer": ternary(alpha=1), "state_quantizer": bits(5, 1), **o}
    ),
    "qgru": lambda **o: QGRU(
        **{"units": 3, **_Q, **_GATES, "recurrent_quantizer": bits(3), "state_quantizer": bits(5)}, **o
    ),
    "qgru_after": lambda **o: QGRU(
        **{"units": 3, **_Q, **_GATES, "recurrent_quantizer": bits(3), "state_quantizer": ternary(alpha=1)},
        reset_after=True, **o,
    ),
}  # fmt: skip
FLOAT = {
    "rnn": lambda **o: L.SimpleRNN(3, **o),
    "rnn_relu": lambda **o: L.SimpleRNN(3, activation="relu", use_bias=False, **o),
    "lstm": lambda **o: L.LSTM(3, **o),
    "lstm_hard": lambda **o: L.LSTM(3, activation="softsign", recurrent_activation="hard_sigmoid", **o),
    "gru": lambda **o: L.GRU(3, **o),
    "gru_before": lambda **o: L.GRU(3, reset_after=False, **o),
}


def named(layer: Any, name: str) -> Any:
    """Return a layer with a name: QKeras gives that of its arguments to the cell."""
    layer.name = name
    return layer


def side_by_side(layers: dict[str, Any], shape: tuple[int, int] = (4, 2)) -> Any:
    """Return a model of layers that read the same series, each an output; every second one gives all results."""
    keras.utils.set_random_seed(0)
    x = keras.Input(shape, name="series")
    made = [named(make(return_sequences=bool(k % 2)), name) for k, (name, make) in enumerate(layers.items())]
    return with_random_weights(keras.Model(x, [layer(x) for layer in made]))
