"""Cutting a graph into hardware layers."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from random_layers import Chain

from fpgaq.errors import ModelError
from fpgaq.ir import FixedType, Graph, Overflow, Rounding
from fpgaq.ir.ops import Concatenate, Function, Input, Merge, Relu, Reshape, Windows
from fpgaq.rtl.stages import split, streams
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


def test_blocks_of_a_convolution_are_named_after_it() -> None:
    graph = Chain("net", (4, 4, 1), BYTE, 0).pad((1, 1), (1, 1)).windows((3, 3)).matmul(2, "dense", 3).relu().graph
    layers = {"pad1": "conv", "windows2": "conv", "matmul3": "conv", "relu4": "act"}
    found = split(renamed(graph, layers))
    assert [(layer.name, layer.beats) for layer in found] == [
        ("net_conv_pad", 36),
        ("net_conv_window", 16),
        ("net_conv", 16),
    ]
    assert [(layer.n_in, layer.n_out) for layer in found[1:]] == [(36, 9), (9, 2)]
    plain = Chain("net", (4, 4, 1), BYTE, 0).pad((1, 1), (1, 1)).windows((3, 3)).graph
    assert [layer.name for layer in split(plain)] == ["net_pad1", "net_windows2"]


def test_tensors_without_operations_on_pixels_are_vectors() -> None:
    (layer,) = split(Chain("net", (2, 3), BYTE, 0).relu().graph)
    assert (layer.beats, layer.n_in, layer.n_out) == (1, 6, 6)


def test_names_are_legal_and_different() -> None:
    graph = renamed(chain().graph, {"relu1": "fc", "matmul2": "fc", "matmul6": "FC", "argmax7": "a/b ü"})
    names = [layer.name for layer in split(graph)]
    assert names == ["net_fc", "net_fc_2", "net_FC_3", "net_a_b__"]
    assert not KEYWORDS.intersection(names)


def relu(name: str, source: str, **more: Any) -> Relu:
    return Relu(name=name, inputs=(source,), type=BYTE, layer=name, **more)


def source(name: str, size: int = 2) -> Input:
    return Input(name=name, inputs=(), type=BYTE, layer=name, shape=(size,))


def test_branches_start_layers_of_their_own() -> None:
    """What two layers read, or an output shows, ends its layer; what one reads goes on."""
    nodes = [source("x"), relu("a", "x"), relu("b", "a"), relu("c", "b"), relu("d", "b"), relu("e", "d")]
    layers = split(Graph("net", nodes, ("c", "e")))
    assert [tuple(n.name for n in layer.nodes) for layer in layers] == [("a", "b"), ("c",), ("d", "e")]
    assert [(layer.inputs, layer.output) for layer in layers] == [(("x",), "b"), (("b",), "c"), (("b",), "e")]
    shown = split(Graph("net", nodes, ("a", "c", "e")))
    assert [layer.output for layer in shown] == ["a", "b", "c", "e"]


def test_reshapes_rename_streams() -> None:
    flat = Reshape(name="flat", inputs=("x",), type=BYTE, layer="flat", shape=(4,))
    shaped = Input(name="x", inputs=(), type=BYTE, layer="x", shape=(2, 2))
    graph = Graph("net", [shaped, flat, relu("a", "flat"), relu("b", "x")], ("a", "b", "flat"))
    assert streams(graph) == {"x": "x", "flat": "x", "a": "a", "b": "b"}
    assert [layer.inputs for layer in split(graph)] == [("x",), ("x",)]


def test_what_no_output_needs_is_not_built() -> None:
    nodes = [source("x"), relu("a", "x"), relu("dead", "a"), relu("b", "a")]
    (layer,) = split(Graph("net", nodes, ("b",)))
    assert [n.name for n in layer.nodes] == ["a", "b"]


def test_inputs_that_nothing_reads_are_refused() -> None:
    with pytest.raises(ModelError, match="input 'y': no output depends on it; take it out of the model"):
        split(Graph("net", [source("x"), source("y"), relu("a", "x")], ("a",)))


def add(name: str, *sources: str) -> Merge:
    fracs = (BYTE.frac,) * len(sources)
    wide = FixedType(BYTE.width + 2, BYTE.frac, BYTE.signed)
    return Merge(name=name, inputs=sources, type=wide, layer=name, function=Function.ADD, source_fracs=fracs)


def test_a_merge_reads_every_stream_once_and_takes_along_what_follows() -> None:
    flat = Reshape(name="flat", inputs=("x",), type=BYTE, layer="flat", shape=(2,))
    nodes = [source("x"), source("y"), flat, relu("a", "x"), add("s", "a", "flat", "y", "x"), relu("b", "s")]
    nodes[-1] = Relu(name="b", inputs=("s",), type=nodes[-2].type, layer="b")
    first, merge = split(Graph("net", nodes, ("b",)))
    assert [n.name for n in first.nodes] == ["a"]
    assert [n.name for n in merge.nodes] == ["s", "b"]
    assert merge.inputs == ("a", "x", "y")
    assert merge.nodes[0].inputs == ("a", "x", "y", "x")
    assert merge.n_in == 6


def test_what_a_merge_reads_twice_has_one_reader() -> None:
    layers = split(Graph("net", [source("x"), relu("a", "x"), relu("b", "a"), add("s", "b", "b")], ("s",)))
    assert [(tuple(n.name for n in layer.nodes), layer.inputs) for layer in layers] == [
        (("a", "b"), ("x",)),
        (("s",), ("b",)),
    ]


def test_a_stream_is_read_as_often_as_it_has_its_turn() -> None:
    image = Input(name="x", inputs=(), type=BYTE, layer="x", shape=(2, 2, 1))
    windows = Windows(name="w", inputs=("x",), type=BYTE, layer="w", size=(1, 1), stride=(1, 1), dilation=(1, 1))
    fracs = (BYTE.frac, BYTE.frac)
    joined = [
        Concatenate(name=f"c{a}", inputs=("w", "w"), type=BYTE, layer="c", axis=a, source_fracs=fracs) for a in (0, 2)
    ]
    _, *found = split(Graph("net", [image, windows, *joined], ("c0", "c2")))
    assert [(layer.inputs, layer.beats) for layer in found] == [(("w", "w"), 8), (("w",), 4)]
    assert [source.shape for layer in found for source in layer.sources] == [(2, 2, 1), (2, 2, 1), (1,)]


def test_nothing_to_build_is_refused() -> None:
    with pytest.raises(ModelError, match="design 'net': it computes nothing"):
        split(Graph("net", [source("x")], ("x",)))
