"""Padding, windows and their maximum, against loops over pixels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaq.errors import ModelError
from fpgaq.ir import FixedType, Graph, files, golden
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Input, MatMul, Pad, WindowMax, Windows

TYPE = FixedType(5, 1, signed=True)
AT = {"inputs": ("x",), "layer": "conv", "name": "conv"}


def graph_of(shape: tuple[int, ...], *nodes: Node) -> Graph:
    return Graph("g", [Input(name="x", inputs=(), type=TYPE, layer="x", shape=shape), *nodes], (nodes[-1].name,))


@st.composite
def windows(draw: st.DrawFn) -> tuple[tuple[int, ...], Pad, Windows]:
    axes = draw(st.integers(1, 2))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    size, stride, dilation = each(1, 3), each(1, 4), each(1, 2)
    before, after = each(0, 2), each(0, 2)
    least = [(n - 1) * d + 1 - b - a for n, d, b, a in zip(size, dilation, before, after, strict=True)]
    shape = (*(draw(st.integers(max(n, 1), max(n, 1) + 4)) for n in least), draw(st.integers(1, 3)))
    pad = Pad(**AT | {"name": "pad"}, type=TYPE, before=before, after=after, value=draw(st.integers(-3, 3)))
    return shape, pad, Windows(**AT | {"inputs": ("pad",)}, type=TYPE, size=size, stride=stride, dilation=dilation)


@given(windows(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_windows_against_loops(case: tuple[tuple[int, ...], Pad, Windows], seed: int) -> None:
    shape, pad, node = case
    x = np.random.default_rng(seed).integers(TYPE.min, TYPE.max + 1, (2, *shape))
    graph = graph_of(shape, pad, node)
    found = golden.run(graph, [x])[0]
    margins = zip(pad.before, pad.after, strict=True)
    padded = np.pad(x, [(0, 0), *margins, (0, 0)], constant_values=pad.value)
    counts = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, d, s in zip(padded.shape[1:-1], node.size, node.dilation, node.stride, strict=True)
    ]
    assert found.shape == (2, *counts, node.positions * shape[-1])
    for place in itertools.product(*map(range, counts)):
        want = []
        for tap in itertools.product(*map(range, node.size)):
            at = tuple(p * s + t * d for p, s, t, d in zip(place, node.stride, tap, node.dilation, strict=True))
            want.append(padded[(slice(None), *at)])
        assert np.array_equal(found[(slice(None), *place)], np.concatenate(want, axis=-1))
    lo, hi = graph.bounds[node.name]
    assert (lo <= found).all()
    assert (found <= hi).all()


def test_convolution_is_that_of_tensorflow() -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    x, kernel = rng.integers(-8, 8, (3, 6, 5, 2)), rng.integers(-4, 5, (3, 2, 2, 4))
    pad = Pad(**AT | {"name": "pad"}, type=TYPE, before=(1, 0), after=(1, 1))
    taps = Windows(**AT | {"name": "taps", "inputs": ("pad",)}, type=TYPE, size=(3, 2), stride=(2, 1), dilation=(1, 1))
    matrix = MatMul(
        **AT | {"inputs": ("taps",)},
        type=FixedType(20, 1, True),
        weight=kernel.reshape(-1, 4),
        weight_frac=0,
        bias=np.zeros(4, np.int64),
    )
    found = golden.run(graph_of((6, 5, 2), pad, taps, matrix), [x])[0]
    padded = np.pad(x, [(0, 0), (1, 1), (0, 1), (0, 0)])
    want = tf.nn.conv2d(padded.astype("float32"), kernel.astype("float32"), strides=(2, 1), padding="VALID").numpy()
    assert np.array_equal(found, want)


def test_maximum_of_windows() -> None:
    taps = Windows(**AT | {"name": "taps"}, type=TYPE, size=(2, 2), stride=(2, 2), dilation=(1, 1))
    most = WindowMax(**AT | {"inputs": ("taps",)}, type=TYPE, positions=4)
    x = np.random.default_rng(0).integers(-16, 16, (5, 4, 6, 3))
    graph = graph_of((4, 6, 3), taps, most)
    want = x.reshape(5, 2, 2, 3, 2, 3).max(axis=(2, 4))
    assert np.array_equal(golden.run(graph, [x])[0], want)
    again = files.loads(files.dumps(graph))
    assert np.array_equal(golden.run(again, [x])[0], want)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            Windows(**AT, type=TYPE, size=(5, 1), stride=(1, 1), dilation=(1, 1)),
            r"a window that reaches over \[5, 1\] is larger than its input \[4, 6, 3\]",
        ),
        (
            Windows(**AT, type=TYPE, size=(2, 2), stride=(1, 1), dilation=(4, 1)),
            r"a window that reaches over \[5, 2\] is larger than its input",
        ),
        (Windows(**AT, type=TYPE, size=(2,), stride=(1,), dilation=(1,)), r"size=\[2\].*shape \[4, 6, 3\]"),
        (Windows(**AT, type=TYPE, size=(2, 2), stride=(0, 1), dilation=(1, 1)), r"stride=\[0, 1\]"),
        (Pad(**AT, type=TYPE, before=(1,), after=(1,)), r"margins \(1,\) and \(1,\) for a tensor of shape \[4, 6, 3\]"),
        (Pad(**AT, type=TYPE, before=(1, 0), after=(-1, 0)), r"margins \(1, 0\) and \(-1, 0\)"),
        (Pad(**AT, type=TYPE, before=(1, 0), after=(1, 0), value=16), "does not hold the exact result"),
        (WindowMax(**AT, type=TYPE, positions=2), r"windows of 2 positions in a tensor of shape \[4, 6, 3\]"),
    ],
)
def test_what_does_not_fit_is_refused(node: Node, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        _ = graph_of((4, 6, 3), node).bounds
