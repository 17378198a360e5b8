"""Convolutional networks with fixed-seed weights, as integer graphs: 4-bit weights, unsigned 4-bit activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Input, MatMul, Pad, Relu, Requantize, Reshape, WindowAverage, WindowMax, Windows
from fpgaq.ir.types import FixedType, Overflow, Rounding

ACTIVATION = FixedType(4, 3, signed=False)
WEIGHT_SEED = 1
_WEIGHT_FRAC = 4


class Network:
    """A network under construction, layer behind layer.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Height, width and channels of the images.
    """

    def __init__(self, name: str, shape: tuple[int, int, int]) -> None:
        self.name = name
        self.rng = np.random.default_rng(WEIGHT_SEED)
        self.shape: tuple[int, ...] = shape
        self.nodes: list[Node] = [Input(name="x", inputs=(), type=ACTIVATION, layer="x", shape=shape)]

    @property
    def graph(self) -> Graph:
        """What was built so far."""
        return Graph(self.name, self.nodes, (self.nodes[-1].name,))

    def convolution(self, filters: int, stride: int = 1) -> Network:
        """Append a convolution of 3x3 pixels with a margin of one, a rectifier and a cast."""
        layer = f"conv{sum(isinstance(n, MatMul) for n in self.nodes) + 1}"
        height, width, channels = self.shape
        same = {"layer": layer, "type": ACTIVATION}
        self._add(Pad, f"{layer}_pad", **same, before=(1, 1), after=(1, 1))
        self._add(Windows, f"{layer}_windows", **same, size=(3, 3), stride=(stride, stride), dilation=(1, 1))
        self._matrix(layer, 9 * channels, filters)
        self._activation(layer)
        self.shape = ((height - 1) // stride + 1, (width - 1) // stride + 1, filters)
        return self

    def maximum(self) -> Network:
        """Append a maximum over 2x2 pixels."""
        layer = f"pool{len(self.nodes)}"
        same = {"layer": layer, "type": ACTIVATION}
        self._add(Windows, f"{layer}_windows", **same, size=(2, 2), stride=(2, 2), dilation=(1, 1))
        self._add(WindowMax, layer, **same, positions=4)
        self.shape = (self.shape[0] // 2, self.shape[1] // 2, self.shape[2])
        return self

    def average(self) -> Network:
        """Append the average over the whole image, whose number of pixels is a power of two."""
        height, width, channels = self.shape
        bits = (height * width).bit_length() - 1
        self._add(Reshape, "flat", layer="average", type=ACTIVATION, shape=(height * width * channels,))
        exact = FixedType(ACTIVATION.width + bits, ACTIVATION.frac + bits, signed=False)
        divided = {"positions": height * width, "divisors": np.array(height * width), "source_frac": ACTIVATION.frac}
        self._add(WindowAverage, "average", layer="average", type=exact, **divided)
        self.shape = (channels,)
        return self

    def dense(self, units: int) -> Network:
        """Append a matrix on the flattened tensor."""
        if len(self.shape) > 1:
            self.shape = (int(np.prod(self.shape)),)
            self._add(Reshape, "flat", layer="flat", type=ACTIVATION, shape=self.shape)
        self._matrix("dense", self.shape[0], units)
        self.shape = (units,)
        return self

    def _add(self, kind: type[Node], name: str, **parameters: Any) -> None:
        self.nodes.append(kind(name=name, inputs=(self.nodes[-1].name,), **parameters))

    def _matrix(self, layer: str, n_in: int, n_out: int) -> None:
        frac = self.nodes[-1].type.frac + _WEIGHT_FRAC
        weight, bias = self.rng.integers(-7, 8, (n_in, n_out)), self.rng.integers(-64, 65, n_out)
        exact = FixedType(32, frac, signed=True)
        self._add(MatMul, layer, layer=layer, type=exact, weight=weight, weight_frac=_WEIGHT_FRAC, bias=bias)

    def _activation(self, layer: str) -> None:
        frac = self.nodes[-1].type.frac
        self._add(Relu, f"{layer}_relu", layer=layer, type=self.nodes[-1].type)
        modes = {"rounding": Rounding.RND_CONV, "overflow": Overflow.SAT}
        self._add(Requantize, f"{layer}_q", layer=layer, type=ACTIVATION, source_frac=frac, **modes)


def small() -> Graph:
    """Return a network on 8x8 pixels of one channel: two convolutions with 4 and 8 filters, a maximum, a matrix."""
    return Network("small_cnn", (8, 8, 1)).convolution(4).maximum().convolution(8).dense(10).graph


def cifar() -> Graph:
    """Return a network on 32x32x3 pixels: three stages of 16, 32 and 64 channels, 86 thousand weights."""
    network = Network("cifar", (32, 32, 3)).convolution(16)
    for filters, layers in ((16, 3), (32, 3), (64, 2)):
        for k in range(layers):
            network.convolution(filters, 2 if filters > 16 and k == 0 else 1)
    return network.average().dense(10).graph
