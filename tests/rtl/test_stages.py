"""Cutting a graph into hardware layers."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from random_layers import Chain

from fpgaq.errors import ModelError
from fpgaq.ir import FixedType, Graph, Overflow, Rounding
from fpgaq.ir.ops import Input, Relu, Reshape
from fpgaq.rtl.stages import split
from fpgaq.rtl.verilog import KEYWORDS

BYTE = FixedType(8, 0, True)


def renamed(graph: Graph, layers: dict[str, str]) -> Graph:
    """The graph with other layer names, by node."""
    nodes = [dataclasses.replace(n, layer=layers.get(n.name, n.layer)) for n in graph.nodes.values()]
    return Graph(graph.name, nodes, graph.outputs)


def chain() -> Chain:
    made = Chain("net", 4, BYTE, 0).relu().matmul(3, "dense", 3).relu()
    made.requantize(4, False, 2, Rounding.RND, Overflow.SAT).affine("dense", 3).matmul(5, "dense", 3).argmax()
    return made


def test_each_matrix_takes_what_follows_it() -> None:
    groups = [tuple(n.op for n in layer.nodes) for layer in split(chain().graph)]
    assert groups == [("relu",), ("matmul", "relu", "requantize", "affine"), ("matmul",), ("argmax",)]


def test_layers_connect() -> None:
    graph = chain().graph
    layers = split(graph)
    assert [layer.name for layer in layers] == ["net_relu1", "net_matmul2", "net_matmul6", "net_argmax7"]
    assert [(layer.n_in, layer.n_out) for layer in layers] == [(4, 4), (4, 3), (3, 5), (5, 1)]
    assert [layer.matrix is not None for layer in layers] == [False, True, True, False]
    assert layers[-1].output == graph.outputs[0]
    for a, b in itertools.pairwise(layers):
        assert a.result.type == b.source.type
        assert np.array_equal(a.result.bounds.lo, b.source.bounds.lo)
        assert b.nodes[0].inputs == (a.output,)


def test_reshapes_are_no_hardware() -> None:
    shaped = Input(name="x", inputs=(), type=BYTE, layer="x", shape=(2, 2))
    flat = Reshape(name="flat", inputs=("x",), type=BYTE, layer="flat", shape=(4,))
    relu = Relu(name="relu", inputs=("flat",), type=BYTE, layer="relu")
    (layer,) = split(Graph("net", [shaped, flat, relu], ("relu",)))
    assert layer.nodes == (relu,)
    assert layer.n_in == 4


def test_names_are_legal_and_different() -> None:
    graph = renamed(chain().graph, {"relu1": "fc", "matmul2": "fc", "matmul6": "FC", "argmax7": "a/b ü"})
    names = [layer.name for layer in split(graph)]
    assert names == ["net_fc", "net_fc_2", "net_FC_3", "net_a_b__"]
    assert not KEYWORDS.intersection(names)


def test_branches_are_refused() -> None:
    source = Input(name="x", inputs=(), type=BYTE, layer="x", shape=(2,))
    first = Relu(name="a", inputs=("x",), type=BYTE, layer="first")
    second = Relu(name="b", inputs=("x",), type=BYTE, layer="second")
    with pytest.raises(ModelError, match=r"layer 'second': .* one chain from one input to one output"):
        split(Graph("net", [source, first, second], ("b",)))
    with pytest.raises(ModelError, match="one chain"):
        split(Graph("net", [source, first], ("x", "a")))
    other = Input(name="y", inputs=(), type=BYTE, layer="y", shape=(2,))
    with pytest.raises(ModelError, match=r"layer 'y': .* one chain"):
        split(Graph("net", [source, other, first], ("a",)))


def test_nothing_to_build_is_refused() -> None:
    source = Input(name="x", inputs=(), type=BYTE, layer="x", shape=(2,))
    with pytest.raises(ModelError, match="design 'net': it computes nothing"):
        split(Graph("net", [source], ("x",)))
