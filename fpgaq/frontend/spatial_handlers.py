"""hls4ml's Keras 3 handlers for layers on images and series; importing this module registers them.

They replace hls4ml's own, which drop a dilation, know no QKeras quantizers, and give the margin of an unsigned maximum
a value that is not the least one.
"""

from __future__ import annotations

from typing import Any

from hls4ml.converters.keras_v3._base import KerasV3LayerHandler

from fpgaq.frontend.chains import Chain, LayerDict, add_activation, add_matrix
from fpgaq.frontend.spatial import ENDS, Geometry, keras_geometry, lengths

_KERAS = "keras.src.layers"


def convolution_geometry(layer: Any) -> Geometry:
    """Return the window of a convolution."""
    image = layer.input.shape[1:-1]
    return keras_geometry(image, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding.lower())


def pooling_geometry(layer: Any) -> Geometry:
    """Return the window of a pooling layer."""
    image = layer.input.shape[1:-1]
    return keras_geometry(image, layer.pool_size, layer.strides, [1] * len(image), layer.padding.lower())


class ConvolutionHandler(KerasV3LayerHandler):
    """(Q)Conv1D and (Q)Conv2D: matrix, scale of alpha='auto', activation."""

    handles = (
        f"{_KERAS}.convolutional.conv1d.Conv1D",
        f"{_KERAS}.convolutional.conv2d.Conv2D",
        "qkeras.qconvolutional.QConv1D",
        "qkeras.qconvolutional.QConv2D",
        "qkeras.qconv2d_batchnorm.QConv2DBatchnorm",
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        kernel, bias = layer.kernel, layer.bias if layer.use_bias else None
        if hasattr(layer, "get_folded_weights"):
            kernel, bias = layer.get_folded_weights()
        geometry = convolution_geometry(layer)
        chain = Chain(layer, in_tensors, out_tensors)
        add_matrix(
            chain,
            layer,
            getattr(layer, "kernel_quantizer_internal", None),
            kernel,
            bias,
            class_name=f"Conv{geometry.axes}D",
            n_chan=int(kernel.shape[-2]),
            n_filt=int(kernel.shape[-1]),
            **lengths("in", chain.in_shape),
            **lengths("out", chain.out_shape),
            **geometry.attributes("filt"),
        )
        add_activation(chain, layer)
        return chain.done()


class DepthwiseHandler(KerasV3LayerHandler):
    """(Q)DepthwiseConv: one filter for each channel, scale of alpha='auto', activation."""

    handles = (
        f"{_KERAS}.convolutional.depthwise_conv1d.DepthwiseConv1D",
        f"{_KERAS}.convolutional.depthwise_conv2d.DepthwiseConv2D",
        "qkeras.qconvolutional.QDepthwiseConv2D",
        "qkeras.qdepthwiseconv2d_batchnorm.QDepthwiseConv2DBatchnorm",
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        kernel = layer.depthwise_kernel if hasattr(layer, "depthwise_kernel") else layer.kernel
        bias = layer.bias if layer.use_bias else None
        if hasattr(layer, "get_folded_weights"):
            kernel, bias = layer.get_folded_weights()
        geometry = convolution_geometry(layer)
        chain = Chain(layer, in_tensors, out_tensors)
        add_matrix(
            chain,
            layer,
            getattr(layer, "depthwise_quantizer_internal", None),
            kernel,
            bias,
            class_name=f"DepthwiseConv{geometry.axes}D",
            n_chan=chain.in_shape[-1],
            n_filt=chain.in_shape[-1],
            **lengths("in", chain.in_shape),
            **lengths("out", chain.out_shape),
            **geometry.attributes("filt"),
        )
        add_activation(chain, layer)
        return _with_depthwise_data(chain)


def _with_depthwise_data(chain: Chain) -> tuple[LayerDict, ...]:
    """Return the descriptions, with the weights of depthwise convolutions where hls4ml looks for them."""
    return tuple(
        {**description, "depthwise_data": description["weight_data"]}
        if description["class_name"].startswith("Depthwise")
        else description
        for description in chain.done()
    )


class SeparableHandler(KerasV3LayerHandler):
    """(Q)SeparableConv: one filter for each channel, then a matrix on the channels of every pixel."""

    handles = (
        f"{_KERAS}.convolutional.separable_conv1d.SeparableConv1D",
        f"{_KERAS}.convolutional.separable_conv2d.SeparableConv2D",
        "qkeras.qconvolutional.QSeparableConv1D",
        "qkeras.qconvolutional.QSeparableConv2D",
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        geometry = convolution_geometry(layer)
        chain = Chain(layer, in_tensors, out_tensors)
        channels, (*image, filters) = chain.in_shape[-1], chain.out_shape
        add_matrix(
            chain,
            layer,
            getattr(layer, "depthwise_quantizer_internal", None),
            layer.depthwise_kernel,
            None,
            name=f"{layer.name}_depthwise",
            part_of=layer.name,
            shape=[*image, channels],
            class_name=f"DepthwiseConv{geometry.axes}D",
            n_chan=channels,
            n_filt=channels,
            **lengths("in", chain.in_shape),
            **lengths("out", chain.out_shape),
            **geometry.attributes("filt"),
        )
        ones = [1] * geometry.axes
        add_matrix(
            chain,
            layer,
            getattr(layer, "pointwise_quantizer_internal", None),
            layer.pointwise_kernel,
            layer.bias if layer.use_bias else None,
            class_name=f"Conv{geometry.axes}D",
            n_chan=channels,
            n_filt=filters,
            **lengths("in", chain.out_shape),
            **lengths("out", chain.out_shape),
            **keras_geometry(image, ones, ones, ones, "valid").attributes("filt"),
        )
        add_activation(chain, layer)
        return _with_depthwise_data(chain)


class PoolingHandler(KerasV3LayerHandler):
    """Maximum and average of windows; a maximum has its margin in a layer of its own."""

    handles = tuple(
        f"{_KERAS}.pooling.{kind.lower()}_pooling{axes}d.{kind}Pooling{axes}D"
        for kind in ("Max", "Average")
        for axes in (1, 2)
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        geometry = pooling_geometry(layer)
        chain = Chain(layer, in_tensors, out_tensors)
        if geometry.padded and type(layer).__name__.startswith("Max"):
            geometry = _with_margin_layer(chain, layer.name, geometry)
        image, pooled = chain.in_shape, chain.out_shape
        sizes: LayerDict = {"n_in": image[0], "n_out": pooled[0]} if geometry.axes == 1 else {}
        chain.add(
            layer.name,
            class_name=type(layer).__name__,
            n_filt=image[-1],
            **sizes,
            **lengths("in", image),
            **lengths("out", pooled),
            **geometry.attributes("pool"),
        )
        return chain.done()


def _with_margin_layer(chain: Chain, name: str, geometry: Geometry) -> Geometry:
    """Append a layer that makes the margin, and return the geometry of the layer behind it."""
    *image, channels = chain.in_shape
    padded = [n + b + a for n, b, a in zip(image, geometry.before, geometry.after, strict=True)]
    shape = [*padded, channels]
    sizes = {**lengths("in", chain.in_shape), **lengths("out", shape)}
    chain.add(f"{name}_margin", shape=shape, class_name="Margin", n_chan=channels, **sizes, **geometry.margins)
    none = (0,) * geometry.axes
    return Geometry(geometry.size, geometry.stride, geometry.dilation, none, none)


class GlobalPoolingHandler(KerasV3LayerHandler):
    """Maximum and average of an image or a series."""

    handles = tuple(
        f"{_KERAS}.pooling.global_{kind.lower()}_pooling{axes}d.Global{kind}Pooling{axes}D"
        for kind in ("Max", "Average")
        for axes in (1, 2)
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = Chain(layer, in_tensors, out_tensors)
        *image, channels = chain.in_shape
        sizes = {"n_in": image[0]} if len(image) == 1 else lengths("in", chain.in_shape)
        chain.add(layer.name, shape=[channels], class_name=type(layer).__name__, n_filt=channels, **sizes)
        if layer.keepdims:
            chain.add(f"{layer.name}_pixel", class_name="Reshape", target_shape=chain.out_shape)
        return chain.done()


class ZeroPaddingHandler(KerasV3LayerHandler):
    """Zeros around an image or a series."""

    handles = tuple(f"{_KERAS}.reshaping.zero_padding{axes}d.ZeroPadding{axes}D" for axes in (1, 2))

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = Chain(layer, in_tensors, out_tensors)
        margins = [layer.padding] if len(chain.in_shape) == 2 else layer.padding
        ends = zip(ENDS[-len(margins) :], margins, strict=True)
        pads: LayerDict = {f"pad_{end}": int(n) for names, pair in ends for end, n in zip(names, pair, strict=True)}
        chain.add(
            layer.name,
            class_name=type(layer).__name__,
            n_chan=chain.in_shape[-1],
            **lengths("in", chain.in_shape),
            **lengths("out", chain.out_shape),
            **pads,
        )
        return chain.done()


class ArrangeHandler(KerasV3LayerHandler):
    """Cropping1D/2D, UpSampling1D/2D and Permute."""

    handles = (
        *(f"{_KERAS}.reshaping.cropping{axes}d.Cropping{axes}D" for axes in (1, 2)),
        *(f"{_KERAS}.reshaping.up_sampling{axes}d.UpSampling{axes}D" for axes in (1, 2)),
        f"{_KERAS}.reshaping.permute.Permute",
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        chain = Chain(layer, in_tensors, out_tensors)
        kind, series = type(layer).__name__, len(chain.in_shape) == 2
        if kind.startswith("Cropping"):
            pairs = [layer.cropping] if series else layer.cropping
            operation, parameters = "crop", [int(before) for before, _ in pairs]
        elif kind.startswith("UpSampling"):
            operation, parameters = "repeat", [int(layer.size)] if series else [int(n) for n in layer.size]
        else:
            operation, parameters = "permute", [int(axis) - 1 for axis in layer.dims]
        options: LayerDict = {"operation": operation, "parameters": parameters, "out_shape": chain.out_shape}
        chain.add(layer.name, class_name="Arrange", **options)
        return chain.done()
