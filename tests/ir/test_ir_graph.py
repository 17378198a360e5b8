"""The graph: names, order, bounds of every tensor, its text form."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import every_input, random_graph

from fpgaq.errors import ModelError
from fpgaq.ir import FixedType, Graph, golden
from fpgaq.ir.ops import Input, Relu

X = Input(name="x", inputs=(), type=FixedType(3, 1, True), layer="in", shape=(2,))
R = Relu(name="r", inputs=("x",), type=FixedType(2, 1, False), layer="act")


def test_duplicate_name_is_refused() -> None:
    with pytest.raises(ModelError, match="layer 'act': the name 'x' is used twice"):
        Graph("g", [X, dataclasses.replace(R, name="x")], ("x",))


def test_missing_input_is_refused() -> None:
    with pytest.raises(ModelError, match="layer 'act': its input 'y' is not computed before it"):
        Graph("g", [X, dataclasses.replace(R, inputs=("y",))], ("r",))


def test_wrong_order_is_refused() -> None:
    with pytest.raises(ModelError, match="its input 'x' is not computed before it"):
        Graph("g", [R, X], ("r",))


def test_missing_output_is_refused() -> None:
    with pytest.raises(ModelError, match="the output 'z' is not a node"):
        Graph("g", [X, R], ("r", "z"))


def test_nodes_are_read_only() -> None:
    with pytest.raises(TypeError):
        Graph("g", [X, R], ("r",)).nodes["y"] = X  # type: ignore[index]


def test_text_names_every_tensor_with_type_and_bounds() -> None:
    text = str(Graph("g", [X, R], ("r",)))
    lines = text.splitlines()
    assert lines[0] == "graph g -> r"
    assert lines[1].split() == ["x", "input", "()", "2:fixed<3,2>", "in", "[-4,", "3]", "shape=[2]"]
    assert lines[2].split() == ["r", "relu", "(x)", "2:ufixed<2,1>", "in", "[0,", "3]"]


def test_consumers_and_inputs() -> None:
    graph = Graph("g", [X, R, dataclasses.replace(R, name="s")], ("r", "s"))
    assert [n.name for n in graph.consumers("x")] == ["r", "s"]
    assert graph.consumers("r") == ()
    assert graph.inputs == (X,)
    assert graph.operand("r").type == R.type
    assert graph.operand("r").shape == (2,)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_bounds_hold_every_value_of_every_tensor(seed: int) -> None:
    graph = random_graph(seed)
    values = golden.trace(graph, [every_input(graph)])
    assert list(values) == list(graph.nodes)
    for name, codes in values.items():
        bounds = graph.bounds[name]
        assert codes.shape[1:] == bounds.lo.shape
        assert np.all(codes >= bounds.lo), name
        assert np.all(codes <= bounds.hi), name
        assert graph.nodes[name].type.covers(*bounds.hull)
    assert all(name in str(graph) for name in graph.nodes)
