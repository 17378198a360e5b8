"""The average of a window: every small case against fractions, ties with exact division, and what is refused."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from fpgaq.errors import ModelError
from fpgaq.ir import FixedType, Graph, files, golden
from fpgaq.ir.ops import Input, WindowAverage

AT = {"name": "pool", "inputs": ("x",), "layer": "pool"}
X = FixedType(3, 1, signed=True)


def graph_of(node: WindowAverage, shape: tuple[int, ...], type_: FixedType = X) -> Graph:
    return Graph("g", [Input(name="x", inputs=(), type=type_, layer="x", shape=shape), node], ("pool",))


@pytest.mark.parametrize("divisor", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("extra", [0, 1, 3])
def test_the_quotient_is_cut_towards_zero(divisor: int, extra: int) -> None:
    type_ = FixedType(8, 1 + extra, signed=True)
    node = WindowAverage(**AT, type=type_, positions=3, divisors=[[divisor]], source_frac=1)
    graph = graph_of(node, (1, 1, 3))
    x = np.array(list(itertools.product(range(-4, 4), repeat=3))).reshape(-1, 1, 1, 3)
    want = [math.trunc(Fraction(int(sample.sum()) << extra, divisor)) for sample in x]
    found = golden.run(graph, [x])[0].reshape(-1)
    assert found.tolist() == want
    assert graph.bounds["pool"].hull == (found.min(), found.max())


def test_every_window_has_its_divisor_and_every_channel_its_sum() -> None:
    node = WindowAverage(**AT, type=FixedType(8, 2, signed=True), positions=2, divisors=[1, 2], source_frac=1)
    x = np.array([[[1, 2, 3, -4], [1, -3, -2, 3]]])  # two windows of two positions of two channels
    assert golden.run(graph_of(node, (2, 4)), [x])[0].tolist() == [[[8, -4], [-1, 0]]]


def test_the_file_keeps_it() -> None:
    node = WindowAverage(**AT, type=FixedType(8, 2, signed=True), positions=2, divisors=[1, 2], source_frac=1)
    graph = graph_of(node, (2, 4))
    again = files.loads(files.dumps(graph))
    assert str(again) == str(graph)
    assert "positions=2 divisors=1/2 shift=1" in str(again)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": 3}, r"windows of 3 positions in a tensor of shape \[2, 4\]"),
        ({"divisors": [1, 2, 3]}, r"divisors \[1, 2, 3\] for a tensor of shape \[2, 4\]"),
        ({"divisors": [1, 0]}, r"divisors \[1, 0\]"),
        ({"type": FixedType(8, 0, signed=True)}, r"an average with 0 fraction bits of values with 1"),
        ({"source_frac": 2}, r"values with 2, its input has 1"),
        ({"type": FixedType(62, 61, signed=True)}, r"the sum of a window does not fit 63 bits"),
        ({"type": FixedType(3, 2, signed=True)}, r"does not hold the exact result; fixed<5,3> does"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    good = {"type": FixedType(8, 2, signed=True), "positions": 2, "divisors": [1, 2], "source_frac": 1}
    with pytest.raises(ModelError, match=rf"layer 'pool': .*{message}"):
        graph_of(WindowAverage(**AT, **{**good, **change}), (2, 4))
