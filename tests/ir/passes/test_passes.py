"""Every pass keeps every output code; each does what it is for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaq.ir import golden
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import (
    Affine,
    Clip,
    Input,
    MatMul,
    Pad,
    Relu,
    Requantize,
    Reshape,
    Staircases,
    Thresholds,
    WindowAverage,
    WindowMax,
    Windows,
)
from fpgaq.ir.passes import (
    drop_dead_channels,
    drop_identities,
    fold_scales,
    merge_staircases,
    number_levels,
    optimize,
)
from fpgaq.ir.types import FixedType, Overflow, Rounding
from fpgaq.quantize.formats import Binary

PASSES = (drop_identities, fold_scales, merge_staircases, number_levels, drop_dead_channels, optimize)
ANY = FixedType(60, 0, True)


class Chain:
    """Builds a chain of nodes with exact types."""

    def __init__(self, n: int, type_: FixedType, image: tuple[int, ...] = ()) -> None:
        self.nodes: list[Node] = [Input(name="x", inputs=(), type=type_, layer="x", shape=(*image, n))]

    def add(self, cls: type[Node], name: str, frac: int, **parameters: object) -> None:
        source = self.nodes[-1].name
        node = cls(name=name, inputs=(source,), type=FixedType(60, frac, True), layer=name, **parameters)
        lo, hi = Graph("g", [*self.nodes, node], (name,)).bounds[name].hull
        narrow = FixedType.from_interval(lo, hi, frac)
        self.nodes.append(cls(name=name, inputs=(source,), type=narrow, layer=name, **parameters))

    def cast(self, name: str, type_: FixedType, rounding: Rounding, overflow: Overflow) -> None:
        source = self.nodes[-1]
        self.nodes.append(
            Requantize(
                name=name,
                inputs=(source.name,),
                type=type_,
                layer=name,
                source_frac=source.type.frac,
                rounding=rounding,
                overflow=overflow,
            )
        )

    def convolve(self, k: int, rng: np.random.Generator) -> None:
        """Append what a convolution has in front of its matrix, or a pooling: all of them, but at random trivial."""
        axes = len(self.shape) - 1

        def each(least: int, most: int) -> tuple[int, ...]:
            return tuple(int(v) for v in rng.integers(least, most + 1, axes))

        if rng.random() < 0.5:
            value = int(rng.integers(0, 2)) * self.nodes[-1].type.min
            self.add(Pad, f"p{k}", self.frac, before=each(0, 1), after=each(0, 1), value=value)
        size = tuple(int(rng.integers(1, min(n, 2) + 1)) for n in self.shape[:-1])
        source = self.nodes[-1]
        at = {"name": f"w{k}", "inputs": (source.name,), "layer": f"w{k}", "type": source.type}
        self.nodes.append(Windows(**at, size=size, stride=each(1, 2), dilation=(1,) * axes))
        positions = int(np.prod(size))
        if rng.random() < 0.5:
            self.add(WindowMax, f"x{k}", self.frac, positions=positions)
        elif rng.random() < 0.5:
            divisors = np.maximum(rng.integers(-1, 4, self.shape[:-1]), 1)
            frac = self.frac + int(rng.integers(0, 2))
            self.add(WindowAverage, f"v{k}", frac, positions=positions, divisors=divisors, source_frac=self.frac)

    @property
    def frac(self) -> int:
        return self.nodes[-1].type.frac

    @property
    def shape(self) -> tuple[int, ...]:
        return self.graph().bounds[self.nodes[-1].name].lo.shape

    def graph(self) -> Graph:
        return Graph("g", self.nodes, (self.nodes[-1].name,))


@st.composite
def chains(draw: st.DrawFn) -> Graph:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = int(rng.integers(1, 7))
    image = [(), (), (3,), (2, 3)][rng.integers(4)]
    chain = Chain(n, FixedType(int(rng.integers(1, 5)), int(rng.integers(0, 3)), bool(rng.integers(2))), image)
    for k in range(int(rng.integers(1, 4))):
        if image and rng.random() < 0.7:
            chain.convolve(k, rng)
        n, m = chain.shape[-1], int(rng.integers(1, 7))
        weight = rng.integers(-4, 5, (n, m)) * (rng.random((n, m)) < 0.5) * (rng.random((n, 1)) < 0.7)
        reuse = 1 if rng.random() < 0.8 else n * m
        chain.add(
            MatMul, f"m{k}", chain.frac + 1, weight=weight, weight_frac=1, bias=rng.integers(-9, 9, m), reuse=reuse
        )
        if rng.random() < 0.5:
            kinds = ([-4, -1, 0, 1, 2, 3], [-4, -1, 1, 2, 8], [-21931, -85, 0, 5461, 27307])
            scale = rng.choice(kinds[rng.integers(3)], m)
            chain.add(Affine, f"a{k}", chain.frac + 1, scale=scale, scale_frac=1, bias=rng.integers(-9, 9, m))
        if rng.random() < 0.5:
            chain.add(Relu, f"r{k}", chain.frac)
        if rng.random() < 0.3:
            source = chain.nodes[-1]
            inputs = (source.name,)
            at = {"name": f"l{k}", "inputs": inputs, "layer": f"l{k}", "type": source.type}
            chain.nodes.append(Reshape(**at, shape=chain.shape))
        if rng.random() < 0.3:
            steps = np.unique(rng.integers(-40, 40, int(rng.integers(1, 4))))
            codes = np.cumsum(rng.integers(0, 3, steps.size + 1)) * rng.integers(1, 3) - rng.integers(0, 3)
            chain.add(Thresholds, f"t{k}", chain.frac, thresholds=steps, codes=codes)
        if rng.random() < 0.2:
            chain.add(Clip, f"c{k}", chain.frac, least=-50, most=60)
        for c in range(int(rng.integers(0, 3))):
            type_ = FixedType(int(rng.integers(2, 9)), int(rng.integers(-1, 4)), bool(rng.integers(2)))
            if rng.random() < 0.4 and chain.nodes[-1].type.width > 1:  # what SAT_SYM changes even so
                type_ = chain.nodes[-1].type
            chain.cast(f"q{k}{c}", type_, rng.choice(list(Rounding)), rng.choice(list(Overflow)))
    return chain.graph()


def outputs(graph: Graph, seed: int = 0) -> list[list[int]]:
    node = graph.inputs[0]
    rng = np.random.default_rng(seed)
    x = rng.integers(node.type.min, node.type.max, (64, *node.shape), endpoint=True)
    x[0], x[1] = node.type.min, node.type.max
    return golden.run(graph, [x])[0].tolist()


@pytest.mark.parametrize("rewrite", PASSES)
@settings(max_examples=150, deadline=None)
@given(graph=chains())
def test_outputs_are_kept(rewrite: Callable[[Graph], Graph], graph: Graph) -> None:
    changed = rewrite(graph)
    assert outputs(changed) == outputs(graph)
    assert changed.nodes[changed.outputs[0]].type == graph.nodes[graph.outputs[0]].type


def matrix_pair(first: np.ndarray, second: np.ndarray, bias: np.ndarray) -> Graph:
    chain = Chain(first.shape[0], FixedType(4, 0, False))
    chain.add(MatMul, "m0", 0, weight=first, weight_frac=0, bias=bias)
    chain.add(Relu, "r0", 0)
    chain.add(MatMul, "m1", 0, weight=second, weight_frac=0, bias=np.zeros(second.shape[1]))
    return chain.graph()


def test_channels_that_nobody_reads_and_constant_ones_go() -> None:
    first = np.array([[1, 2, -1, 1], [3, 1, -2, 1]])
    second = np.array([[1, 1], [0, 0], [1, 2], [2, 1]])  # channel 1 is not read, channel 2 never positive
    changed = drop_dead_channels(matrix_pair(first, second, np.array([0, 0, 0, 5])))
    assert changed.nodes["m0"].weight.shape == (2, 2)  # type: ignore[attr-defined]
    assert changed.nodes["m1"].weight.tolist() == [[1, 1], [2, 1]]  # type: ignore[attr-defined]


def test_a_constant_channel_moves_into_the_bias() -> None:
    changed = drop_dead_channels(matrix_pair(np.array([[1, 0]]), np.array([[1], [3]]), np.array([0, 7])))
    assert changed.nodes["m1"].bias.tolist() == [21]  # type: ignore[attr-defined]
    assert changed.nodes["m0"].weight.tolist() == [[1]]  # type: ignore[attr-defined]


def test_what_is_a_weight_goes_with_its_channel() -> None:
    """The middle one of three channels that nothing mixes is read by nobody; binary weights stay binary."""
    graph = matrix_pair(np.eye(3, dtype=np.int64), np.array([[1], [0], [1]]), np.zeros(3))
    first, (second, last) = graph.nodes["x"], (n for n in graph.nodes.values() if isinstance(n, MatMul))
    second = dataclasses.replace(second, format=Binary(), unit=np.array([1, 1, 1]), present=np.eye(3))
    nodes = {node.name: node for node in (first, second, last)}
    found = drop_dead_channels(Graph("g", [nodes.get(n.name, n) for n in graph.nodes.values()], graph.outputs))
    narrow = found.nodes[second.name]
    assert isinstance(narrow, MatMul)
    assert narrow.format == Binary()
    assert narrow.is_weight.tolist() == [[True, False], [False, False], [False, True]]


def test_a_network_of_constants_keeps_a_channel() -> None:
    changed = drop_dead_channels(matrix_pair(np.array([[0, 0]]), np.array([[1], [3]]), np.array([2, 7])))
    assert outputs(changed) == [[23]] * 64


@pytest.mark.parametrize(("scale", "folded"), [([2, -4], True), ([1, 0], True), ([3, 1], False)])
def test_only_powers_of_two_are_folded(scale: list[int], folded: bool) -> None:
    chain = Chain(2, FixedType(4, 0, True))
    chain.add(MatMul, "m", 1, weight=np.array([[1, 2], [3, 4]]), weight_frac=1, bias=np.array([1, 2]))
    chain.add(Affine, "a", 2, scale=np.array(scale), scale_frac=1, bias=np.array([5, 6]))
    assert ("m" not in fold_scales(chain.graph()).nodes) == folded


def test_casts_that_lose_nothing_are_merged() -> None:
    chain = Chain(2, FixedType(4, 1, True))
    chain.cast("wide", FixedType(8, 3, True), Rounding.TRN, Overflow.WRAP)
    chain.cast("narrow", FixedType(3, 0, True), Rounding.RND_CONV, Overflow.SAT)
    assert list(drop_identities(chain.graph()).nodes) == ["x", "narrow"]


def test_symmetric_casts_lose_the_least_code() -> None:
    type_ = FixedType(4, 1, True)
    chain = Chain(2, type_)
    chain.cast("symmetric", type_, Rounding.RND_CONV, Overflow.SAT_SYM)
    assert list(drop_identities(chain.graph()).nodes) == ["x", "symmetric"]
    chain.cast("fine", FixedType(6, 2, True), Rounding.TRN, Overflow.WRAP)
    assert list(drop_identities(chain.graph()).nodes) == ["x", "symmetric", "fine"]
    assert outputs(drop_identities(chain.graph())) == outputs(chain.graph())


def test_a_rectifier_of_positive_values_goes() -> None:
    chain = Chain(2, FixedType(4, 1, False))
    chain.add(Relu, "r", 1)
    chain.cast("q", FixedType(3, 0, False), Rounding.TRN, Overflow.SAT)
    assert list(drop_identities(chain.graph()).nodes) == ["x", "q"]


def normalised(levels: int, scale: list[int]) -> Graph:
    """Return a matrix, a scale per channel with a 16-bit factor, and a cast or a staircase to a few levels."""
    rng = np.random.default_rng(1)
    chain = Chain(8, FixedType(4, 0, True))
    chain.add(MatMul, "fc", 0, weight=rng.integers(-3, 4, (8, 4)), weight_frac=0, bias=rng.integers(-9, 9, 4))
    chain.add(Affine, "bn", 14, scale=scale, scale_frac=14, bias=rng.integers(-9999, 9999, 4))
    if levels == 2:
        chain.add(Thresholds, "act", 0, thresholds=[0], codes=[-1, 1])
    else:
        chain.cast("act", FixedType(levels.bit_length() - 1, 0, True), Rounding.RND_CONV, Overflow.SAT)
    chain.add(MatMul, "out", 0, weight=rng.choice([-1, 1], (4, 3)), weight_frac=0, bias=[0, 1, 2])
    return chain.graph()


@pytest.mark.parametrize("levels", [2, 4, 8])
def test_scales_before_few_levels_become_thresholds_with_either_sign_of_the_gain(levels: int) -> None:
    graph = normalised(levels, [27307, -21931, 0, 5461])
    merged = merge_staircases(graph)
    assert [n.op for n in merged.nodes.values()] == ["input", "matmul", "staircases", "matmul"]
    assert outputs(merged) == outputs(graph)
    stairs = merged.nodes["act"]
    assert isinstance(stairs, Staircases)
    rises = np.sign(np.diff(stairs.codes)).sum(axis=1)
    assert (np.sign(rises) == [1, -1, 0, 1]).all()


def test_signs_travel_as_bits() -> None:
    graph = normalised(2, [27307, -21931, 13, 5461])
    built = optimize(graph)
    act, out = built.nodes["act"], built.nodes["out"]
    assert isinstance(out, MatMul)
    assert (act.type.width, act.type.signed) == (1, False)
    assert set(np.abs(out.weight).reshape(-1).tolist()) == {2}
    assert outputs(built) == outputs(graph)


def image(margin: int) -> Graph:
    """Return signs on a 3x3 image with a margin, of which windows feed a maximum and two matrices."""
    rng = np.random.default_rng(2)
    sign = FixedType(3 if margin > 1 else 2, 0, True)
    at = [{"name": n, "layer": n} for n in ("act", "pad", "win", "top", "conv", "all")]
    return Graph(
        "net",
        [
            Input(name="x", inputs=(), type=FixedType(4, 0, True), layer="x", shape=(3, 3, 2)),
            Thresholds(**at[0], inputs=("x",), type=sign, thresholds=[0], codes=[-1, 1]),
            Pad(**at[1], inputs=("act",), type=sign, before=(1, 1), after=(1, 1), value=margin),
            Windows(**at[2], inputs=("pad",), type=sign, size=(3, 3), stride=(2, 2), dilation=(1, 1)),
            WindowMax(**at[3], inputs=("win",), type=sign, positions=9),
            MatMul(
                **at[4],
                inputs=("win",),
                type=FixedType(8, 0, True),
                weight=rng.integers(-3, 4, (18, 2)),
                weight_frac=0,
                bias=[4, 5],
            ),
            MatMul(
                **at[5],
                inputs=("top",),
                type=FixedType(8, 0, True),
                weight=rng.integers(-3, 4, (2, 3)),
                weight_frac=0,
                bias=[4, 5, 6],
            ),
        ],
        ("conv", "all"),
    )


@pytest.mark.parametrize(("margin", "bits"), [(-1, 1), (1, 1), (0, 2), (3, 2)])
def test_signs_of_pixels_travel_as_bits_where_the_margin_is_one_of_them(margin: int, bits: int) -> None:
    graph = image(margin)
    built = number_levels(graph)
    assert [built.nodes[name].type.width for name in ("act", "pad", "win", "top")] == [bits] * 4
    x = np.random.default_rng(3).integers(-8, 8, (50, 3, 3, 2))
    for got, want in zip(golden.run(built, [x]), golden.run(graph, [x]), strict=True):
        assert got.tolist() == want.tolist()


def test_many_levels_keep_their_scale() -> None:
    graph = normalised(256, [27307, -21931, 13, 5461])
    assert "bn" in merge_staircases(graph).nodes


def test_scales_that_wrap_are_no_staircase() -> None:
    graph = normalised(4, [27307, -21931, 13, 5461])
    nodes = [
        dataclasses.replace(n, overflow=Overflow.WRAP) if isinstance(n, Requantize) else n for n in graph.nodes.values()
    ]
    wrapping = Graph("g", nodes, graph.outputs)
    assert "bn" in merge_staircases(wrapping).nodes
