"""hls4ml's Keras 3 handlers for QKeras layers, which its released parser lacks.

A handler turns one Keras layer into one or several layer descriptions. Ours evaluate the parameter quantizers and hand
over exact codes; what has no quantizer stays float and is rounded, to stated precisions, by the pass in
`fpgaq.hls.freeze`. Importing this module registers the handlers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.converters.keras_v3._base import KerasV3LayerHandler
from hls4ml.converters.keras_v3.core import ActivationHandler

from fpgaq.errors import ModelError
from fpgaq.frontend.activation_quantizers import Cast, activation_meaning
from fpgaq.frontend.qkeras_quantizers import QuantizedParameter, quantize_parameter, quantizer_name
from fpgaq.frontend.supported import CLIPPING_FUNCTIONS
from fpgaq.ir.types import FixedType, Overflow, Rounding

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


class _Chain:
    """Layer descriptions that follow each other, between the tensors of one Keras layer."""

    def __init__(self, layer: Any, in_tensors: Any, out_tensors: Any) -> None:
        self._names = [t.name for t in in_tensors]
        self._in_shape = [list(t.shape[1:]) for t in in_tensors]
        self._out_shape = list(out_tensors[0].shape[1:])
        self._final = [t.name for t in out_tensors]
        self._layers: list[LayerDict] = []

    def add(self, name: str, **attributes: Any) -> None:
        """Append a layer that reads what the previous one writes."""
        if self._layers:
            tensor = f"{self._layers[-1]['name']}_tensor"
            self._layers[-1]["output_keras_tensor_names"] = [tensor]
            names, shape = [tensor], [self._out_shape]
        else:
            names, shape = self._names, self._in_shape
        self._layers.append(
            {
                "name": name,
                "input_keras_tensor_names": names,
                "input_shape": shape,
                "output_keras_tensor_names": self._final,
                "data_format": "channels_last",
                **attributes,
            }
        )

    def done(self) -> tuple[LayerDict, ...]:
        """Return the descriptions."""
        return tuple(self._layers)


def _parameter(layer: Any, what: str, quantizer: Any, values: Any) -> QuantizedParameter | None:
    """Evaluate a quantizer, None where there is none."""
    return None if quantizer is None else quantize_parameter(layer.name, what, quantizer, values)


def _add_dense(chain: _Chain, layer: Any, kernel: Any, bias: Any) -> None:
    """Append the matrix, and a scale layer where the kernel's scale is not a power of two."""
    quantized = _parameter(layer, "kernel", layer.kernel_quantizer_internal, kernel)
    quantized_bias = None
    if bias is not None:
        quantized_bias = _parameter(layer, "bias", layer.bias_quantizer_internal, bias)
        if quantized_bias is not None and quantized_bias.scale is not None:
            bias, quantized_bias = quantized_bias.codes * quantized_bias.scale, None
    weight = to_numpy(kernel) if quantized is None else quantized.codes
    bias_data = None if bias is None else to_numpy(bias) if quantized_bias is None else quantized_bias.codes
    scale = None if quantized is None else quantized.scale
    n_in, n_out = weight.shape
    dense: LayerDict = {
        "class_name": "Dense",
        "n_in": int(n_in),
        "n_out": int(n_out),
        "weight_data": weight,
        "weight_exact": quantized is not None,
    }
    if quantized is not None and quantized.format is not None:
        dense |= {"weight_format": quantized.format.to_json(), "weight_unit": quantized.unit.tolist()}
    if scale is None:
        bias_exact = quantized_bias is not None
        chain.add(layer.name, **dense, use_bias=bias is not None, bias_data=bias_data, bias_exact=bias_exact)
        return
    chain.add(layer.name, **dense, use_bias=False, bias_data=None, bias_exact=True)
    chain.add(
        f"{layer.name}_scale",
        class_name="BatchNormalization",
        n_in=int(n_out),
        n_filt=int(n_out),
        scale_data=scale,
        bias_data=np.zeros(n_out) if bias_data is None else bias_data,
        bias_exact=bias_data is None or quantized_bias is not None,
        use_gamma=True,
        use_beta=True,
    )


def _add_activation(chain: _Chain, layer: Any) -> None:
    """Append the activation given as an argument of a layer."""
    activation = layer.activation
    name = quantizer_name(activation)
    if activation is None or name == "linear":
        return
    if name in ("relu", "softmax"):
        kind: LayerDict = {"class_name": "Softmax" if name == "softmax" else "Activation", "activation": name}
        if name == "softmax":
            kind["axis"] = -1
    elif name in CLIPPING_FUNCTIONS:
        kind = {"class_name": "Clip", "limits": list(CLIPPING_FUNCTIONS[name])}
    else:
        kind = activation_dict(layer.name, activation)
    chain.add(f"{layer.name}_{name}", **kind)


class QDenseHandler(KerasV3LayerHandler):
    """QDense: matrix, scale of alpha='auto', activation."""

    handles = ("qkeras.qlayers.QDense",)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = _Chain(layer, in_tensors, out_tensors)
        _add_dense(chain, layer, layer.kernel, layer.bias if layer.use_bias else None)
        _add_activation(chain, layer)
        return chain.done()


