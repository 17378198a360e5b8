"""The golden interpreter: the order of its trace and the inputs it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaq.errors import ConfigError
from fpgaq.ir import FixedType, Graph, golden
from fpgaq.ir.ops import Input, MatMul, Relu

GRAPH = Graph(
    "g",
    [
        Input(name="x", inputs=(), type=FixedType(4, 1, True), layer="x", shape=(2,)),
        MatMul(
            name="m", inputs=("x",), type=FixedType(6, 1, True), layer="m", weight=[[1], [-2]], weight_frac=0, bias=[3]
        ),
        Relu(name="r", inputs=("m",), type=FixedType(5, 1, False), layer="r"),
    ],
    ("r", "m"),
)


def test_trace_holds_every_tensor_in_the_order_of_the_graph() -> None:
    values = golden.trace(GRAPH, [np.array([[1, 2], [-8, 7], [3, 0]])])
    assert list(values) == ["x", "m", "r"]
    assert values["m"].tolist() == [[0], [-19], [6]]
    assert values["r"].tolist() == [[0], [0], [6]]


def test_run_returns_the_outputs_in_order() -> None:
    r, m = golden.run(GRAPH, [np.array([[-8, 7]], np.int8)])
    assert (r.tolist(), m.tolist()) == ([[0]], [[-19]])
    assert r.dtype == np.int64


def test_no_samples_give_no_results() -> None:
    assert golden.run(GRAPH, [np.zeros((0, 2), np.int64)])[0].shape == (0, 1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.bool_, np.complex64, "U1"])
def test_other_dtypes_are_refused(dtype: object) -> None:
    with pytest.raises(ConfigError, match="input 'x': integer codes are needed"):
        golden.run(GRAPH, [np.zeros((1, 2), dtype)])  # type: ignore[call-overload]


@pytest.mark.parametrize("shape", [(2,), (1, 3), (1, 1), (1, 2, 1), ()])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"input 'x': samples of shape .*, expected \[2\]"):
        golden.run(GRAPH, [np.zeros(shape, np.int64)])


@pytest.mark.parametrize("code", [-9, 8, 2**40, -(2**40)])
def test_codes_outside_the_type_are_refused(code: int) -> None:
    with pytest.raises(ConfigError, match=rf"codes between .*{abs(code)}.*do not fit fixed<4,3>"):
        golden.run(GRAPH, [np.array([[code, 0]])])


def test_large_unsigned_codes_are_refused() -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        golden.run(GRAPH, [np.array([[2**64 - 1, 0]], np.uint64)])


@pytest.mark.parametrize("count", [0, 2])
def test_other_numbers_of_inputs_are_refused(count: int) -> None:
    with pytest.raises(ConfigError, match=f"the model has 1 inputs, {count} arrays were given"):
        golden.run(GRAPH, [np.zeros((1, 2), np.int64)] * count)
