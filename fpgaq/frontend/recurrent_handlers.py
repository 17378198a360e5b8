"""hls4ml's Keras 3 handler for recurrent layers; importing this module registers it.

hls4ml's own layers cast every product to the type of the accumulator and look tanh and sigmoid up in float tables, and
its parser takes no quantizers. All of them go to `Recurrent`, which is ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.converters.keras_v3._base import KerasV3LayerHandler

from fpgaq.errors import ModelError
from fpgaq.frontend.chains import Chain, LayerDict, activation_dict, function_dict, to_numpy
from fpgaq.frontend.curves import curve_name
from fpgaq.frontend.qkeras_quantizers import QuantizedParameter, quantize_parameter, quantizer_name

#: Parts of a step that are functions, in the order in which Keras' cells call them: gates, and the others.
GATES = {"simple_rnn": (), "lstm": ("input_gate", "forget_gate", "output_gate"), "gru": ("update_gate", "reset_gate")}
OTHERS = {"simple_rnn": ("output",), "lstm": ("candidate", "output"), "gru": ("candidate",)}
_CELLS = {"SimpleRNN": ("simple_rnn", 1), "LSTM": ("lstm", 4), "GRU": ("gru", 3)}


class RecurrentHandler(KerasV3LayerHandler):
    """(Q)SimpleRNN, (Q)LSTM and (Q)GRU."""

    handles = (
        "keras.src.layers.rnn.gru.GRU",
        "keras.src.layers.rnn.lstm.LSTM",
        "keras.src.layers.rnn.simple_rnn.SimpleRNN",
        "qkeras.qrecurrent.QGRU",
        "qkeras.qrecurrent.QLSTM",
        "qkeras.qrecurrent.QSimpleRNN",
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        cell, gates = cell_of(layer)
        chain = Chain(layer, in_tensors, out_tensors)
        chain.add(
            layer.name,
            class_name="Recurrent",
            cell=cell,
            gates=gates,
            n_steps=chain.in_shape[0],
            n_in=chain.in_shape[1],
            units=layer.units,
            return_sequences=layer.return_sequences,
            reset_after=bool(getattr(layer, "reset_after", False)),
            activations=_activations(layer),
            state_quantizer=_state_quantizer(layer),
            **_parameters(layer, gates),
        )
        return chain.done()


def cell_of(layer: Any) -> tuple[str, int]:
    """Return which cell a recurrent layer has, and how many vectors of the length of a state its matrices give."""
    return _CELLS[type(layer).__name__.removeprefix("Q")]


def functions_of(layer: Any) -> dict[str, Any]:
    """Return the activation of every part of a step."""
    cell, _ = cell_of(layer)
    functions = dict.fromkeys(OTHERS[cell], layer.activation)
    return functions | dict.fromkeys(GATES[cell], getattr(layer, "recurrent_activation", None))


def recurrent_activation(layer: str, activation: Any) -> LayerDict | None:
    """Return class and attributes of a function in a step, None where it is none."""
    name = quantizer_name(activation)
    if activation is None or name == "linear":
        return None
    if name == "relu":
        return {"class_name": "Activation", "activation": "relu"}
    curve = curve_name(activation)
    if curve is not None:
        return {"class_name": "Curve", "function": curve}
    known = function_dict(activation, 1)
    if name == "softmax" or (known is not None and known["class_name"] == "Leaky"):
        raise ModelError(
            f"layer {layer!r}: activation {name!r} of a recurrent layer is not supported; use tanh, sigmoid, relu or a "
            "quantizer"
        )
    return known or activation_dict(layer, activation)


def _activations(layer: Any) -> dict[str, LayerDict | None]:
    """Return what every function of a step is."""
    return {part: recurrent_activation(layer.name, function) for part, function in functions_of(layer).items()}


def _state_quantizer(layer: Any) -> LayerDict | None:
    quantizer = getattr(layer, "state_quantizer_internal", None)
    return None if quantizer is None else activation_dict(layer.name, quantizer)


def _parameters(layer: Any, gates: int) -> LayerDict:
    """Return weights and biases, whether the model defines them exactly, and factors of columns, if there are."""
    cell, size = layer.cell, gates * layer.units
    biases, exact = np.zeros((2, size)), True
    if layer.use_bias:
        quantized = _quantized(layer, "bias", cell.bias)
        exact = quantized is not None and quantized.scale is None
        values = to_numpy(cell.bias)
        if quantized is not None:
            values = quantized.codes if quantized.scale is None else quantized.codes * quantized.scale
        biases[: values.size // size] = values.reshape(-1, size)
    found: LayerDict = {"bias_exact": exact, "recurrent_bias_exact": exact}
    found |= {"bias_data": biases[0], "recurrent_bias_data": biases[1]}
    for prefix, what, values in (("", "kernel", cell.kernel), ("recurrent_", "recurrent", cell.recurrent_kernel)):
        quantized = _quantized(layer, what, values)
        found[f"{prefix}weight_exact"] = quantized is not None
        found[f"{prefix}weight_data"] = to_numpy(values) if quantized is None else quantized.codes.reshape(values.shape)
        found[f"{prefix}scale"] = None if quantized is None else quantized.scale
        if quantized is not None and quantized.format is not None:
            found[f"{prefix}weight_format"] = quantized.format.to_json()
            found[f"{prefix}weight_unit"] = quantized.unit.tolist()
    return found


def _quantized(layer: Any, what: str, values: Any) -> QuantizedParameter | None:
    """Evaluate the quantizer of a parameter, None where there is none."""
    quantizer = getattr(layer, f"{what}_quantizer_internal", None)
    return None if quantizer is None else quantize_parameter(layer.name, what, quantizer, values)
