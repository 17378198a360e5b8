"""Every operation: bounds against all inputs, values against plain Python integers, and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from fraction_model import cast_code
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import MOVING, SPATIAL, WIDE, every_input, exactly_typed, random_node

from fpgaq.errors import FpgaqError, ModelError
from fpgaq.ir import FixedType, Graph, Overflow, Rounding, golden
from fpgaq.ir.node import Node, Operand
from fpgaq.ir.ops import (
    OPS,
    Affine,
    ArgMax,
    Clip,
    Concatenate,
    Crop,
    Function,
    GatedMatMul,
    Input,
    LeakyRelu,
    MatMul,
    Merge,
    Pad,
    Relu,
    Repeat,
    Requantize,
    Reshape,
    Slice,
    Staircases,
    Thresholds,
    WindowAverage,
    WindowMax,
    Windows,
    softmax,
)

#: A loop has a graph of its own: see ops/test_scan.py.
KINDS = sorted(set(OPS) - {"input", "scan"})
X = Input(name="x", inputs=(), type=FixedType(3, 1, True), layer="x", shape=(2,))
AT: dict[str, Any] = {"name": "n", "inputs": ("x",), "layer": "fc1"}


def operand_of(node: Input) -> Operand:
    """Return what a consumer of an input sees."""
    return Operand(node.type, node.infer([]))


def softmax_by_hand(node: softmax.Softmax, x: list[int]) -> list[int]:
    """Look the tables up by exact fractions: 1/64 a step of distance, ten bits of the sum, half to even at the end."""
    far = [math.floor(Fraction(max(x) - v) / Fraction(2) ** node.source_frac * 64) for v in x]
    e = [int(node.exponentials[min(k, 1023)]) for k in far]
    step = Fraction(2) ** (len(x).bit_length() - 10)
    inverse = int(node.inverses[min(math.floor(Fraction(sum(e), 1 << 16) / step), 1023)])
    return [round(Fraction(v * inverse, 1 << 16)) for v in e]


def value_by_hand(node: Node, x: list[int], shape: tuple[int, ...]) -> list[int]:
    """Compute one sample, flattened, with Python integers."""
    if isinstance(node, (Crop, Pad, Repeat, Windows)):
        return series_by_hand(node, x)
    if isinstance(node, (WindowAverage, WindowMax)):
        return reduced_by_hand(node, x, shape[-1])
    if isinstance(node, MatMul):
        rows = [x[k : k + node.n_in] for k in range(0, len(x), node.n_in)]
        columns = [node.weight[:, j].tolist() for j in range(node.n_out)]
        bias = node.bias.tolist()
        return [sum(map(operator.mul, row, w)) + b for row in rows for w, b in zip(columns, bias, strict=True)]
    if isinstance(node, Affine):
        channels = node.scale.size
        return [v * int(node.scale[k % channels]) + int(node.bias[k % channels]) for k, v in enumerate(x)]
    if isinstance(node, Relu):
        return [max(v, 0) for v in x]
    if isinstance(node, LeakyRelu):
        slopes = [int(node.slope[k % node.slope.size]) for k in range(len(x))]
        return [v * 2**node.slope_frac if v >= 0 else v * slope for v, slope in zip(x, slopes, strict=True)]
    if isinstance(node, Clip):
        return [min(max(v, node.least), node.most) for v in x]
    if isinstance(node, Requantize):
        return [cast_code(v, node.source_frac, node.type, node.rounding, node.overflow) for v in x]
    if isinstance(node, Staircases):
        tables = list(zip(node.thresholds.tolist(), node.codes.tolist(), strict=True))
        rows = [tables[k % len(tables)] for k in range(len(x))]
        return [codes[sum(v >= t for t in steps)] for v, (steps, codes) in zip(x, rows, strict=True)]
    if isinstance(node, Thresholds):
        return [int(node.codes[sum(v >= t for t in node.thresholds.tolist())]) for v in x]
    if isinstance(node, GatedMatMul):
        return gated_by_hand(node, x)
    if isinstance(node, Merge):
        return [merged_by_hand(node, [v] * len(node.inputs)) for v in x]
    if isinstance(node, Concatenate):
        along_first = node.axis == 0 or len(shape) == 1
        return x * len(node.inputs) if along_first else [v for v in x for _ in node.inputs]
    if isinstance(node, Slice):
        return [v for k, v in enumerate(x) if node.start <= k % shape[-1] < node.stop]
    if isinstance(node, ArgMax):
        return [x.index(max(x))]
    if isinstance(node, softmax.Softmax):
        return softmax_by_hand(node, x)
    return x


def merged_by_hand(node: Merge, x: list[int]) -> int:
    """Compute one element from one of every operand, which all have the same step."""
    if node.function is Function.AVERAGE:
        return int(Fraction(sum(x), len(x)) * 2 ** (node.type.frac - node.frac))
    first, *others = x
    by_name = {
        Function.ADD: sum(x),
        Function.SUBTRACT: first - sum(others),
        Function.MULTIPLY: math.prod(x),
        Function.MAXIMUM: max(x),
        Function.MINIMUM: min(x),
    }
    return by_name[node.function]


def series_by_hand(node: Crop | Pad | Repeat | Windows, x: list[int]) -> list[int]:
    """One channel and one axis; `ops/test_spatial.py` has the others."""
    if isinstance(node, Pad):
        return [node.value] * node.before[0] + x + [node.value] * node.after[0]
    if isinstance(node, Crop):
        return x[node.before[0] : len(x) - node.after[0]]
    if isinstance(node, Repeat):
        return [v for v in x for _ in range(node.times[0])]
    starts = range(0, len(x) - node.size[0] + 1, node.stride[0])
    return [x[k + tap] for k in starts for tap in range(node.size[0])]


def reduced_by_hand(node: WindowAverage | WindowMax, x: list[int], length: int) -> list[int]:
    channels = length // node.positions
    results = []
    for at in range(0, len(x), length):
        for c in range(channels):
            window = x[at + c : at + length : channels]
            if isinstance(node, WindowMax):
                results.append(max(window))
            else:
                divisor = int(node.divisors.reshape(-1)[at // length])
                results.append(math.trunc(Fraction(sum(window) << node.shift, divisor)))
    return results


def gated_by_hand(node: GatedMatMul, x: list[int]) -> list[int]:
    results = []
    for column, threshold in zip(node.weight.T.tolist(), node.thresholds.tolist(), strict=True):
        high = sum(w * (v // 2**node.low_bits) for w, v in zip(column, x, strict=True))
        low = sum(w * (v % 2**node.low_bits) for w, v in zip(column, x, strict=True))
        results.append(high * 2**node.low_bits + (low if high > threshold else 0))
    return results


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS))
def test_values_and_bounds_on_every_input(seed: int, kind: str) -> None:
    """Values equal Python's; bounds hold every value, and each end is reached where the operation is monotone."""
    rng = np.random.default_rng(seed)
    signed = bool(rng.integers(2)) and kind != "gated_matmul"
    type_ = FixedType(int(rng.integers(1, 4)), int(rng.integers(-1, 3)), signed)
    source = Input(
        name="x",
        inputs=(),
        type=type_,
        layer="x",
        shape=(3,) if kind in ("argmax", "gated_matmul", "softmax") else [(2,), (2, 1)][seed % 2 or kind in SPATIAL],
    )
    node = random_node(kind, "n", "x", operand_of(source), rng)
    if kind not in ("requantize", "softmax", *MOVING):
        node = exactly_typed(node, [operand_of(source)] * len(node.inputs))
    graph = Graph("one", [source, node], ("n",))
    x = every_input(graph)
    values = golden.run(graph, [x])[0]
    assert values.dtype == np.int64
    by_hand = [value_by_hand(node, sample.reshape(-1).tolist(), source.shape) for sample in x]
    assert values.reshape(len(x), -1).tolist() == by_hand
    bounds = graph.bounds["n"]
    assert bounds.lo.shape == values.shape[1:]
    assert node.type.covers(int(values.min()), int(values.max()))
    wraps = isinstance(node, Requantize) and node.overflow in (Overflow.WRAP, Overflow.SAT_ZERO)
    if wraps or kind in ("gated_matmul", "merge", "softmax"):
        assert np.all(bounds.lo <= values.min(0))
        assert np.all(bounds.hi >= values.max(0))
        assert node.type.covers(*bounds.hull)
    elif kind == "argmax":
        assert (bounds.lo.tolist(), bounds.hi.tolist()) == ([0], [2])
    else:
        assert bounds.lo.tolist() == values.min(0).tolist()
        assert bounds.hi.tolist() == values.max(0).tolist()


