"""Chains of hls4ml layer descriptions: what one Keras layer with matrix, scale and activation becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fpgaq.frontend.activation_quantizers import Cast, activation_meaning
from fpgaq.frontend.curves import is_curve
from fpgaq.frontend.qkeras_quantizers import QuantizedParameter, quantize_parameter, quantizer_name
from fpgaq.frontend.supported import CLIPPING_FUNCTIONS, LEAKY_FUNCTIONS

LayerDict = dict[str, Any]


def to_numpy(tensor: Any) -> np.ndarray:
    """Return a tensor or variable of any backend as float64."""
    import keras

    return np.asarray(keras.ops.convert_to_numpy(tensor), dtype=np.float64)


def activation_dict(layer: str, quantizer: Any) -> LayerDict:
    """Return class and attributes of the hls4ml layer that computes an activation quantizer."""
    meaning = activation_meaning(layer, quantizer)
    if isinstance(meaning, Cast):
        return {
            "class_name": "Activation",
            "activation": "relu" if meaning.rectify else "linear",
            "exact_cast": str(meaning),
        }
    return {
        "class_name": "Thresholds",
        "thresholds": list(meaning.thresholds),
        "levels": list(meaning.levels),
    }


def function_dict(activation: Any, channels: int) -> LayerDict | None:
    """Return class and attributes of our hls4ml layer for a function of Keras, None where hls4ml has one."""
    name = quantizer_name(activation)
    if name in CLIPPING_FUNCTIONS:
        return {"class_name": "Clip", "limits": list(CLIPPING_FUNCTIONS[name])}
    if name in LEAKY_FUNCTIONS:
        return leaky_dict(np.full(channels, LEAKY_FUNCTIONS[name]))
    return {"class_name": "Curve", "function": name} if is_curve(activation) else None


def leaky_dict(slopes: np.ndarray) -> LayerDict:
    """Return class and attributes of a rectifier with these slopes of the channels."""
    return {"class_name": "Leaky", "n_chan": slopes.size, "slope_data": slopes}


class Chain:
    """Layer descriptions that follow each other, between the tensors of one Keras layer."""

    def __init__(self, layer: Any, in_tensors: Any, out_tensors: Any) -> None:
        self._names = [t.name for t in in_tensors]
        self._shape = [list(t.shape[1:]) for t in in_tensors]
        self.out_shape: list[int] = list(out_tensors[0].shape[1:])
        self._final = [t.name for t in out_tensors]
        self._layers: list[LayerDict] = []

    def add(self, name: str, *, shape: Sequence[int] | None = None, **attributes: Any) -> None:
        """Append a layer that reads what the previous one writes; `shape` where its result is not the last one."""
        if self._layers:
            tensor = f"{self._layers[-1]['name']}_tensor"
            self._layers[-1]["output_keras_tensor_names"] = [tensor]
            self._names = [tensor]
        self._layers.append(
            {
                "name": name,
                "input_keras_tensor_names": self._names,
                "input_shape": self._shape,
                "output_keras_tensor_names": self._final,
                "data_format": "channels_last",
                **attributes,
            }
        )
        self._shape = [self.out_shape if shape is None else list(shape)]

    @property
    def in_shape(self) -> list[int]:
        """Shape of the tensor that the next layer reads."""
        return self._shape[0]

    def done(self) -> tuple[LayerDict, ...]:
        """Return the descriptions."""
        return tuple(self._layers)


def _parameter(layer: Any, what: str, quantizer: Any, values: Any) -> QuantizedParameter | None:
    """Evaluate a quantizer, None where there is none."""
    return None if quantizer is None else quantize_parameter(layer.name, what, quantizer, values)


def add_matrix(
    chain: Chain,
    layer: Any,
    quantizer: Any,
    kernel: Any,
    bias: Any,
    *,
    name: str | None = None,
    shape: Sequence[int] | None = None,
    window: Sequence[int] = (),
    **attributes: Any,
) -> None:
    """Append a matrix, and a scale layer where the kernel's scale is not a power of two.

    Parameters
    ----------
    chain : Chain
    layer : keras.Layer
    quantizer : callable or None
        The quantizer of the kernel; that of the bias is the layer's.
    kernel, bias : tensor
        The bias may be None.
    name : str, optional
        Name of the matrix, where the layer has several.
    shape : sequence of int, optional
        Shape of the result, where it is not that of the layer.
    window : sequence of int, optional
        Lengths of the spatial axes of a kernel that has none for Keras.
    **attributes
        Class and parameters of the hls4ml layer.
    """
    quantized = _parameter(layer, "kernel", quantizer, kernel)
    quantized_bias = None
    if bias is not None:
        quantized_bias = _parameter(layer, "bias", getattr(layer, "bias_quantizer_internal", None), bias)
        if quantized_bias is not None and quantized_bias.scale is not None:
            bias, quantized_bias = quantized_bias.codes * quantized_bias.scale, None
    bias_data = None if bias is None else to_numpy(bias) if quantized_bias is None else quantized_bias.codes
    scale = None if quantized is None else quantized.scale
    name, shape = name or layer.name, chain.out_shape if shape is None else list(shape)
    weights = to_numpy(kernel) if quantized is None else quantized.codes
    matrix: LayerDict = {
        **attributes,
        "weight_data": weights.reshape(*window, *weights.shape),
        "weight_exact": quantized is not None,
    }
    if quantized is not None and quantized.format is not None:
        matrix |= {"weight_format": quantized.format.to_json(), "weight_unit": quantized.unit.tolist()}
    if scale is None:
        bias_exact = quantized_bias is not None
        options = {"use_bias": bias is not None, "bias_data": bias_data, "bias_exact": bias_exact}
        chain.add(name, shape=shape, **matrix, **options)
        return
    chain.add(name, shape=shape, **matrix, use_bias=False, bias_data=None, bias_exact=True)
    n_out = shape[-1]
    chain.add(
        f"{name}_scale",
        shape=shape,
        class_name="BatchNormalization",
        n_in=int(np.prod(shape)),
        n_filt=n_out,
        scale_data=np.broadcast_to(scale, n_out),
        bias_data=np.zeros(n_out) if bias_data is None else bias_data,
        bias_exact=bias_data is None or quantized_bias is not None,
        use_gamma=True,
        use_beta=True,
    )


def add_activation(chain: Chain, layer: Any) -> None:
    """Append the activation given as an argument of a layer."""
    activation = layer.activation
    name = quantizer_name(activation)
    if activation is None or name == "linear":
        return
    kind = function_dict(activation, chain.out_shape[-1])
    if name in ("relu", "softmax"):
        kind = {"class_name": "Softmax" if name == "softmax" else "Activation", "activation": name}
        if name == "softmax":
            kind["axis"] = -1
    chain.add(f"{layer.name}_{name}", **(kind or activation_dict(layer.name, activation)))
