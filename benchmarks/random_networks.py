"""Random small networks as integer graphs: what the resource estimate is fitted on, and others that it is measured on.

They have dense and convolutional layers of every number format, unrolled and folded, with activations of few levels and
of many bits, merges, pooling and heads. A seed gives the same network on every machine.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from benchmarks.format_networks import VARIANTS
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import (
    Affine,
    ArgMax,
    Function,
    Input,
    MatMul,
    Merge,
    Pad,
    Relu,
    Requantize,
    Reshape,
    Thresholds,
    WindowAverage,
    WindowMax,
    Windows,
)
from fpgaq.ir.types import FixedType, IntArray, Overflow, Rounding
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat

_WIDEST = 48
_ROUNDINGS = (Rounding.RND, Rounding.RND_CONV, Rounding.TRN)


def random_network(seed: int) -> Graph:
    """Return a network; of four seeds three give dense layers only, one images."""
    network = _Network(seed)
    return network.images() if seed % 4 == 3 else network.vectors()


class _Network:
    """A network under construction."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.name = f"random{seed}"
        self.nodes: list[Node] = []
        self.last: Node  #: What the next operation reads.
        self.folded = bool(self.rng.random() < 0.4)

    def vectors(self) -> Graph:
        """Two to four dense layers, perhaps with a branch, perhaps with the index of the largest result."""
        self._input((self._size(6, 40),), self._bits(1, 8))
        layers = int(self.rng.integers(2, 5))
        for k in range(layers):
            if k == 1 and self.rng.random() < 0.2:
                self._branch()
            self._dense(self._size(4, 40))
            if k + 1 < layers:
                self._activation()
        if self.rng.random() < 0.3:
            self._add(ArgMax, FixedType(max(math.ceil(math.log2(self.size)), 1), 0, False))
        return self._graph()

    def images(self) -> Graph:
        """One or two convolutions, perhaps with pooling, and a dense layer."""
        side, channels = int(self.rng.integers(5, 17)), int(self.rng.integers(1, 5))
        self._input((side, side, channels), self._bits(1, 6))
        for _ in range(int(self.rng.integers(1, 3))):
            self._convolution(int(self.rng.integers(2, 9)))
            self._activation()
            if min(self.shape[:2]) >= 4 and self.rng.random() < 0.5:
                self._windows(2, 2)
                self._add(WindowMax, self.type, positions=4)
        if self.rng.random() < 0.5:
            self._average()
        else:
            self._add(Reshape, self.type, shape=(math.prod(self.shape),))
        self._dense(int(self.rng.integers(2, 11)))
        return self._graph()

    # --- where it is ----------------------------------------------------------------------------------------------

    def _graph(self) -> Graph:
        return Graph(self.name, self.nodes, (self.last.name,))

    @property
    def type(self) -> FixedType:
        return self.last.type

    @property
    def _wide(self) -> FixedType:
        """A type for an exact result, of which what is needed will be kept."""
        return FixedType(_WIDEST, self.type.frac, signed=True)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._graph().operand(self.last.name).shape

    @property
    def size(self) -> int:
        """Elements of a vector or pixel."""
        return self.shape[-1]

    def _size(self, least: int, most: int) -> int:
        return int(2 ** self.rng.uniform(math.log2(least), math.log2(most)))

    def _bits(self, least: int, most: int) -> FixedType:
        signed = bool(self.rng.integers(2))
        return FixedType(int(self.rng.integers(least, most + 1)) + signed, 0, signed)

    def _add(self, kind: type[Node], type_: FixedType, *others: str, **parameters: Any) -> None:
        name = f"n{len(self.nodes)}_{kind.op}"
        inputs = (self.last.name, *others)
        node = kind(name=name, inputs=inputs, layer=name, type=type_, **parameters)
        if type_.width == _WIDEST:
            lo, hi = node.infer([self._graph().operand(i) for i in inputs]).hull
            node = dataclasses.replace(node, type=FixedType.from_interval(lo, hi, type_.frac))
        self.nodes.append(node)
        self.last = node

    # --- layers ---------------------------------------------------------------------------------------------------

    def _input(self, shape: tuple[int, ...], type_: FixedType) -> None:
        self.last = Input(name="x", inputs=(), layer="x", type=type_, shape=shape)
        self.nodes.append(self.last)

    def _dense(self, n_out: int) -> None:
        n_in = self.size
        format_, weight = self._weights(n_in, n_out)
        spread = float(np.sqrt(n_in * np.mean(weight.astype(float) ** 2))) * self.type.max
        bias = self.rng.integers(-int(spread) - 1, int(spread) + 2, n_out)
        known = {} if format_ is None else {"format": format_, "unit": np.ones(n_out, np.int64)}
        self._add(MatMul, self._wide, weight=weight, weight_frac=0, bias=bias, reuse=self._reuse(n_in, n_out), **known)

    def _weights(self, n_in: int, n_out: int) -> tuple[WeightFormat | None, IntArray]:
        if self.rng.random() < 0.5:
            bits = int(self.rng.integers(2, 9))
            weight = np.rint(self.rng.normal(0, 2 ** (bits - 1) / 2.5, (n_in, n_out))).astype(np.int64)
            weight = np.clip(weight, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
            return formats.Integer(bits), weight * (self.rng.random((n_in, n_out)) < self.rng.choice([1, 1, 0.5]))
        variant = VARIANTS[str(self.rng.choice(list(VARIANTS)))]
        levels = variant.format.levels
        keep = self.rng.random((n_in, n_out)) >= variant.zeros
        return variant.format, np.asarray(self.rng.choice(levels, (n_in, n_out)) * (keep if 0 in levels else 1))

    def _reuse(self, n_in: int, n_out: int) -> int:
        legal = [
            r for r in range(2, n_in * n_out) if not n_in * n_out % r and not (n_in % r if r <= n_in else r % n_in)
        ]
        return int(self.rng.choice(legal)) if self.folded and legal and self.rng.random() < 0.8 else 1

    def _activation(self) -> None:
        """Bring sums to few bits: a rectified cast, a cast, a staircase or two or three levels."""
        lo, hi = self._graph().bounds[self.last.name].hull
        spread = max(-lo, hi) / 2.5
        kind = self.rng.random()
        if kind < 0.2:
            self._steps(spread)
            return
        if kind < 0.35:
            scale = self.rng.integers(8, 64, self.size)
            self._add(Affine, self._wide, scale=scale, scale_frac=0, bias=self.rng.integers(-99, 99, self.size))
            spread *= 40
        signed = kind > 0.8
        if not signed:
            self._add(Relu, self._wide)
        bits = int(self.rng.integers(2, 8)) + signed
        shift = max(round(math.log2(max(spread, 1))) - bits + signed, 0)
        modes = {"rounding": _ROUNDINGS[int(self.rng.integers(3))], "overflow": Overflow.SAT}
        self._add(Requantize, FixedType(bits, self.type.frac - shift, signed), source_frac=self.type.frac, **modes)

    def _steps(self, spread: float) -> None:
        count = int(self.rng.choice([1, 2, 3, 7, 15]))
        edges = np.unique(np.rint(np.linspace(-spread, spread, count + 2)[1:-1]).astype(np.int64))
        codes = np.arange(edges.size + 1)
        if edges.size < 3 and self.rng.random() < 0.7:
            codes = np.array([-1, 1]) if edges.size == 1 else codes - 1
        signed = bool(codes[0] < 0)
        width = max(int(codes.max()).bit_length(), 1) + signed
        self._add(Thresholds, FixedType(width, 0, signed), thresholds=edges, codes=codes)

    def _branch(self) -> None:
        """Add a matrix of what goes into it to the result of another one."""
        source, size = self.last, self._size(4, 24)
        self._dense(size)
        self._activation()
        first = self.last
        self.last = source
        self._dense(size)
        modes = {"rounding": Rounding.RND, "overflow": Overflow.SAT}
        self._add(Requantize, first.type, source_frac=self.type.frac, **modes)
        fracs = (self.last.type.frac, first.type.frac)
        exact = FixedType(_WIDEST, max(fracs), signed=True)
        function = Function.ADD if self.rng.random() < 0.7 else Function.MAXIMUM
        self._add(Merge, exact, first.name, function=function, source_fracs=fracs)
        self._activation()

    def _convolution(self, filters: int) -> None:
        kernel = int(self.rng.choice([1, 3, 3]))
        if kernel == 3 and self.rng.random() < 0.6:
            self._add(Pad, self.type, before=(1, 1), after=(1, 1))
        self._windows(kernel, int(self.rng.choice([1, 1, 2])))
        self._dense(filters)

    def _windows(self, size: int, stride: int) -> None:
        self._add(Windows, self.type, size=(size, size), stride=(stride, stride), dilation=(1, 1))

    def _average(self) -> None:
        """The average of all pixels, cut to the bits of a pixel."""
        pixels = math.prod(self.shape[:-1])
        self._add(Reshape, self.type, shape=(math.prod(self.shape),))
        averaged = {"positions": pixels, "divisors": np.array(pixels), "source_frac": self.type.frac}
        self._add(WindowAverage, self.type, **averaged)
