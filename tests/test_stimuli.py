"""Inputs of the gates."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaq.errors import ConfigError
from fpgaq.ir import FixedType, Graph
from fpgaq.ir.ops import Input
from fpgaq.stimuli import load_array, random_codes, real_codes

FIVE_BITS = FixedType(5, 2, True)


def graph(type_: FixedType = FIVE_BITS, shape: tuple[int, ...] = (2, 3)) -> Graph:
    return Graph("g", [Input(name="x", inputs=(), type=type_, layer="x", shape=shape)], ("x",))


@pytest.mark.parametrize("type_", [FixedType(5, 2, True), FixedType(3, 0, False), FixedType(1, 0, True)])
def test_random_codes_start_with_the_corners_and_reach_every_code(type_: FixedType) -> None:
    codes = random_codes(graph(type_), 400, 7)
    assert codes.shape == (400, 2, 3)
    assert [np.unique(c).tolist() for c in codes[:3]] == [[0], [type_.min], [type_.max]]
    assert np.unique(codes[3:]).tolist() == list(range(type_.min, type_.max + 1))


def test_random_codes_follow_the_seed() -> None:
    assert np.array_equal(random_codes(graph(), 20, 3), random_codes(graph(), 20, 3))
    assert not np.array_equal(random_codes(graph(), 20, 3), random_codes(graph(), 20, 4))
    assert [len(random_codes(graph(), n, 0)) for n in (1, 2, 3)] == [1, 2, 3]


@given(
    st.floats(-1e6, 1e6)
    | st.integers(-200, 200).map(lambda k: k / 8)
    | st.integers(-200, 200).map(lambda k: k / 8 + 2**-40),
    st.sampled_from([FixedType(5, 2, True), FixedType(4, 2, False), FixedType(6, -1, True), FixedType(8, 10, True)]),
)
def test_real_inputs_go_to_the_nearest_code_half_to_even_and_saturate(value: float, type_: FixedType) -> None:
    code = int(real_codes(graph(type_, (1,)), [[value]], "x")[0, 0])
    want = round(Fraction(value) * Fraction(2) ** type_.frac)
    assert code == min(max(want, type_.min), type_.max)


@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 6), (4, 3, 2), (4, 6, 1)])
def test_samples_of_the_right_size_are_reshaped(shape: tuple[int, ...]) -> None:
    values = np.arange(24).reshape(shape) / 4
    codes = real_codes(graph(FixedType(9, 2, True)), values, "x")
    assert codes.shape == (4, 2, 3)
    assert codes.reshape(-1).tolist() == list(range(24))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.uint64, np.bool_])
def test_every_numeric_dtype_is_read(dtype: Any) -> None:
    assert real_codes(graph(shape=(1,)), np.ones((2, 1), dtype), "x").tolist() == [[4], [4]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 5)), r"x\.npy: shape \[4, 5\] does not fit; expected \(samples, 2, 3\)"),
        (np.zeros((0, 2, 3)), r"x\.npy: shape \[0, 2, 3\] does not fit"),
        (np.zeros(()), r"x\.npy: shape \[\] does not fit"),
        (np.full((1, 2, 3), np.nan), r"x\.npy: it contains NaN or infinity; clean the data"),
        (np.full((1, 2, 3), -np.inf), r"x\.npy: it contains NaN or infinity"),
        (np.full((1, 2, 3), "a"), r"x\.npy: numbers are needed, not <U1"),
        (np.full((1, 2, 3), 1j), r"x\.npy: numbers are needed, not complex128"),
        (np.full((1, 2, 3), None), r"x\.npy: numbers are needed, not object"),
    ],
)
def test_other_inputs_are_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        real_codes(graph(), values, "x.npy")


def test_files_that_are_no_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.npy does not exist; give a \.npy file"):
        load_array(tmp_path / "none.npy")
    with pytest.raises(ConfigError, match="does not exist"):
        load_array(tmp_path)
    good = tmp_path / "good.npy"
    np.save(good, np.arange(100.0))
    assert load_array(good).tolist() == list(range(100))
    (tmp_path / "cut.npy").write_bytes(good.read_bytes()[:200])
    (tmp_path / "text.npy").write_text("1, 2, 3\n")
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name in ("cut", "text", "empty", "objects"):
        with pytest.raises(ConfigError, match=rf"{name}\.npy is not a \.npy array"):
            load_array(tmp_path / f"{name}.npy")


def test_archives_of_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros((1, 2, 3)))
    with pytest.raises(ConfigError):
        real_codes(graph(), load_array(tmp_path / "x.npz"), "x.npz")
