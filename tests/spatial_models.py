"""Small Keras models on images and series: every kind of convolution, pooling and padding, alone and side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras_models import bits, dense, sequential, with_random_weights
from qkeras import (
    QActivation,
    QConv1D,
    QConv2D,
    QConv2DBatchnorm,
    QDepthwiseConv2D,
    QSeparableConv1D,
    QSeparableConv2D,
    binary,
    quantized_po2,
    ternary,
)

from fpgaq.quantize.quantizers import Codebook

L = keras.layers
Layers = Callable[[], list[Any]]
IMAGE, SERIES, PIXEL = (5, 6, 2), (7, 2), (1, 3)


def conv(filters: int, size: Any, kernel: Any = None, bias: Any = None, **options: Any) -> Any:
    """Return a convolution with quantized parameters; a series has a single number as its size."""
    cls = QConv1D if isinstance(size, int) else QConv2D
    if options.get("use_bias", True):
        options["bias_quantizer"] = bias or bits(5, 1)
    return cls(filters, size, kernel_quantizer=kernel or bits(4), **options)


def depthwise(size: Any, kernel: Any = None, **options: Any) -> Any:
    """Return a convolution of each channel with quantized parameters."""
    return QDepthwiseConv2D(size, depthwise_quantizer=kernel or bits(4), bias_quantizer=bits(5, 1), **options)


def separable(filters: int, size: Any, kernel: Any = None, **options: Any) -> Any:
    """Return a depthwise convolution and a matrix on its channels with quantized parameters."""
    parts = {"depthwise_quantizer": kernel or bits(4), "pointwise_quantizer": kernel or ternary(alpha=1)}
    cls = QSeparableConv1D if isinstance(size, int) else QSeparableConv2D
    return cls(filters, size, **parts, bias_quantizer=bits(5, 1), **options)


def act(width: int = 4) -> Any:
    """Return an unsigned activation."""
    return QActivation(f"quantized_relu({width},1)")


def signed(width: int = 4) -> Any:
    """Return a signed activation."""
    return QActivation(bits(width, 1))


IMAGES: dict[str, Layers] = {
    "valid": lambda: [conv(3, (3, 3))],
    "same": lambda: [conv(3, (3, 3), padding="same", strides=(2, 1)), act(), conv(2, (2, 4), padding="same")],
    "strides beyond the window": lambda: [conv(3, (2, 1), strides=(3, 4), padding="same")],
    "one pixel": lambda: [conv(3, (1, 1)), act(), conv(2, (1, 1), strides=(2, 3))],
    "the whole image": lambda: [conv(3, (5, 6)), signed(), conv(2, (1, 1))],
    "dilation": lambda: [
        conv(2, (3, 2), dilation_rate=(2, 3), padding="same"),
        act(),
        conv(2, (2, 2), dilation_rate=2),
    ],
    "alpha auto": lambda: [conv(3, (2, 2), bits(4, alpha="auto")), act(), conv(2, (2, 2), ternary(alpha="auto"))],
    "alpha auto_po2": lambda: [conv(3, (2, 2), bits(4, alpha="auto_po2")), act(), conv(2, (2, 2), ternary("auto_po2"))],
    "ternary": lambda: [conv(3, (2, 3), ternary(alpha=1), padding="same"), QActivation("ternary(alpha=1)")],
    "binary": lambda: [
        conv(3, (2, 3), binary(alpha=1), use_bias=False, padding="same"),
        QActivation("binary(alpha=1)"),
    ],
    "binary on signs": lambda: [
        QActivation("binary(alpha=1)"),
        conv(3, (2, 2), binary(alpha=1), bits(6, 2)),
        QActivation("quantized_relu(1,1)"),
        conv(2, (2, 2), binary(alpha=1), bits(6, 2)),
    ],
    "powers of two": lambda: [conv(3, (3, 2), quantized_po2(4), quantized_po2(4), strides=2)],
    "floats": lambda: [L.Conv2D(3, 3, activation="relu"), L.Conv2D(2, 2, use_bias=False, padding="same")],
    "batch norm": lambda: [conv(4, (2, 2)), L.BatchNormalization(), act(), conv(2, (2, 2)), L.BatchNormalization()],
    "folded batch norm": lambda: [QConv2DBatchnorm(3, 2, kernel_quantizer=bits(6, 2), bias_quantizer=bits(8, 3))],
    "activation argument": lambda: [conv(3, (2, 2), activation="quantized_relu(3)")],
    "codebook": lambda: [
        conv(3, (2, 2), Codebook([0, -6, -1, 2, 5, 9, 3], 0.125, 3)),
        act(),
        conv(2, (1, 2), Codebook([0, 1], 0.5, 1)),
    ],
    "max valid": lambda: [signed(), L.MaxPooling2D((2, 3), strides=(1, 2)), conv(2, (2, 2))],
    "max same, signed": lambda: [signed(), L.MaxPooling2D((2, 3), strides=(3, 1), padding="same")],
    "max same, unsigned": lambda: [act(), L.MaxPooling2D(3, strides=2, padding="same")],
    "average valid": lambda: [signed(), L.AveragePooling2D((2, 2)), conv(2, (1, 2))],
    "average same": lambda: [signed(), L.AveragePooling2D(2, padding="same", strides=(1, 2)), signed(5)],
    "average of nine": lambda: [conv(2, (2, 2)), L.AveragePooling2D(3, strides=1), signed(6)],
    "average of nine, same": lambda: [act(), L.AveragePooling2D(3, padding="same"), conv(2, (1, 1))],
    "global": lambda: [conv(3, (2, 2)), act(), L.GlobalAveragePooling2D(), dense(3)],
    "global maximum": lambda: [conv(3, (2, 2)), L.GlobalMaxPooling2D(), dense(3, ternary(alpha=1))],
    "depthwise": lambda: [depthwise((2, 3)), act(), depthwise((3, 2), ternary(alpha="auto"), padding="same")],
    "depthwise, float": lambda: [L.DepthwiseConv2D((2, 2), dilation_rate=(2, 1)), act(), conv(2, (1, 1))],
    "depthwise, strides": lambda: [depthwise((2, 2), binary(alpha=1), strides=(2, 2), padding="same")],
    "separable": lambda: [separable(3, (2, 2), padding="same"), act(), L.SeparableConv2D(2, 2, activation="relu")],
    "separable, alpha auto": lambda: [separable(2, (2, 3), bits(4, alpha="auto"), dilation_rate=(2, 1))],
    "padding": lambda: [L.ZeroPadding2D(((1, 0), (2, 1))), conv(2, (3, 3)), L.Flatten(), act(), dense(3)],
    "kept dimensions": lambda: [conv(3, (2, 2)), L.GlobalAveragePooling2D(keepdims=True), signed(6), conv(2, (1, 1))],
    "dense": lambda: [dense(3, activation="quantized_relu(4,1)"), dense(2, ternary(alpha="auto"))],
    "reshapes": lambda: [L.Reshape((10, 3, 2)), conv(2, (3, 2)), act(), L.Reshape((8, 4)), conv(2, 3)],
}
ALL_SERIES: dict[str, Layers] = {
    "valid": lambda: [conv(3, 3), act(), conv(2, 2, strides=2)],
    "same": lambda: [conv(3, 4, padding="same", strides=3)],
    "causal": lambda: [L.Conv1D(3, 3, padding="causal", dilation_rate=2), act(), L.Conv1D(2, 2, padding="causal")],
    "dilation": lambda: [conv(3, 2, dilation_rate=3), act(), conv(2, 3, padding="same", dilation_rate=2)],
    "one sample": lambda: [conv(3, 1), act(), conv(2, 1, strides=7)],
    "the whole series": lambda: [
        conv(3, 7, ternary(alpha="auto")),
        L.BatchNormalization(),
        act(),
        L.Flatten(),
        dense(2),
    ],
    "depthwise": lambda: [L.DepthwiseConv1D(3, padding="same", strides=2), act(), conv(2, 2)],
    "separable": lambda: [L.SeparableConv1D(3, 2, padding="same"), act(), separable(2, 2)],
    "max": lambda: [signed(), L.MaxPooling1D(2), conv(2, 2)],
    "max same": lambda: [
        act(),
        L.MaxPooling1D(3, strides=2, padding="same"),
        signed(3),
        L.MaxPooling1D(2, padding="same"),
    ],
    "average": lambda: [signed(), L.AveragePooling1D(4, strides=1), L.AveragePooling1D(2, padding="same", strides=3)],
    "average of three": lambda: [signed(), L.AveragePooling1D(3, padding="same", strides=2), conv(2, 2)],
    "global": lambda: [conv(2, 2), L.GlobalAveragePooling1D(), dense(2)],
    "global maximum": lambda: [L.GlobalMaxPooling1D(), dense(2)],
    "kept dimensions": lambda: [signed(), L.GlobalMaxPooling1D(keepdims=True)],
    "dense": lambda: [dense(3, ternary(alpha=1)), L.BatchNormalization(), act(), L.Dense(2)],
    "padding": lambda: [L.ZeroPadding1D((2, 1)), conv(2, 4, binary(alpha=1)), QActivation("ternary(alpha=1)")],
}
PIXELS: dict[str, Layers] = {
    "one matrix": lambda: [conv(2, 1), act(), conv(2, 1, ternary(alpha=1))],
}
SHAPES: dict[tuple[int, ...], Mapping[str, Layers]] = {IMAGE: IMAGES, SERIES: ALL_SERIES, PIXEL: PIXELS}


def alone(shape: tuple[int, ...], name: str, seed: int = 0) -> Any:
    """Return one of the models."""
    return sequential(*SHAPES[shape][name](), inputs=shape, seed=seed)


def side_by_side(*shapes: tuple[int, ...], seed: int = 0) -> Any:
    """Return a model of all the models on some shapes: an input for each shape, an output for each model."""
    return with_random_weights(keras.Model(*ends({shape: SHAPES[shape] for shape in shapes})), seed)


def ends(models: Mapping[tuple[int, ...], Iterable[str]]) -> tuple[list[Any], list[Any]]:
    """Return inputs and outputs of models that are named by shape."""
    inputs, outputs = [], []
    for shape, names in models.items():
        inputs.append(keras.Input(shape, name="x".join(["features", *map(str, shape)])))
        for name in names:
            tensor = inputs[-1]
            for n, layer in enumerate(SHAPES[shape][name]()):
                layer.name = f"{name.replace(', ', '_').replace(' ', '_')}_{len(inputs)}_{n}"
                tensor = layer(tensor)
            outputs.append(tensor)
    return inputs, outputs