@pytest.mark.parametrize(("rounding", "overflow"), list(itertools.product(Rounding, Overflow)))
def test_requantize_bounds_hold_for_every_interval(rounding: Rounding, overflow: Overflow) -> None:
    """Inputs narrowed by a clip to every interval: bounds are sound, and exact where nothing overflows."""
    wide = dataclasses.replace(X, type=FixedType(5, 2, True), shape=(1,))
    for least, most in itertools.combinations_with_replacement(range(-16, 16, 3), 2):
        clip = Clip(name="c", inputs=("x",), type=FixedType(5, 2, True), layer="c", least=least, most=most)
        for to in (FixedType(3, 1, True), FixedType(2, 0, False), FixedType(7, 3, True)):
            cast = Requantize(
                name="n", inputs=("c",), type=to, layer="n", source_frac=2, rounding=rounding, overflow=overflow
            )
            graph = Graph("g", [wide, clip, cast], ("n",))
            values = golden.run(graph, [every_input(graph)])[0]
            lo, hi = graph.bounds["n"].hull
            assert to.min <= lo <= values.min() <= values.max() <= hi <= to.max
            unclamped = [cast_code(v, 2, FixedType(40, to.frac, True), rounding, overflow) for v in (least, most)]
            if to.covers(*unclamped) or overflow in (Overflow.SAT, Overflow.SAT_SYM):
                assert (lo, hi) == (values.min(), values.max())


