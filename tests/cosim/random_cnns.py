"""Random convolutional networks in Keras: images and series, branches, every layer and number format, schedules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras_models import bits, dense, lowered, with_random_weights
from qkeras import QActivation, QBatchNormalization, binary, quantized_po2, ternary
from spatial_models import conv, depthwise, separable

from fpgaq.design import Design

L = keras.layers
#: What all networks have in common, so that several of them can be compiled as one.
OPTIONS = {
    "input_precision": "fixed<5,2>",
    "weight_precision": 6,
    "activation_precision": 7,
    "scale_precision": 6,
    "curve_precision": 5,
}
#: Pixels of a tensor, and operations between input and head.
_MOST_PIXELS, _MOST_DEPTH = 60, 6
_ACTIVATIONS = (
    *(
        "quantized_relu(4,1)",
        "quantized_relu(3,2,negative_slope=0.25)",
        "quantized_bits(4,1,alpha=1)",
        "binary(alpha=1)",
    ),
    *("ternary(alpha=1)", "quantized_tanh(4)", "quantized_sigmoid(4)", "quantized_po2(4)", "quantized_relu(6,2)"),
    *("quantized_bits(5,2,symmetric=True,alpha=1)", "quantized_relu_po2(3)", "quantized_linear(5,1,alpha=1)"),
)
_CURVES = ("tanh", "sigmoid", "hard_sigmoid", "softsign", "elu", "selu", "leaky_relu", "hard_tanh", "relu6")
_MERGES = (L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum)


def _kernel(rng: np.random.Generator) -> Any:
    width = int(rng.integers(2, 6))
    return (
        *(bits(width), bits(width, 1), bits(4, alpha="auto_po2"), bits(4, alpha="auto"), ternary(alpha=1)),
        *(ternary(alpha="auto"), binary(alpha=1), quantized_po2(4)),
    )[rng.integers(8)]


class _Network:
    """A network under construction; `reuse` has the matrices that are folded."""

    def __init__(self, seed: int, name: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.name = name
        self.reuse: dict[str, dict[str, int]] = {}
        self.count = 0

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def one_of(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def called(self, op: str) -> str:
        self.count += 1
        return f"{self.name}_{op}{self.count}"

    def fold(self, layer: str, n_in: int, n_out: int = 1) -> None:
        """Perhaps give a matrix one of its reuse factors; those of convolutions are at most n_in."""
        legal = [r for r in range(2, n_in + 1) if n_in % r == 0]
        legal += [n_in * r for r in range(2, n_out + 1) if n_out % r == 0]
        if legal and self.chance(0.3):
            self.reuse[layer] = {"reuse_factor": int(self.one_of(legal))}

    # --- one tensor -----------------------------------------------------------------------------------------------

    def conv(self, x: Any, *, filters: int = 0, kept: bool = False) -> Any:
        """A convolution of any kind; `kept` says that the result has as many pixels."""
        axes, name = len(x.shape) - 2, self.called("conv")
        size = [1] * axes if self.chance(0.2) else [int(self.rng.integers(1, min(n, 3) + 1)) for n in x.shape[1:-1]]
        padding = "same" if kept or self.chance(0.5) else "valid"
        steps: dict[str, Any] = {}
        if not kept and self.chance(0.3):
            steps["strides"] = [int(s) for s in self.rng.integers(1, 3, axes)]
        elif self.chance(0.3):
            steps["dilation_rate"] = [
                int(self.rng.integers(1, 3)) if padding == "same" or 2 * n - 1 <= m else 1
                for n, m in zip(size, x.shape[1:-1], strict=True)
            ]
        filters = filters or int(self.rng.integers(1, 5))
        common = {"name": name, "padding": padding, "use_bias": self.chance(0.8)}
        common |= {what: tuple(n) if axes == 2 else n[0] for what, n in steps.items()}
        if axes == 1 and padding == "same" and self.chance(0.4):
            common["padding"] = "causal"
        self.fold(name, math.prod(size) * x.shape[-1])
        shape = tuple(size) if axes == 2 else size[0]
        if self.chance(0.2):
            activation = self.one_of([None, "relu", "tanh"])
            return (L.Conv2D if axes == 2 else L.Conv1D)(filters, shape, activation=activation, **common)(x)
        if self.chance(0.2):
            common["activation"] = "quantized_relu(4,1)"
        return conv(filters, shape, _kernel(self.rng), **common)(x)

    def channels_alone(self, x: Any, *, kept: bool = False) -> Any:
        """A convolution of each channel, perhaps with a matrix on the channels behind it."""
        axes, name = len(x.shape) - 2, self.called("depthwise")
        size = [int(self.rng.integers(1, min(n, 3) + 1)) for n in x.shape[1:-1]]
        stride = 1 if kept else int(self.rng.integers(1, 3))
        common: dict[str, Any] = {"name": name, "padding": "same" if kept or self.chance(0.5) else "valid"}
        shape = tuple(size) if axes == 2 else size[0]
        if not kept and self.chance(0.4):
            return separable(int(self.rng.integers(1, 4)), shape, _kernel(self.rng), strides=stride, **common)(x)
        if axes == 1:
            return L.DepthwiseConv1D(shape, strides=stride, **common)(x)
        return depthwise(shape, _kernel(self.rng), strides=(stride, stride), **common)(x)

    def pool(self, x: Any) -> Any:
        axes = len(x.shape) - 2
        kinds = {1: (L.MaxPooling1D, L.AveragePooling1D), 2: (L.MaxPooling2D, L.AveragePooling2D)}[axes]
        size = [int(self.rng.integers(1, min(n, 3) + 1)) for n in x.shape[1:-1]]
        stride = [int(s) for s in self.rng.integers(1, 3, axes)]
        pool, strides = (tuple(size), tuple(stride)) if axes == 2 else (size[0], stride[0])
        padding = self.one_of(["same", "valid"])
        return self.one_of(kinds)(pool, strides=strides, padding=padding, name=self.called("pool"))(x)

    def arrange(self, x: Any) -> Any:
        """A margin, dropped edges or repeated pixels."""
        shape = x.shape[1:-1]
        ends = [tuple(int(n) for n in self.rng.integers(0, 3, 2)) for _ in shape]
        kind = self.one_of(["pad", "crop", "repeat"])
        if kind == "crop":
            ends = [(min(a, n - 1), min(b, n - 1 - min(a, n - 1))) for (a, b), n in zip(ends, shape, strict=True)]
            layers: tuple[Any, Any] = (L.Cropping1D, L.Cropping2D)
        elif kind == "pad":
            layers = (L.ZeroPadding1D, L.ZeroPadding2D)
        else:
            times = tuple(int(n) for n in self.rng.integers(1, 3, len(shape)))
            made = (L.UpSampling1D, L.UpSampling2D)[len(shape) - 1]
            return made(times if len(shape) == 2 else times[0], name=self.called("repeat"))(x)
        return layers[len(shape) - 1](ends if len(shape) == 2 else ends[0], name=self.called(kind))(x)

    def elementwise(self, x: Any) -> Any:
        """An activation, a curve, slopes, or a batch normalization."""
        kind = int(self.rng.integers(6))
        if kind < 2:
            return QActivation(self.one_of(_ACTIVATIONS), name=self.called("act"))(x)
        if kind == 2:
            return L.Activation(self.one_of(_CURVES), name=self.called("curve"))(x)
        if kind == 3:
            slopes = {"name": self.called("slopes")}
            if self.chance(0.5):
                return L.PReLU(shared_axes=list(range(1, len(x.shape) - 1)) or None, **slopes)(x)
            return L.LeakyReLU(negative_slope=self.one_of([0.25, 0.125, 0.3]), **slopes)(x)
        if kind == 4:
            return L.ReLU(self.one_of([None, 2, 1.5]), name=self.called("relu"))(x)
        made = L.BatchNormalization if self.chance(0.7) else QBatchNormalization
        return made(name=self.called("norm"))(x)

    # --- several tensors ------------------------------------------------------------------------------------------

    def branch(self, x: Any) -> Any:
        """A way around with as many pixels and channels, of at most two operations."""
        for _ in range(int(self.rng.integers(0, 3))):
            way = self.one_of([0, 1, 2])
            if way == 0:
                x = self.conv(x, filters=x.shape[-1], kept=True)
            elif way == 1:
                x = self.channels_alone(x, kept=True)
            else:
                x = self.elementwise(x)
        return x

    def merge(self, x: Any) -> Any:
        """Branches that meet again, perhaps three."""
        layer = self.one_of(_MERGES)
        tensors = [x, *(self.branch(x) for _ in range(1 if layer is L.Subtract else int(self.rng.integers(1, 3))))]
        self.rng.shuffle(tensors)
        if layer is L.Average:  # a quotient needs twice the bits of its sum, of which there are 63
            tensors = [QActivation("quantized_bits(6,2,alpha=1)", name=self.called("short"))(t) for t in tensors]
        return self.cast(layer(name=self.called(layer.__name__.lower()))(tensors))

    def excite(self, x: Any) -> Any:
        """A number for each channel from the whole frame, for all of its pixels."""
        axes = len(x.shape) - 2
        pools = ((L.GlobalAveragePooling1D, L.GlobalMaxPooling1D), (L.GlobalAveragePooling2D, L.GlobalMaxPooling2D))
        squeezed = self.one_of(pools[axes - 1])(name=self.called("squeeze"))(x)
        name, channels = self.called("excite"), x.shape[-1]
        self.fold(name, channels, channels)
        factors = QActivation("quantized_relu(4,1)", name=f"{name}_act")(dense(channels, name=name)(squeezed))
        if self.chance(0.5):
            factors = L.Reshape((*[1] * axes, channels), name=f"{name}_pixel")(factors)
        layer = self.one_of([L.Multiply, L.Add, L.Maximum])
        return self.cast(layer(name=self.called("scaled"))([x, factors]))

    def concatenate(self, x: Any) -> Any:
        """Channels, rows, columns or series behind each other."""
        axis = int(self.rng.integers(1, len(x.shape)))
        tensors = [x, self.branch(x), *([x] if self.chance(0.3) else [])]
        self.rng.shuffle(tensors)
        return L.Concatenate(axis=axis, name=self.called("concat"))(tensors)

    def cast(self, x: Any) -> Any:
        """An activation that keeps products and sums of sums from growing."""
        return QActivation(self.one_of(_ACTIVATIONS[:3]), name=self.called("cast"))(x)

    def reshape(self, x: Any) -> Any:
        """An image as a series, or a vector and a new image."""
        if self.chance(0.5) and len(x.shape) == 4:
            return L.Reshape((math.prod(x.shape[1:-1]), x.shape[-1]), name=self.called("series"))(x)
        flat = L.Flatten(name=self.called("flat"))(x)
        name, shape = self.called("decoder"), self.one_of([(2, 3, 2), (3, 2, 1), (5, 2)])
        self.fold(name, flat.shape[-1], math.prod(shape))
        return L.Reshape(shape, name=f"{name}_image")(dense(math.prod(shape), _kernel(self.rng), name=name)(flat))

    # --- all of it ------------------------------------------------------------------------------------------------

    def grown(self, x: Any) -> Any:
        """Return what a random network makes of a tensor."""
        likely: list[tuple[Callable[[Any], Any], int]] = [
            *((self.conv, 6), (self.elementwise, 5), (self.pool, 3), (self.channels_alone, 3), (self.arrange, 3)),
            *((self.merge, 4), (self.concatenate, 3), (self.excite, 2), (self.reshape, 1)),
        ]
        ways = [way for way, weight in likely for _ in range(weight)]
        for _ in range(int(self.rng.integers(2, _MOST_DEPTH + 1))):
            grown = self.one_of(ways)(x)
            x = grown if math.prod(grown.shape[1:-1]) <= _MOST_PIXELS and grown.shape[-1] <= 8 else x
        return self.head(x) if self.chance(0.6) else x

    def head(self, x: Any) -> Any:
        """A vector, perhaps classes."""
        axes = len(x.shape) - 2
        global_pools = (
            (L.GlobalAveragePooling1D, L.GlobalMaxPooling1D),
            (L.GlobalAveragePooling2D, L.GlobalMaxPooling2D),
        )
        layer = self.one_of([L.Flatten, L.Flatten, *global_pools[axes - 1]])
        x = layer(name=self.called("vector"))(x)
        name, units = self.called("dense"), int(self.rng.integers(2, 5))
        if self.chance(0.8):
            self.fold(name, x.shape[-1], units)
            x = dense(units, _kernel(self.rng), name=name)(x)
            x = self.elementwise(x) if self.chance(0.3) else x
            if self.chance(0.4):
                x = L.Softmax(name=self.called("classes"))(x)
        return x


@dataclass(frozen=True)
class RandomCnn:
    """A network of a seed: input, output, and the options of its layers."""

    source: Any
    result: Any
    layers: dict[str, dict[str, int]]

    @property
    def classifies(self) -> bool:
        """Whether it ends in a softmax."""
        return isinstance(self.result._keras_history.operation, L.Softmax)


def random_cnn(seed: int) -> RandomCnn:
    """Return the network of a seed, the same on every machine."""
    network = _Network(seed, f"cnn{seed}")
    size = tuple(int(n) for n in network.rng.integers(2, 7, 1 if network.chance(0.3) else 2))
    source = keras.Input((*size, int(network.rng.integers(1, 4))), name=f"cnn{seed}_x")
    keras.utils.set_random_seed(seed)
    result = network.grown(source)
    return RandomCnn(source, network.elementwise(source) if result is source else result, network.reuse)


def random_design(seed: int, folder: Path, **options: Any) -> Design:
    """Convert the network of a seed."""
    cnn = random_cnn(seed)
    head = ("softmax", "argmax", "logits")[seed % 3] if cnn.classifies else "logits"
    model = with_random_weights(keras.Model(cnn.source, cnn.result), seed)
    return lowered(model, f"cnn{seed}", folder=folder, **OPTIONS, head=head, layers=cnn.layers, **options)


def together(seeds: Sequence[int], folder: Path, **options: Any) -> Design:
    """Convert the networks of several seeds as one with as many inputs and outputs."""
    found = [random_cnn(seed) for seed in seeds]
    head = "softmax" if all(cnn.classifies for cnn in found) else "logits"
    layers = {name: choice for cnn in found for name, choice in cnn.layers.items()}
    model = keras.Model([cnn.source for cnn in found], [cnn.result for cnn in found])
    model = with_random_weights(model, seeds[0])
    return lowered(model, "cnns", folder=folder, **OPTIONS, head=head, layers=layers, **options)
