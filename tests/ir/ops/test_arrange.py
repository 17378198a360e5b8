"""Cropping, repeating and permuting against loops over the indices; what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fpgaq.errors import ModelError
from fpgaq.ir import FixedType, Graph, golden
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Crop, Input, Permute, Repeat

TYPE = FixedType(8, 2, True)
SHAPE = (3, 4, 2)
AT = {"name": "n", "inputs": ("x",), "layer": "moved", "type": TYPE}


def graph(node: Node) -> Graph:
    return Graph("g", [Input(name="x", inputs=(), type=TYPE, layer="x", shape=SHAPE), node], ("n",))


CASES = [
    (Crop(**AT, before=(1, 0), after=(0, 2)), lambda i, j, k: (i + 1, j, k), (2, 2, 2)),
    (Repeat(**AT, times=(2, 3)), lambda i, j, k: (i // 2, j // 3, k), (6, 12, 2)),
    (Permute(**AT, axes=(2, 0, 1)), lambda i, j, k: (j, k, i), (2, 3, 4)),
]


@pytest.mark.parametrize(("node", "source", "shape"), CASES, ids=[node.op for node, _, _ in CASES])
def test_elements_come_from_where_they_should(node: Node, source, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(TYPE.min, TYPE.max + 1, (5, *SHAPE))
    (out,) = golden.run(graph(node), [x])
    assert out.shape == (5, *shape)
    for place in itertools.product(*map(range, shape)):
        assert np.array_equal(out[(slice(None), *place)], x[(slice(None), *source(*place))])


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Crop(**AT, before=(2, 0), after=(1, 0)), r"crops \(2, 0\) and \(1, 0\) of a tensor of shape \[3, 4, 2\]"),
        (Crop(**AT, before=(1,), after=(0,)), r"crops \(1,\) and"),
        (Crop(**AT, before=(-1, 0), after=(0, 0)), r"crops \(-1, 0\) and"),
        (Repeat(**AT, times=(0, 2)), r"repeating \[0, 2\] times in"),
        (Repeat(**AT, times=(2,)), r"repeating \[2\] times in"),
        (Permute(**AT, axes=(0, 1)), r"axes \[0, 1\] of"),
        (Permute(**{**AT, "type": FixedType(8, 3, True)}, axes=(1, 0, 2)), r"result of fixed<8,5>, its input is"),
    ],
)
def test_misfits_are_refused(node: Node, message: str) -> None:
    with pytest.raises(ModelError, match=rf"layer 'moved': {message}"):
        graph(node)
