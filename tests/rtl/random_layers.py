"""Random chains of integer operations with exact types, and inputs that reach their corners."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from fpgaq.ir import FixedType, Graph, IntArray, Overflow, Rounding
from fpgaq.ir.node import Node, Operand
from fpgaq.ir.ops import (
    Affine,
    ArgMax,
    Clip,
    Crop,
    GatedMatMul,
    Input,
    LeakyRelu,
    MatMul,
    Pad,
    Permute,
    Relu,
    Repeat,
    Requantize,
    Reshape,
    Thresholds,
    WindowAverage,
    WindowMax,
    Windows,
)
from fpgaq.ir.ops.gated import reach

KINDS = ("dense", "binary", "ternary", "pot", "sparse", "zero", "negative")
MODES = [(rounding, overflow) for rounding in Rounding for overflow in Overflow]


def weights(kind: str, shape: tuple[int, ...], bits: int, rng: np.random.Generator) -> IntArray:
    """Random weights of `bits` bits; the kind says which values there are."""
    limit = 1 << (bits - 1)
    if kind == "zero":
        return np.zeros(shape, dtype=np.int64)
    if kind == "binary":
        return rng.choice(np.array([-1, 1]), shape)
    if kind == "ternary":
        return rng.choice(np.array([-1, 0, 1]), shape)
    if kind == "pot":
        return (1 << rng.integers(0, bits, shape)) * rng.choice(np.array([-1, 0, 1]), shape)
    if kind == "negative":
        return rng.integers(-limit, 1, shape)
    dense = rng.integers(-limit, limit, shape)
    if kind == "sparse":  # whole columns are zero
        dense = dense * rng.integers(0, 2, shape[-1]) * rng.integers(0, 2, shape)
    return dense


class Chain:
    """A chain of operations under construction; every type is the narrowest that is exact.

    Parameters
    ----------
    name : str
        Name of the design.
    n_in : int or tuple of int
        Length of the input vector, or shape of an image or series.
    type_ : FixedType
        Of the inputs.
    seed : int
        Of everything random in the chain.
    """

    def __init__(self, name: str, n_in: int | tuple[int, ...], type_: FixedType, seed: int) -> None:
        self.name = name
        self.rng = np.random.default_rng(seed)
        shape = (n_in,) if isinstance(n_in, int) else n_in
        self.nodes: list[Node] = [Input(name="x", inputs=(), type=type_, layer="x", shape=shape)]

    @property
    def graph(self) -> Graph:
        """What is there so far."""
        return Graph(self.name, self.nodes, (self.nodes[-1].name,))

    @property
    def operand(self) -> Operand:
        """Type and bounds of the last result."""
        return self.graph.operand(self.nodes[-1].name)

    @property
    def size(self) -> int:
        """Elements of the last result, of an image those of a pixel."""
        return self.operand.shape[-1]

    def _named(self, op: str) -> dict:
        name = f"{op}{len(self.nodes)}"
        return {"name": name, "inputs": (self.nodes[-1].name,), "layer": name}

    def _add_exact(self, node: Node) -> Chain:
        """Append a lossless operation with the narrowest type."""
        lo, hi = node.infer([self.operand]).hull
        self.nodes.append(dataclasses.replace(node, type=FixedType.from_interval(lo, hi, node.type.frac)))
        return self

    def _wide(self, frac: int) -> FixedType:
        return FixedType(63, frac, True)

    def matmul(self, n_out: int, kind: str, bits: int, reuse: int = 1) -> Chain:
        """A matrix with biases of about the size of its results."""
        weight = weights(kind, (self.size, n_out), bits, self.rng)
        bias = self.rng.integers(-(1 << bits + 2), (1 << bits + 2) + 1, n_out) * self.rng.integers(0, 2, n_out)
        frac = int(self.rng.integers(0, 4))
        return self._add_exact(
            MatMul(
                **self._named("matmul"),
                type=self._wide(self.operand.type.frac + frac),
                weight=weight,
                weight_frac=frac,
                bias=bias,
                reuse=reuse,
            )
        )

    def gated(self, n_out: int, kind: str, bits: int, low_bits: int, reuse: int = 1) -> Chain:
        """A gated matrix with thresholds in and a little around the range of its predictions."""
        weight = weights(kind, (self.size, n_out), bits, self.rng)
        frac = int(self.rng.integers(0, 4))
        node = GatedMatMul(
            **self._named("gated"),
            type=self._wide(self.operand.type.frac + frac),
            weight=weight,
            weight_frac=frac,
            low_bits=low_bits,
            thresholds=np.zeros(n_out, np.int64),
            reuse=reuse,
        )
        lo, hi = reach(weight, node.parts(self.operand.bounds)[0])
        thresholds = self.rng.integers(lo - 2, hi + 2)
        return self._add_exact(dataclasses.replace(node, thresholds=thresholds))

    def affine(self, kind: str, bits: int) -> Chain:
        """A scale and a bias per channel."""
        scale = weights(kind, (self.size,), bits, self.rng)
        bias = self.rng.integers(-(1 << bits), (1 << bits) + 1, self.size)
        frac = int(self.rng.integers(0, 4))
        type_ = self._wide(self.operand.type.frac + frac)
        return self._add_exact(
            Affine(**self._named("affine"), type=type_, scale=scale, scale_frac=frac, bias=bias),
        )

    def relu(self) -> Chain:
        """A rectifier."""
        return self._add_exact(Relu(**self._named("relu"), type=self._wide(self.operand.type.frac)))

    def leaky(self) -> Chain:
        """A rectifier with slopes around 0 and 1, among them those two."""
        frac = int(self.rng.integers(0, 4))
        one = 1 << frac
        slope = self.rng.choice([0, one, -one, *self.rng.integers(-one, 2 * one + 1, 4).tolist()], self.size)
        type_ = self._wide(self.operand.type.frac + frac)
        return self._add_exact(LeakyRelu(**self._named("leaky"), type=type_, slope=slope, slope_frac=frac))

    def clip(self, least: int | None = None, most: int | None = None) -> Chain:
        """A clamp, at random inside or around the bounds where no limits are given."""
        lo, hi = self.operand.bounds.hull
        if least is None or most is None:
            least, most = sorted(self.rng.integers(lo - 2, hi + 3, 2).tolist())
        return self._add_exact(
            Clip(**self._named("clip"), type=self._wide(self.operand.type.frac), least=least, most=most)
        )

    def requantize(self, width: int, signed: bool, drop: int, rounding: Rounding, overflow: Overflow) -> Chain:
        """A cast that drops bits, or adds them where `drop` is negative."""
        source = self.operand.type
        width += signed and width == 1 and overflow is Overflow.SAT_SYM  # would hold nothing but zero
        type_ = FixedType(width, source.frac - drop, signed)
        node = Requantize(
            **self._named("cast"), type=type_, source_frac=source.frac, rounding=rounding, overflow=overflow
        )
        self.nodes.append(node)
        return self

    def stairs(self, count: int, bits: int) -> Chain:
        """A staircase with thresholds in and around the bounds."""
        lo, hi = self.operand.bounds.hull
        thresholds = np.unique(self.rng.integers(lo - 2, hi + 3, count))
        codes = np.sort(self.rng.integers(-(1 << bits), 1 << bits, len(thresholds) + 1))
        return self._add_exact(
            Thresholds(**self._named("stairs"), type=self._wide(0), thresholds=thresholds, codes=codes)
        )

    def pad(self, before: tuple[int, ...], after: tuple[int, ...], value: int = 0) -> Chain:
        """A margin."""
        type_ = self._wide(self.operand.type.frac)
        return self._add_exact(Pad(**self._named("pad"), type=type_, before=before, after=after, value=value))

    def windows(
        self, size: tuple[int, ...], stride: tuple[int, ...] | None = None, dilation: tuple[int, ...] | None = None
    ) -> Chain:
        """Windows of a size."""
        ones = (1,) * len(size)
        steps = {"stride": stride or ones, "dilation": dilation or ones}
        self.nodes.append(Windows(**self._named("windows"), type=self.operand.type, size=size, **steps))
        return self

    def pool(self, size: tuple[int, ...], stride: tuple[int, ...] | None = None) -> Chain:
        """The maximum of windows, which do not overlap where there is no stride."""
        self.windows(size, stride or size)
        type_ = self._wide(self.operand.type.frac)
        return self._add_exact(WindowMax(**self._named("pool"), type=type_, positions=int(np.prod(size))))

    def largest(self) -> Chain:
        """The maximum of every channel over the whole frame."""
        pixels = self.operand.bounds.lo.size // self.size
        self.reshape()
        return self._add_exact(
            WindowMax(**self._named("largest"), type=self._wide(self.operand.type.frac), positions=pixels)
        )

    def average(self, size: tuple[int, ...], divisor: int, gained: int, stride: tuple[int, ...] | None = None) -> Chain:
        """The average of windows, which do not overlap where there is no stride."""
        self.windows(size, stride or size)
        frac, divisors = self.operand.type.frac, np.full(self.operand.shape[:-1], divisor)
        positions = int(np.prod(size))
        node = WindowAverage(
            **self._named("average"),
            type=self._wide(frac + gained),
            positions=positions,
            divisors=divisors,
            source_frac=frac,
        )
        return self._add_exact(node)

    def average_inside(
        self, size: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...], gained: int, *stride: int
    ) -> Chain:
        """The average of what of a window is no margin."""
        ones = Chain("ones", (*self.operand.shape[:-1], 1), FixedType(1, 0, False), 0)
        inside = np.ones((1, *ones.operand.shape), np.int64)
        for node in ones.pad(before, after).windows(size, stride or size).nodes[1:]:
            inside = node.evaluate([inside])
        self.pad(before, after).average(size, 1, gained, stride or size)
        average = self.nodes.pop()
        return self._add_exact(
            dataclasses.replace(average, divisors=inside[0].sum(axis=-1), type=self._wide(average.type.frac))
        )

    def reshape(self, *shape: int) -> Chain:
        """The same elements in another shape; a vector where none is given."""
        shape = shape or (self.operand.bounds.lo.size,)
        self.nodes.append(Reshape(**self._named("reshape"), type=self.operand.type, shape=shape))
        return self

    def crop(self, before: tuple[int, ...], after: tuple[int, ...]) -> Chain:
        """The tensor without its edges."""
        self.nodes.append(Crop(**self._named("crop"), type=self.operand.type, before=before, after=after))
        return self

    def repeat(self, *times: int) -> Chain:
        """Every element several times."""
        self.nodes.append(Repeat(**self._named("repeat"), type=self.operand.type, times=times))
        return self

    def permute(self, *axes: int) -> Chain:
        """The axes in another order."""
        self.nodes.append(Permute(**self._named("permute"), type=self.operand.type, axes=axes))
        return self

    def argmax(self) -> Chain:
        """The index of the largest element."""
        return self._add_exact(ArgMax(**self._named("argmax"), type=self._wide(0)))


def corners(graph: Graph, samples: int, seed: int) -> IntArray:
    """All low, all high, every mix of the two at random, what each first matrix column reaches last, and points."""
    node = graph.inputs[0]
    rng = np.random.default_rng(seed)
    lo, hi = node.type.min, node.type.max
    rows = [np.full(node.shape, v) for v in (lo, hi, 0)]
    first = next((n for n in graph.nodes.values() if isinstance(n, MatMul)), None)
    if first is not None and first.n_in == node.shape[0]:
        for column in first.weight.T:
            rows += [np.where(column > 0, hi, lo), np.where(column > 0, lo, hi)]
    mixed = np.where(rng.random((samples, *node.shape)) < 0.5, lo, hi)
    return np.concatenate([np.array(rows), mixed, rng.integers(lo, hi + 1, (samples, *node.shape))])


# --- hypothesis ---------------------------------------------------------------------------------------------------

input_types = st.builds(FixedType, st.integers(1, 10), st.integers(-2, 6), st.booleans())


@st.composite
def tails(draw: st.DrawFn, chain: Chain, most: int = 3) -> Chain:
    """Append up to `most` elementwise operations."""
    for _ in range(draw(st.integers(0, most))):
        add_elementwise(draw, chain, draw(st.sampled_from(["relu", "clip", "cast", "cast", "stairs", "leaky"])))
    return chain


def add_elementwise(draw: st.DrawFn, chain: Chain, op: str) -> None:
    """Append one elementwise operation of the given kind."""
    if op == "relu":
        chain.relu()
    elif op == "clip":
        chain.clip()
    elif op == "leaky":
        chain.leaky()
    elif op == "stairs":
        chain.stairs(draw(st.integers(1, 15)), draw(st.integers(0, 4)))
    else:
        rounding, overflow = draw(st.sampled_from(MODES))
        chain.requantize(draw(st.integers(1, 10)), draw(st.booleans()), draw(st.integers(-3, 12)), rounding, overflow)


@st.composite
def layers(draw: st.DrawFn, sizes: int = 32, tail: int = 3) -> Graph:
    """A chain: perhaps an elementwise operation, then a matrix or a scale, then elementwise operations."""
    size = st.integers(1, sizes) | st.integers(1, max(sizes // 4, 1))
    chain = Chain("net", draw(size), draw(input_types), draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):  # bounds that are no powers of two, perhaps a constant
        add_elementwise(draw, chain, draw(st.sampled_from(["relu", "clip", "stairs", "cast"])))
    kind, bits = draw(st.sampled_from(KINDS)), draw(st.integers(1, 8))
    if draw(st.integers(0, 3)):
        chain.matmul(draw(size), kind, bits)
    else:
        chain.affine(kind, bits)
    return draw(tails(chain, tail)).graph


def linear_first(graph: Graph) -> tuple[Sequence[Node], Operand]:
    """Return the nodes behind the input as one layer, and what it reads."""
    nodes = list(graph.nodes.values())
    return nodes[1:], graph.operand(nodes[0].name)
