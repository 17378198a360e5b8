"""Operations of several tensors against numpy on fractions: values, types, bounds, shapes, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaq.errors import ModelError
from fpgaq.ir import FixedType, Graph, IntArray, files, golden
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Concatenate, Function, Input, Merge

NUMPY = {
    Function.ADD: np.add,
    Function.SUBTRACT: np.subtract,
    Function.MULTIPLY: np.multiply,
    Function.MAXIMUM: np.maximum,
    Function.MINIMUM: np.minimum,
}


def graph_of(kinds: list[tuple[FixedType, tuple[int, ...]]], op: type[Node], frac: int, **options: Any) -> Graph:
    """Return a graph of one operation on inputs of these types and shapes, with the narrowest type."""
    nodes: list[Node] = [
        Input(name=f"x{k}", inputs=(), type=type_, layer=f"x{k}", shape=shape) for k, (type_, shape) in enumerate(kinds)
    ]
    names, fracs = tuple(n.name for n in nodes), tuple(type_.frac for type_, _ in kinds)
    wide = op(name="y", inputs=names, type=FixedType(64, frac, True), layer="y", source_fracs=fracs, **options)
    lo, hi = Graph("wide", [*nodes, wide], ("y",)).bounds["y"].hull
    exact = FixedType.from_interval(lo, hi, frac)
    return Graph("g", [*nodes, op(**{**vars(wide), "type": exact})], ("y",))


def corners_and_more(graph: Graph, rng: np.random.Generator) -> list[IntArray]:
    """Return random codes of all inputs, and all combinations of the ends of their types."""
    found = []
    for k, node in enumerate(graph.inputs):
        ends = [node.type.max if n >> k & 1 else node.type.min for n in range(1 << len(graph.inputs))]
        constant = np.broadcast_to(np.reshape(ends, (-1, *(1,) * len(node.shape))), (len(ends), *node.shape))
        found.append(np.concatenate([constant, rng.integers(node.type.min, node.type.max + 1, (40, *node.shape))]))
    return found


def as_fractions(codes: IntArray, frac: int) -> np.ndarray:
    return codes.astype(object) * (Fraction(2) ** -frac)


SHAPES = {
    (2, 3): [(2, 3), (3,), (1, 3), (1,), (1, 1)],
    (4,): [(4,), (1,)],
    (2, 2, 3): [(2, 2, 3), (2, 3), (1, 1, 3), (3,), (1, 2, 3)],
}
types = st.builds(FixedType, st.integers(1, 6), st.integers(-2, 5), st.booleans())


@given(st.data(), st.sampled_from(Function), st.sampled_from(list(SHAPES)), st.integers(2, 4), st.integers(0, 99))
@settings(max_examples=120, deadline=None)
def test_elementwise_against_numpy(
    data: st.DataObject, function: Function, shape: tuple[int, ...], count: int, seed: int
) -> None:
    kinds = [(data.draw(types), data.draw(st.sampled_from(SHAPES[shape]))) for _ in range(count)]
    kinds[data.draw(st.integers(0, count - 1))] = (data.draw(types), shape)
    fracs = [type_.frac for type_, _ in kinds]
    frac = sum(fracs) if function is Function.MULTIPLY else max(fracs)
    frac += data.draw(st.integers(0, 3)) if function is Function.AVERAGE else 0
    graph = graph_of(kinds, Merge, frac, function=function)
    x = corners_and_more(graph, np.random.default_rng(seed))
    got = golden.run(graph, x)[0]
    axes = len(shape)
    real = [
        as_fractions(v, f).reshape(len(v), *(1,) * (axes + 1 - v.ndim), *v.shape[1:])
        for v, f in zip(x, fracs, strict=True)
    ]
    if function is Function.AVERAGE:
        step = Fraction(2) ** -frac
        cut = np.vectorize(lambda v: int(v / step), otypes=[object])  # int() cuts towards zero
        want = cut(reduce(np.add, real) / count)
        if count in (2, 4) and frac >= max(fracs) + count // 2:
            assert np.array_equal(want * step, reduce(np.add, real) / count)
    else:
        want = reduce(NUMPY[function], real) * 2**frac if frac >= 0 else reduce(NUMPY[function], real) / 2**-frac
    assert got.shape[1:] == shape
    assert np.array_equal(got, np.broadcast_to(want, got.shape))
    # Every corner is among the inputs, so that the bounds are reached.
    bounds = graph.bounds["y"]
    assert bounds.lo.tolist() == got.min(0).tolist()
    assert bounds.hi.tolist() == got.max(0).tolist()
    assert graph.nodes["y"].type == FixedType.from_interval(*bounds.hull, frac)
    assert files.dumps(files.loads(files.dumps(graph))) == files.dumps(graph)
    assert function.value in str(graph)


@given(st.lists(types, min_size=2, max_size=4), st.integers(0, 2), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_concatenate_against_numpy(kinds: list[FixedType], axis: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [tuple(int(rng.integers(1, 4)) if k == axis else 2 for k in range(3)) for _ in kinds]
    frac = max(type_.frac for type_ in kinds)
    graph = graph_of(list(zip(kinds, shapes, strict=True)), Concatenate, frac, axis=axis)
    x = corners_and_more(graph, rng)
    want = np.concatenate([as_fractions(v, t.frac) for v, t in zip(x, kinds, strict=True)], axis=axis + 1)
    got = golden.run(graph, x)[0]
    assert np.array_equal(as_fractions(got, frac), want)
    assert graph.bounds["y"].lo.tolist() == got.min(0).tolist()
    assert files.dumps(files.loads(files.dumps(graph))) == files.dumps(graph)


BYTE = FixedType(8, 2, True)


@pytest.mark.parametrize(
    ("shapes", "function", "frac", "message"),
    [
        (
            [(2, 3), (2, 1)],
            Function.ADD,
            2,
            r"shapes \[2, 3\], \[2, 1\]: a smaller tensor must be the end of the largest",
        ),
        ([(2, 1), (1, 3)], Function.ADD, 2, r"shapes \[2, 1\], \[1, 3\]: a smaller"),
        ([(3,), (2,)], Function.MAXIMUM, 2, r"shapes \[3\], \[2\]"),
        ([(3,)], Function.ADD, 2, "add of 1 tensor; it needs at least 2"),
        ([(3,), (3,)], Function.ADD, 3, r"add with 3 fraction bits of values with \[2, 2\]"),
        ([(3,), (3,)], Function.AVERAGE, 1, "average with 1 fraction bits"),
        ([(3,)] * 9, Function.MULTIPLY, 18, "its intermediate results of up to 9223372036854775808 do not fit 63 bits"),
    ],
)
def test_what_does_not_fit_is_refused(
    shapes: list[tuple[int, ...]], function: Function, frac: int, message: str
) -> None:
    with pytest.raises(ModelError, match=f"layer 'y': {message}"):
        graph_of([(BYTE, shape) for shape in shapes], Merge, frac, function=function)


def test_far_apart_types_are_refused() -> None:
    kinds = [(FixedType(8, -30, True), (2,)), (FixedType(8, 30, True), (2,))]
    with pytest.raises(ModelError, match=r"intermediate results of up to .* do not fit 63 bits"):
        graph_of(kinds, Merge, 30, function=Function.ADD)
    with pytest.raises(ModelError, match=r"aligned values of up to .* do not fit 63 bits"):
        graph_of(kinds, Concatenate, 30, axis=0)


def test_concatenations_that_do_not_fit_are_refused() -> None:
    for shapes, axis in ([(2, 3), (3, 3)], 1), ([(2,), (2, 1)], 0), ([(2,), (2,)], 1):
        with pytest.raises(ModelError, match=r"layer 'y': (cannot put|shapes)"):
            graph_of([(BYTE, shape) for shape in shapes], Concatenate, 2, axis=axis)