class QDenseBatchnormHandler(KerasV3LayerHandler):
    """QDenseBatchnorm: the kernel with the batch normalization folded in is what gets quantized."""

    handles = ("qkeras.qdense_batchnorm.QDenseBatchnorm",)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        kernel, bias = layer.get_folded_weights()
        chain = _Chain(layer, in_tensors, out_tensors)
        _add_dense(chain, layer, kernel, bias)
        _add_activation(chain, layer)
        return chain.done()


class QActivationHandler(KerasV3LayerHandler):
    """QActivation: a cast, a rectified cast or a staircase."""

    handles = ("qkeras.qlayers.QActivation",)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = _Chain(layer, in_tensors, out_tensors)
        chain.add(layer.name, **activation_dict(layer.name, layer.activation))
        return chain.done()


class ReluHandler(KerasV3LayerHandler):
    """ReLU: a rectifier, with or without an upper limit."""

    handles = ("keras.src.layers.activations.relu.ReLU",)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = _Chain(layer, in_tensors, out_tensors)
        if layer.max_value in (None, float("inf")):
            chain.add(layer.name, class_name="Activation", activation="relu")
        else:
            chain.add(layer.name, class_name="Clip", limits=[0.0, float(layer.max_value)])
        return chain.done()


class ClippingFunctionHandler(ActivationHandler):
    """Activation: functions that clip, besides those that hls4ml knows."""

    handles = ActivationHandler.handles

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        limits = CLIPPING_FUNCTIONS.get(quantizer_name(layer.activation))
        if limits is None:
            return super().handle(layer, in_tensors, out_tensors)
        chain = _Chain(layer, in_tensors, out_tensors)
        chain.add(layer.name, class_name="Clip", limits=list(limits))
        return chain.done()


class GatedDenseHandler(KerasV3LayerHandler):
    """GatedDense: the cast that makes the codes of its input, and the gated matrix."""

    handles = ("fpgaq.quantize.layers.gated_dense.GatedDense",)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        codes, steps = gated_dense_codes(layer)
        kernel = to_numpy(layer.kernel)
        chain = _Chain(layer, in_tensors, out_tensors)
        chain.add(f"{layer.name}_codes", class_name="Activation", activation="linear", exact_cast=str(codes))
        chain.add(
            layer.name,
            class_name="GatedDense",
            n_in=int(kernel.shape[0]),
            n_out=int(kernel.shape[1]),
            low_bits=layer.low_bits,
            weight_data=steps,
            threshold_data=to_numpy(layer.threshold),
        )
        return chain.done()


def gated_dense_codes(layer: Any) -> tuple[Cast, np.ndarray]:
    """Return the cast of a GatedDense layer's input, and the values of its weights, which are exact."""
    for what in ("kernel", "threshold", "alpha"):
        if not np.isfinite(to_numpy(getattr(layer, what))).all():
            raise ModelError(f"layer {layer.name!r}: {what} contains NaN or infinity; retrain or repair the model")
    alpha = float(to_numpy(layer.alpha))
    if alpha < 2.0**-16:
        raise ModelError(f"layer {layer.name!r}: its clip alpha={alpha:g} has collapsed; retrain with a larger clip")
    frac = -int(np.log2(float(to_numpy(layer.activation_step()))))
    cast = Cast(False, FixedType(layer.activation_bits, frac, False), Rounding.RND_CONV, Overflow.SAT)
    return cast, to_numpy(layer.quantized_weights())


class BatchNormalizationHandler(KerasV3LayerHandler):
    """(Q)BatchNormalization: the statistics give one scale and one bias per channel."""

    handles = (
        "keras.src.layers.normalization.batch_normalization.BatchNormalization",
        "qkeras.qnormalization.QBatchNormalization",
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        scale, bias = batch_normalization_factors(layer)
        chain = _Chain(layer, in_tensors, out_tensors)
        size = int(np.prod(in_tensors[0].shape[1:]))
        chain.add(
            layer.name,
            class_name="BatchNormalization",
            n_in=size,
            n_filt=scale.size if scale.size != size else -1,
            scale_data=scale,
            bias_data=bias,
            use_gamma=True,
            use_beta=True,
        )
        return chain.done()


def batch_normalization_factors(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return scale and bias, float64, that a (Q)BatchNormalization layer applies at inference."""
    axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) else layer.axis
    if axis not in (-1, len(layer.input.shape) - 1):
        raise ModelError(f"layer {layer.name!r}: normalises axis {axis}; only the last axis is supported")

    def value(name: str, quantizer: str, default: float) -> np.ndarray:
        variable = getattr(layer, name)
        if variable is None:
            return np.full(layer.moving_mean.shape, default)
        internal = getattr(layer, f"{quantizer}_quantizer_internal", None)
        return to_numpy(variable if internal is None else internal(variable))

    gamma = value("gamma", "gamma", 1.0) if layer.scale else 1.0
    beta = value("beta", "beta", 0.0) if layer.center else 0.0
    mean, variance = value("moving_mean", "mean", 0.0), value("moving_variance", "variance", 1.0)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    inverse = getattr(layer, "inverse_quantizer_internal", None)
    if inverse is not None:
        scale = to_numpy(inverse(scale.astype(np.float32)))
    return scale, beta - mean * scale