def lossy(node: Node) -> None:
    """A type with one bit less than needed is refused, and the message names the one that works."""
    right = exactly_typed(node, [operand_of(X)])
    Graph("g", [X, right], ("n",))
    narrow = dataclasses.replace(right.type, width=right.type.width - 1)
    with pytest.raises(ModelError, match=r"layer 'fc1'") as caught:
        Graph("g", [X, dataclasses.replace(right, type=narrow)], ("n",))
    assert str(caught.value).endswith(f"type {narrow} does not hold the exact result; {right.type} does")


def any_type(frac: int) -> FixedType:
    return FixedType(WIDE, frac, True)


WORKING: list[Node] = [
    MatMul(**AT, type=any_type(2), weight=[[3, -1], [2, 2]], weight_frac=1, bias=[1, -5]),
    Affine(**AT, type=any_type(3), scale=[3, -2], scale_frac=2, bias=[1, -5]),
    Relu(**AT, type=any_type(1)),
    LeakyRelu(**AT, type=any_type(3), slope=[3, -9], slope_frac=2),
    Clip(**AT, type=any_type(1), least=-2, most=3),
    Thresholds(**AT, type=any_type(0), thresholds=[0, 2], codes=[-1, 0, 1]),
    Staircases(**AT, type=any_type(0), thresholds=[[0, 2], [-1, 1]], codes=[[-1, 0, 1], [3, 0, 0]]),
    ArgMax(name="n", inputs=("x",), layer="fc1", type=FixedType(WIDE, 0, False)),
]


