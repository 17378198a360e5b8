"""Matrices multiplied in floating point: the same integers as in int64, up to the last bit that a bound allows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaq.ir import FixedType, Graph, IntArray, golden
from fpgaq.ir.ops import Input, MatMul, Pad, Windows
from fpgaq.stimuli import random_codes

INT64 = np.dtype(np.int64)


def network(bits: int, weight_bits: int, seed: int) -> Graph:
    """A convolution with a margin and a matrix behind it; bits of the input and of the weights."""
    rng = np.random.default_rng(seed)
    most = 1 << weight_bits - 1
    image = {"layer": "conv", "type": FixedType(bits, 0, True)}
    return Graph(
        "g",
        [
            Input(name="x", inputs=(), **image | {"layer": "x"}, shape=(4, 3, 2)),
            Pad(name="pad", inputs=("x",), **image, before=(1, 0), after=(0, 1)),
            Windows(name="taps", inputs=("pad",), **image, size=(3, 2), stride=(1, 1), dilation=(1, 1)),
            MatMul(
                name="conv",
                inputs=("taps",),
                layer="conv",
                type=FixedType(62, 0, True),
                weight=rng.integers(-most, most, (12, 3)),
                weight_frac=0,
                bias=rng.integers(-most, most, 3),
            ),
        ],
        ("conv",),
    )


def in_int64(graph: Graph, x: IntArray, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, IntArray]:
    with monkeypatch.context() as patch:
        patch.setattr(golden, "factor_types", lambda graph: dict.fromkeys(graph.nodes, INT64))
        return golden.trace(graph, [x])


@given(st.integers(2, 30), st.integers(2, 27), st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_floats_give_the_integers(bits: int, weight_bits: int, seed: int) -> None:
    graph = network(bits, weight_bits, seed)
    x = random_codes(graph, 5, seed)
    with pytest.MonkeyPatch.context() as patch:
        want = in_int64(graph, x, patch)
        patch.setattr(golden, "_BLOCK_ELEMENTS", 2 * 12 * 12)  # blocks of two samples
        assert np.array_equal(golden.run(graph, [x])[0], want["conv"])
        found = golden.trace(graph, [x])
    assert list(found) == list(want)
    for name, values in want.items():
        assert np.array_equal(found[name], values), name


def tight(terms: int, weight: int, bits: int) -> Graph:
    """Sums of unsigned inputs with one weight: the bound is the largest sum, and is reached."""
    source = FixedType(bits, 0, False)
    return Graph(
        "g",
        [
            Input(name="x", inputs=(), type=source, layer="x", shape=(terms,)),
            MatMul(
                name="m",
                inputs=("x",),
                type=FixedType(60, 0, True),
                layer="m",
                weight=np.full((terms, 1), weight),
                weight_frac=0,
                bias=[0],
            ),
        ],
        ("m",),
    )


@pytest.mark.parametrize(
    ("graph", "kind"),
    [
        (tight(1, 1, 24), "float32"),
        (tight(257, 257, 8), "float64"),  # 257 * 257 * 255 is above 2**24
        (tight(1, 1, 53), "float64"),
        (tight(2, 1, 53), "int64"),
        (tight(3, 5, 51), "int64"),
    ],
)
def test_the_bound_chooses_the_type(graph: Graph, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert golden.factor_types(graph) == {"m": np.dtype(kind)}
    source = graph.inputs[0]
    x = np.full((3, *source.shape), source.type.max)
    x[1, 0] -= 1
    x[2, -1] -= 3
    assert np.array_equal(golden.run(graph, [x])[0], in_int64(graph, x, monkeypatch)["m"])


@pytest.mark.parametrize("graph", [tight(257, 257, 8), tight(3, 5, 51)])
def test_a_bound_that_is_too_small_shows(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the fault would be caught by the comparison above, so that the comparison can fail."""
    source = graph.inputs[0]
    x = np.full((3, *source.shape), source.type.max)
    x[1, 0] -= 1
    x[2, -1] -= 3
    want = in_int64(graph, x, monkeypatch)["m"]
    sound = MatMul.largest_partial_sum
    monkeypatch.setattr(MatMul, "largest_partial_sum", lambda node, bounds: sound(node, bounds) // 8)
    golden._factor_types.clear()
    assert not np.array_equal(golden.run(graph, [x])[0], want)
    golden._factor_types.clear()


def test_only_what_is_needed_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = network(4, 4, 0)
    x = random_codes(graph, 3, 0)
    assert list(golden.tensors(graph, [x], ["pad", "x"])) == ["x", "pad"]
    monkeypatch.setattr(MatMul, "evaluate", lambda *_: pytest.fail("nobody wants it"))
    golden.tensors(graph, [x], ["taps"])


def test_no_samples_go_through_windows() -> None:
    assert golden.run(network(4, 4, 0), [np.zeros((0, 4, 3, 2), np.int64)])[0].shape == (0, 3, 3, 3)
