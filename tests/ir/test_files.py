"""The graph as JSON: the same bytes for the same graph, the same graph from the bytes, errors for everything else."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import every_input, random_graph

from fpgaq.errors import FpgaqError
from fpgaq.ir import files, golden

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_round_trip(seed: int) -> None:
    graph = random_graph(seed)
    text = files.dumps(graph)
    again = files.loads(text)
    assert files.dumps(again) == text
    assert str(again) == str(graph)
    for name, node in graph.nodes.items():
        for field in dataclasses.fields(node):
            ours, read = getattr(node, field.name), getattr(again.nodes[name], field.name)
            assert np.array_equal(ours, read) if isinstance(ours, np.ndarray) else ours == read
    x = every_input(graph)
    assert np.array_equal(golden.run(graph, [x])[0], golden.run(again, [x])[0])


def test_text_is_the_same_for_an_equal_graph_and_differs_for_another() -> None:
    texts = [files.dumps(random_graph(seed)) for seed in range(50)]
    assert texts == [files.dumps(random_graph(seed)) for seed in range(50)]
    assert len(set(texts)) == len(texts)


def document() -> dict[str, Any]:
    """Return a valid document that holds a matrix and a cast."""
    for seed in range(1000):
        found = json.loads(files.dumps(random_graph(seed)))
        if {"matmul", "requantize"} <= {n["op"] for n in found["nodes"]}:
            return dict(found)
    raise AssertionError("no such graph")


def node_of(found: dict[str, Any], op: str) -> dict[str, Any]:
    return next(n for n in found["nodes"] if n["op"] == op)


def test_every_missing_key_is_an_error() -> None:
    for key in document():
        broken = document()
        del broken[key]
        with pytest.raises(FpgaqError, match=f"not a graph file: KeyError.*{key}"):
            files.loads(json.dumps(broken))
    for op in ("input", "matmul", "requantize"):
        for key in node_of(document(), op):
            broken = document()
            del node_of(broken, op)[key]
            with pytest.raises(FpgaqError, match=f"not a graph file: KeyError.*{key}"):
                files.loads(json.dumps(broken))


@pytest.mark.parametrize("schema", [0, 1, "2", None])
def test_other_schema_is_refused(schema: object) -> None:
    with pytest.raises(FpgaqError, match=r"schema .*this version reads 3; build it again"):
        files.loads(json.dumps(document() | {"schema": schema}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"graph"', '{"schema": 3}', '{"schema": 3, "nodes": 3}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(FpgaqError, match="not a graph file"):
        files.loads(text)


@pytest.mark.parametrize(
    ("op", "key", "value"),
    [
        ("matmul", "op", "matmull"),
        ("matmul", "weight", [[1, 2], [3]]),
        ("matmul", "weight", "text"),
        ("matmul", "weight", [[2**70]]),
        ("matmul", "type", [8, 2]),
        ("matmul", "type", "fixed<8,2>"),
        ("matmul", "type", [0, 2, True]),
        ("matmul", "inputs", ["nowhere"]),
        ("requantize", "rounding", "ROUND"),
        ("requantize", "overflow", 3),
        ("input", "shape", "2"),
    ],
)
def test_bad_values_are_refused(op: str, key: str, value: object) -> None:
    broken = document()
    node_of(broken, op)[key] = value
    with pytest.raises(FpgaqError):
        files.loads(json.dumps(broken))


def test_flipping_a_weight_changes_text_and_results() -> None:
    found = document()
    weight = node_of(found, "matmul")["weight"]
    weight[0][0] ^= 1
    original = document()
    assert json.dumps(found) != json.dumps(original)