@pytest.mark.parametrize("node", [n for n in WORKING if n.op != "argmax"], ids=lambda n: n.op)
def test_lossy_type_is_refused_and_the_right_one_named(node: Node) -> None:
    lossy(node)


MISFITS: list[tuple[Node, str]] = [
    (MatMul(**AT, type=any_type(2), weight=np.ones((3, 2)), weight_frac=1, bias=[0, 0]), r"shape \[2\].*3x2 matrix"),
    (MatMul(**AT, type=any_type(2), weight=np.ones((2, 2)), weight_frac=1, bias=[0]), r"does not fit a 2x2 matrix"),
    (MatMul(**AT, type=any_type(1), weight=np.ones((2, 2)), weight_frac=1, bias=[0, 0]), r"1 fraction bits, 2 are"),
    (Affine(**AT, type=any_type(2), scale=[1], scale_frac=1, bias=[0]), r"1 scales for an input of shape \[2\]"),
    (Affine(**AT, type=any_type(2), scale=[1, 1], scale_frac=1, bias=[0]), r"2 scales for an input"),
    (Affine(**AT, type=any_type(4), scale=[1, 1], scale_frac=1, bias=[0, 0]), r"4 fraction bits, 2 are exact"),
    (Relu(**AT, type=any_type(0)), r"keeps the fraction bits"),
    (LeakyRelu(**AT, type=any_type(2), slope=[1], slope_frac=1), r"1 slopes of 1 fraction bits for an input of shape"),
    (LeakyRelu(**AT, type=any_type(1), slope=[1, 1], slope_frac=1), r"result with 1 fraction bits, 2 are exact"),
    (Clip(**AT, type=any_type(2), least=0, most=1), r"cannot clip fixed<3,2> to \[0, 1\]"),
    (Clip(**AT, type=any_type(1), least=2, most=1), r"cannot clip fixed<3,2> to \[2, 1\]"),
    (Staircases(**AT, type=any_type(0), thresholds=[[0]], codes=[[0, 1]]), r"1 staircases for an input of shape \[2\]"),
    (Reshape(**AT, type=X.type, shape=(3,)), r"cannot reshape \[2\].*to \[3\]"),
    (Reshape(**AT, type=FixedType(4, 1, True), shape=(2,)), r"cannot reshape.*fixed<3,2>.*fixed<4,3>"),
]


@pytest.mark.parametrize(("node", "message"), MISFITS)
def test_misfits_are_refused(node: Node, message: str) -> None:
    with pytest.raises(ModelError, match=rf"layer 'fc1': .*{message}"):
        Graph("g", [X, node], ("n",))


def test_requantize_of_other_fraction_bits_is_refused() -> None:
    node = Requantize(**AT, type=X.type, source_frac=3, rounding=Rounding.TRN, overflow=Overflow.SAT)
    with pytest.raises(ModelError, match="expects 3 fraction bits, its input has 1"):
        Graph("g", [X, node], ("n",))


def test_symmetric_saturation_to_one_bit_is_refused() -> None:
    """ap_fixed itself returns -1 there, outside the symmetric range."""
    to = FixedType(1, 0, True)
    node = Requantize(**AT, type=to, source_frac=1, rounding=Rounding.TRN, overflow=Overflow.SAT_SYM)
    with pytest.raises(ModelError, match=r"fixed<1,1>.*SAT_SYM.*2 bits"):
        Graph("g", [X, node], ("n",))
    Graph("g", [X, dataclasses.replace(node, overflow=Overflow.SAT)], ("n",))
    Graph("g", [X, dataclasses.replace(node, type=FixedType(2, 0, True))], ("n",))


def test_argmax_of_a_matrix_is_refused() -> None:
    matrix = dataclasses.replace(X, shape=(2, 2))
    with pytest.raises(ModelError, match=r"argmax needs a vector, not shape \[2, 2\]"):
        Graph("g", [matrix, dataclasses.replace(WORKING[-1], type=FixedType(2, 0, False))], ("n",))


