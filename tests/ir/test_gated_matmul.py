"""The gated matrix: the paper's definition in real numbers, strict comparison, floored thresholds, exact bounds."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import every_input

from fpgaq.errors import ModelError
from fpgaq.ir import FixedType, Graph, activity, files, golden
from fpgaq.ir.node import Bounds, Operand
from fpgaq.ir.ops import GatedMatMul, Input

WIDE = FixedType(64, 0, True)


def gated(
    weight: object, thresholds: object, low_bits: int = 2, type_: FixedType = WIDE, **more: object
) -> GatedMatMul:
    named = {"name": "g", "inputs": ("x",), "layer": "g", "type": type_, "weight_frac": 0}
    return GatedMatMul(**named, weight=np.array(weight), thresholds=np.array(thresholds), low_bits=low_bits, **more)


def graph(node: GatedMatMul, bits: int) -> Graph:
    x = Input(name="x", inputs=(), type=FixedType(bits, 0, False), layer="x", shape=(node.n_in,))
    hull = node.infer([Operand(x.type, x.infer([]))]).hull
    return Graph("g", [x, dataclasses.replace(node, type=FixedType.from_interval(*hull, 0))], ("g",))


@settings(max_examples=150, deadline=None)
@given(
    low_bits=st.integers(1, 2),
    weights=st.lists(st.integers(-5, 5), min_size=2, max_size=2),
    delta=st.fractions(-12, 12),
)
def test_the_integers_are_the_definition_of_the_paper(low_bits: int, weights: list[int], delta: Fraction) -> None:
    """``O_h > Delta`` with a real Delta, for every input: the floor is the only integer threshold that does it."""
    node = gated([[w] for w in weights], [math.floor(delta / 2**low_bits)], low_bits)
    found = graph(node, 3)
    for x, (y,) in zip(every_input(found).tolist(), golden.run(found, [every_input(found)])[0], strict=True):
        high = sum(w * ((v >> low_bits) << low_bits) for w, v in zip(weights, x, strict=True))
        whole = sum(w * v for w, v in zip(weights, x, strict=True))
        assert y == (whole if high > delta else high)


def test_an_equal_sum_is_not_above_its_threshold() -> None:
    node = gated([[1], [0]], [1])
    assert node.open_gates(np.array([[4, 0], [8, 0], [3, 3]])).tolist() == [[False], [True], [False]]
    assert node.evaluate([np.array([[7, 0], [11, 0], [3, 3]])]).tolist() == [[4], [11], [0]]


def test_a_negative_threshold_is_floored_not_truncated() -> None:
    """Delta = -0.5 in units of h: h = 0 is above it, and so is no h = -1."""
    node = gated([[-1], [1]], [math.floor(-0.5)])
    x = np.array([[3, 3], [4, 0], [4, 4]])
    assert node.open_gates(x).tolist() == [[True], [False], [True]]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_bounds_hold_everything_and_are_attained_at_constant_gates(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low_bits, outs = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    thresholds = rng.choice([-100, 100], outs) if seed % 2 else rng.integers(-6, 7, outs)
    found = graph(gated(rng.integers(-4, 5, (2, outs)), thresholds, low_bits), 3)
    y = golden.run(found, [every_input(found)])[0]
    bounds = found.bounds["g"]
    assert np.all(bounds.lo <= y.min(axis=0))
    assert np.all(bounds.hi >= y.max(axis=0))
    if seed % 2:  # always open: a plain matrix; never: one of the high bits
        assert np.array_equal(bounds.lo, y.min(axis=0))
        assert np.array_equal(bounds.hi, y.max(axis=0))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_bounds_over_any_box_of_inputs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    node = gated(rng.integers(-4, 5, (2, 2)), rng.integers(-6, 7, 2), int(rng.integers(1, 3)))
    lo, hi = np.sort(rng.integers(0, 12, (2, 2)), axis=0)
    bounds = node.infer([Operand(FixedType(4, 0, False), Bounds(lo, hi))])
    x = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(lo, hi, strict=True))), -1).reshape(-1, 2)
    y = node.evaluate([x])
    assert np.all((bounds.lo <= y) & (y <= bounds.hi))


def test_masks_of_a_graph() -> None:
    found = graph(gated([[1, -1], [2, 3]], [1, 0]), 4)
    x = every_input(found)
    (mask,) = activity.open_gates(found, [x]).values()
    high = (x >> 2) @ np.array([[1, -1], [2, 3]])
    assert np.array_equal(mask, high > [1, 0])
    assert 0.2 < mask.mean() < 0.95
    assert activity.open_gates(Graph("n", [found.inputs[0]], ("x",)), [x]) == {}


def test_files_round_trip() -> None:
    found = graph(gated([[1, -1], [2, 3]], [1, -2], reuse=2), 4)
    text = files.dumps(found)
    again = files.loads(text)
    assert files.dumps(again) == text
    node = again.nodes["g"]
    assert isinstance(node, GatedMatMul)
    assert (node.thresholds.tolist(), node.low_bits, node.reuse) == ([1, -2], 2, 2)
    assert "low_bits=2 reuse=2" in str(again)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low_bits": 0}, "layer 'g': 0 low bits; a gated matrix needs at least 1"),
        ({"thresholds": [1]}, r"layer 'g': 1 thresholds for a matrix of shape \[2, 2\]"),
    ],
)
def test_wrong_parameters(change: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        gated(**{"weight": [[1, 2], [3, 4]], "thresholds": [0, 0], **change})


def operand(lo: int, hi: int, shape: tuple[int, ...] = (2,)) -> Operand:
    return Operand(FixedType(63, 0, lo < 0), Bounds(np.full(shape, lo), np.full(shape, hi)))


@pytest.mark.parametrize(
    ("source", "weight", "threshold", "message"),
    [
        (operand(-1, 3), 1, 0, r"layer 'g': its input reaches -1 .*never negative: put a rectifier in front of it"),
        (operand(0, 3, (3,)), 1, 0, r"layer 'g': input of shape \[3\] does not fit a 2x1 matrix"),
        (operand(0, 2**40), 2**22, 0, r"layer 'g': sums of up to 9223372036854775808 .*do not fit 63 bits"),
        (operand(0, 3), 1, 2**61, r"layer 'g': .*thresholds of up to 9223372036854775808 .*do not fit 63 bits"),
    ],
)
def test_wrong_operands(source: Operand, weight: int, threshold: int, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        gated([[weight], [weight]], [threshold]).infer([source])
    with pytest.raises(ModelError, match="result with 3 fraction bits, 0 are exact"):
        gated([[1], [1]], [0], type_=FixedType(9, 3, True)).infer([operand(0, 3)])
