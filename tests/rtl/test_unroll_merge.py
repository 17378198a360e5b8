"""Operations of several tensors as datapaths, against the golden model."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaq.ir import FixedType, Graph, Overflow, Rounding, golden
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Concatenate, Function, Input, Merge, Requantize
from fpgaq.rtl.datapath import Datapath, Product, Sum
from fpgaq.rtl.stages import split
from fpgaq.rtl.unroll import unroll

types = st.builds(FixedType, st.integers(1, 6), st.integers(-1, 3), st.booleans())


def merged(kinds: list[FixedType], read: list[int], function: Function | None, shapes: list[int], seed: int) -> Graph:
    """Return a graph of one operation and a cast behind it; no function is a concatenation."""
    rng = np.random.default_rng(seed)
    nodes: list[Node] = [
        Input(name=f"x{k}", inputs=(), type=t, layer="x", shape=(n,))
        for k, (t, n) in enumerate(zip(kinds, shapes, strict=True))
        if k in read
    ]
    fracs = tuple(kinds[k].frac for k in read)
    frac = sum(fracs) if function is Function.MULTIPLY else max(fracs)
    frac += int(rng.integers(0, 3)) if function is Function.AVERAGE else 0
    common = {"name": "y", "inputs": tuple(f"x{k}" for k in read), "layer": "y", "source_fracs": fracs}
    wide = FixedType(64, frac, True)
    node: Node = Concatenate(**common, type=wide, axis=0)
    node = node if function is None else Merge(**common, type=wide, function=function)
    lo, hi = Graph("wide", [*nodes, node], ("y",)).bounds["y"].hull
    node = dataclasses.replace(node, type=FixedType.from_interval(lo, hi, frac))
    modes = {"rounding": list(Rounding)[rng.integers(7)], "overflow": list(Overflow)[rng.integers(4)]}
    to = FixedType(int(rng.integers(2, 7)), frac - int(rng.integers(-1, 4)), bool(rng.integers(2)))
    cast = Requantize(name="cast", inputs=("y",), type=to, layer="y", source_frac=frac, **modes)
    return Graph("net", [*nodes, node, cast], ("cast",))


def check(graph: Graph, seed: int) -> Datapath:
    """Require that the datapath of the only layer is the graph, on random codes and on the ends of the types."""
    (layer,) = split(graph)
    path = unroll(layer.nodes, *layer.sources)
    rng = np.random.default_rng(seed)
    x = {n.name: rng.integers(n.type.min, n.type.max + 1, (60, *n.shape)) for n in graph.inputs}
    for n in graph.inputs:
        x[n.name][:20] = rng.choice([n.type.min, n.type.max], (20, *n.shape))
    got = path.evaluate(np.concatenate([x[stream] for stream in layer.inputs], axis=1))
    assert np.array_equal(got, golden.run(graph, list(x.values()))[0]), str(graph)
    return path


@given(
    st.lists(types, min_size=3, max_size=3),
    st.lists(st.integers(0, 2), min_size=2, max_size=4),
    st.sampled_from([*Function, None]),
    st.sampled_from([[3, 3, 3], [1, 3, 3], [3, 1, 1]]),
    st.integers(0, 999),
)
@settings(max_examples=80, deadline=None)
def test_datapaths_are_the_golden_model(
    kinds: list[FixedType], read: list[int], function: Function | None, shapes: list[int], seed: int
) -> None:
    """Other types, repeated elements, tensors that are read twice, and every rounding and overflow behind them."""
    check(merged(kinds, read, function, shapes, seed), seed)


SIGNED = FixedType(4, 1, True)


def operations(function: Function | None, read: list[int]) -> list[str]:
    graph = merged([SIGNED] * 3, read, function, [1] * 3, 1)
    plain = Graph("net", list(graph.nodes.values())[:-1], ("y",))
    return [type(op).__name__ for op in check(plain, 0).ops]


def test_only_what_is_needed_is_built() -> None:
    """A tensor that is read twice is shifted, its difference zero, its maximum itself; a concatenation is wires."""
    assert operations(Function.ADD, [0, 0]) == ["Source"]
    assert operations(Function.SUBTRACT, [0, 0]) == ["Source", "Constant"]
    assert operations(Function.MAXIMUM, [1, 1]) == ["Source"]
    assert operations(Function.AVERAGE, [0, 0]) == ["Source"]
    assert operations(None, [0, 1, 0]) == ["Source", "Source"]
    assert operations(Function.ADD, [0, 1, 2]).count(Sum.__name__) == 1  # three operands are one adder
    assert operations(Function.MULTIPLY, [0, 1, 2]).count(Product.__name__) == 2