def test_argmax_of_equal_elements_is_the_first() -> None:
    node = ArgMax(name="n", inputs=("x",), layer="n", type=FixedType(2, 0, False))
    graph = Graph("g", [dataclasses.replace(X, shape=(3,)), node], ("n",))
    assert golden.run(graph, [np.array([[1, 1, 1], [0, 3, 3], [-4, -4, -3]])])[0].tolist() == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("thresholds", "codes", "message"),
    [
        ([0, 1], [0, 1], "2 thresholds need 3 codes"),
        ([1, 1], [0, 1, 2], r"thresholds must ascend: \[1, 1\]"),
        ([2, 1], [0, 1, 2], r"thresholds must ascend: \[2, 1\]"),
        ([0, 1], [0, 2, 1], r"codes of a staircase must ascend: \[0, 2, 1\]"),
    ],
)
def test_bad_staircases_are_refused(thresholds: list[int], codes: list[int], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Thresholds(**AT, type=FixedType(3, 0, True), thresholds=thresholds, codes=codes)


TOO_WIDE: list[Node] = [
    MatMul(**AT, type=any_type(1), weight=[[2**61], [2**61]], weight_frac=0, bias=[0]),
    MatMul(**AT, type=any_type(1), weight=[[1], [1]], weight_frac=0, bias=[2**62 + 1]),
    Affine(**AT, type=any_type(1), scale=[2**61, 1], scale_frac=0, bias=[0, 0]),
    Requantize(**AT, type=any_type(62), source_frac=1, rounding=Rounding.TRN, overflow=Overflow.SAT),
    Requantize(**AT, type=FixedType(63, 1, True), source_frac=1, rounding=Rounding.TRN, overflow=Overflow.WRAP),
    Requantize(**AT, type=FixedType(80, 1, True), source_frac=1, rounding=Rounding.TRN, overflow=Overflow.SAT),
]


@pytest.mark.parametrize("node", TOO_WIDE)
def test_results_beyond_63_bits_are_refused_when_the_graph_is_made(node: Node) -> None:
    with pytest.raises(ModelError, match=r"layer 'fc1': .*(63|62) bits"):
        Graph("g", [X, node], ("n",))


def test_results_of_just_63_bits_are_exact() -> None:
    node = MatMul(**AT, type=any_type(1), weight=[[2**59], [2**59]], weight_frac=0, bias=[0])
    graph = Graph("g", [X, exactly_typed(node, [operand_of(X)])], ("n",))
    assert golden.run(graph, [np.array([[-4, -4], [3, 3]])])[0].tolist() == [[-(2**62)], [6 * 2**59]]


@pytest.mark.parametrize("width", [64, 65, 200])
def test_inputs_beyond_63_bits_are_refused(width: int) -> None:
    with pytest.raises(FpgaqError, match=r"layer 'x': .*63 bits"):
        Graph("g", [dataclasses.replace(X, type=FixedType(width, 3, True))], ("x",))


def test_an_input_computes_nothing() -> None:
    with pytest.raises(ModelError, match="no operands"):
        X.evaluate([])


def test_constants_cannot_be_changed() -> None:
    weight = np.ones((2, 2), np.int64)
    node = MatMul(**AT, type=any_type(2), weight=weight, weight_frac=1, bias=[0, 0])
    weight[0, 0] = 7
    assert node.weight.tolist() == [[1, 1], [1, 1]]
    with pytest.raises(ValueError, match="read-only"):
        node.weight[0, 0] = 5


@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_describes_itself(kind: str) -> None:
    x = X if kind != "gated_matmul" else dataclasses.replace(X, type=FixedType(3, 0, False))
    x = x if kind not in SPATIAL else dataclasses.replace(X, shape=(2, 1))
    node = random_node(kind, "n", "x", operand_of(x), np.random.default_rng(1))
    assert node.op == kind
    assert "\n" not in node.describe()
