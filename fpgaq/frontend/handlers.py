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
from fpgaq.frontend.chains import (
    Chain,
    LayerDict,
    activation_dict,
    add_activation,
    add_matrix,
    function_dict,
    leaky_dict,
    to_numpy,
)
from fpgaq.frontend.spatial import keras_geometry, lengths


def _add_dense(chain: Chain, layer: Any, kernel: Any, bias: Any) -> None:
    """Append a matrix on a vector, or one on every pixel, which hls4ml calls a convolution."""
    n_in, n_out = map(int, kernel.shape)
    quantizer = getattr(layer, "kernel_quantizer_internal", None)
    if len(chain.in_shape) == 1:
        add_matrix(chain, layer, quantizer, kernel, bias, class_name="Dense", n_in=n_in, n_out=n_out)
        return
    if len(chain.in_shape) > 3:
        raise ModelError(
            f"layer {layer.name!r}: Dense on shape {chain.in_shape} is not supported, only on vectors, series and "
            "images; use a Reshape"
        )
    ones = [1] * (len(chain.in_shape) - 1)
    add_matrix(
        chain,
        layer,
        quantizer,
        kernel,
        bias,
        window=ones,
        class_name=f"Conv{len(ones)}D",
        n_chan=n_in,
        n_filt=n_out,
        **lengths("in", chain.in_shape),
        **lengths("out", chain.out_shape),
        **keras_geometry(chain.in_shape[:-1], ones, ones, ones, "valid").attributes("filt"),
    )


class DenseHandler(KerasV3LayerHandler):
    """(Q)Dense: matrix, scale of alpha='auto', activation."""

    handles = ("keras.src.layers.core.dense.Dense", "qkeras.qlayers.QDense")

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = Chain(layer, in_tensors, out_tensors)
        _add_dense(chain, layer, layer.kernel, layer.bias if layer.use_bias else None)
        add_activation(chain, layer)
        return chain.done()


class QDenseBatchnormHandler(KerasV3LayerHandler):
    """QDenseBatchnorm: the kernel with the batch normalization folded in is what gets quantized."""

    handles = ("qkeras.qdense_batchnorm.QDenseBatchnorm",)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        kernel, bias = layer.get_folded_weights()
        chain = Chain(layer, in_tensors, out_tensors)
        _add_dense(chain, layer, kernel, bias)
        add_activation(chain, layer)
        return chain.done()


class QActivationHandler(KerasV3LayerHandler):
    """QActivation: a cast, a rectified cast or a staircase."""

    handles = ("qkeras.qlayers.QActivation",)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = Chain(layer, in_tensors, out_tensors)
        chain.add(layer.name, **activation_dict(layer.name, layer.activation))
        return chain.done()


class ReluHandler(KerasV3LayerHandler):
    """ReLU: a rectifier, with or without an upper limit, and with or without a slope for negative values."""

    handles = ("keras.src.layers.activations.relu.ReLU",)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = Chain(layer, in_tensors, out_tensors)
        most = None if layer.max_value in (None, float("inf")) else float(layer.max_value)
        if layer.negative_slope:
            if most is not None:
                chain.add(f"{layer.name}_limit", class_name="Clip", limits=[-float("inf"), most])
            chain.add(layer.name, **leaky_dict(leaky_slopes(layer)))
        elif most is None:
            chain.add(layer.name, class_name="Activation", activation="relu")
        else:
            chain.add(layer.name, class_name="Clip", limits=[0.0, most])
        return chain.done()


class LeakyHandler(KerasV3LayerHandler):
    """LeakyReLU and PReLU: a rectifier with a slope for negative values."""

    handles = (
        "keras.src.layers.activations.leaky_relu.LeakyReLU",
        "keras.src.layers.activations.prelu.PReLU",
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = Chain(layer, in_tensors, out_tensors)
        chain.add(layer.name, **leaky_dict(leaky_slopes(layer)))
        return chain.done()


def leaky_slopes(layer: Any) -> np.ndarray:
    """Return the slope of every channel of a rectifier."""
    slopes = layer.negative_slope if hasattr(layer, "negative_slope") else to_numpy(layer.alpha).reshape(-1)
    return np.broadcast_to(np.asarray(slopes, np.float64), layer.output.shape[-1:])


class FunctionHandler(ActivationHandler):
    """Activation: functions that hls4ml has no layer for, besides those that it knows."""

    handles = ActivationHandler.handles

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        kind = function_dict(layer.activation, int(out_tensors[0].shape[-1]))
        if kind is None:
            return super().handle(layer, in_tensors, out_tensors)
        chain = Chain(layer, in_tensors, out_tensors)
        chain.add(layer.name, **kind)
        return chain.done()


class EluHandler(KerasV3LayerHandler):
    """ELU: the function of the same name."""

    handles = ("keras.src.layers.activations.elu.ELU",)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = Chain(layer, in_tensors, out_tensors)
        chain.add(layer.name, class_name="Curve", function="elu")
        return chain.done()


class BatchNormalizationHandler(KerasV3LayerHandler):
    """(Q)BatchNormalization, Normalization, Rescaling: one scale and one bias per channel."""

    handles = (
        "keras.src.layers.preprocessing.normalization.Normalization",
        "keras.src.layers.preprocessing.rescaling.Rescaling",
        "keras.src.layers.normalization.batch_normalization.BatchNormalization",
        "qkeras.qnormalization.QBatchNormalization",
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        scale, bias = affine_factors(layer)
        chain = Chain(layer, in_tensors, out_tensors)
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


def affine_factors(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return scale and bias of every channel, float64, of a layer that is nothing else."""
    kind = type(layer).__name__
    if kind not in ("Normalization", "Rescaling"):
        return batch_normalization_factors(layer)
    if kind == "Rescaling":
        factors = (np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64))
    else:
        import keras

        mean = to_numpy(layer.mean)
        deviation = np.maximum(np.sqrt(to_numpy(layer.variance)), keras.backend.epsilon())
        factors = (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
    channels = int(layer.output.shape[-1])
    if any(factor.size > 1 and factor.shape != (*[1] * (factor.ndim - 1), channels) for factor in factors):
        raise ModelError(
            f"layer {layer.name!r}: {kind} with a number for every element is not supported: every pixel goes through "
            "the same hardware; use a number for each channel, the last axis"
        )
    scale, bias = (np.broadcast_to(factor.reshape(-1), channels) for factor in factors)
    return scale, bias


def batch_normalization_factors(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return scale and bias, float64, that a (Q)BatchNormalization layer applies at inference."""
    axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) else layer.axis
    if axis not in (-1, len(layer.input.shape) - 1):
        raise ModelError(f"layer {layer.name!r}: normalises axis {axis}; use the last axis, perhaps behind a Permute")

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
