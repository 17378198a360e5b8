"""Layers as matrix products: what a kernel is multiplied with, sample by sample and pixel by pixel.

A kernel becomes an array (groups, inputs, outputs), what it reads (groups, rows, inputs). A depthwise convolution has a
group for every channel, the others have one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ModelError

Real = NDArray[np.float64]

#: Layers whose kernels can be rounded, as Keras and QKeras call them.
LAYERS = ("Dense", "Conv1D", "Conv2D", "DepthwiseConv2D")


def kind_of(layer: Any) -> str:
    """Return Keras' class name of a layer that may be QKeras'."""
    return type(layer).__name__.removeprefix("Q")


def check_layout(layer: Any) -> None:
    """Refuse what is no plain matrix product.

    Raises
    ------
    ModelError
        Naming the layer and the option.
    """
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise ModelError(f"layer {layer.name!r}: data_format={layer.data_format!r} is not supported; use channels_last")
    if kind_of(layer) != "DepthwiseConv2D" and getattr(layer, "groups", 1) != 1:
        raise ModelError(
            f"layer {layer.name!r}: groups={layer.groups} is not supported; use one convolution for each group, or "
            "DepthwiseConv2D"
        )
    if getattr(layer, "padding", "valid") == "causal":
        raise ModelError(
            f"layer {layer.name!r}: padding='causal' is not supported: QKeras cannot compute it; use ZeroPadding1D and "
            "padding='valid'"
        )


def as_matrix(layer: Any, kernel: Any) -> Real:
    """Return a kernel as (groups, inputs, outputs)."""
    values = np.asarray(kernel, np.float64)
    if kind_of(layer) == "DepthwiseConv2D":
        height, width, channels, filters = values.shape
        return values.reshape(height * width, channels, filters).transpose(1, 0, 2)
    return values.reshape(1, -1, values.shape[-1])


def as_kernel(layer: Any, matrix: Real) -> Real:
    """Return what `as_matrix` took apart."""
    shape = tuple(layer.weights[0].shape)
    if kind_of(layer) == "DepthwiseConv2D":
        return matrix.transpose(1, 0, 2).reshape(shape)
    return matrix.reshape(shape)


def rows_of(layer: Any, inputs: Any) -> Real:
    """Return what the kernel of a layer is multiplied with, as (groups, rows, inputs)."""
    kind = kind_of(layer)
    if kind == "Dense":
        values = np.asarray(inputs, np.float64)
        return values.reshape(1, -1, values.shape[-1])
    patches = _patches(layer, inputs)
    if kind == "DepthwiseConv2D":
        channels = int(inputs.shape[-1])
        return patches.reshape(len(patches), -1, channels).transpose(2, 0, 1)
    return patches[np.newaxis]


def _patches(layer: Any, inputs: Any) -> Real:
    """Return the window of every output pixel: rows, then columns, then channels."""
    import tensorflow as tf

    size, strides, dilation = (tuple(getattr(layer, k)) for k in ("kernel_size", "strides", "dilation_rate"))
    padding = layer.padding.upper()
    images = tf.convert_to_tensor(inputs)
    if len(size) == 1:
        images, size, strides, dilation = images[:, None], (1, *size), (1, *strides), (1, *dilation)
    found = tf.image.extract_patches(images, (1, *size, 1), (1, *strides, 1), (1, *dilation, 1), padding)
    return np.asarray(found, np.float64).reshape(-1, found.shape[-1])
