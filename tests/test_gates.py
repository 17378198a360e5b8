"""The comparison itself: equal is equal, and the first difference is found wherever it is planted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaq.errors import GateError
from fpgaq.gates import Gate, Mismatch, compare, first_difference


@given(st.integers(1, 6), st.integers(1, 5), st.data())
def test_one_planted_difference_is_found_where_it_is(samples: int, size: int, data: st.DataObject) -> None:
    want = np.arange(samples * size).reshape(samples, size)
    assert compare("g", want.copy(), want, "y") == Gate("g", samples, 0)
    sample, index = data.draw(st.integers(0, samples - 1)), data.draw(st.integers(0, size - 1))
    by = data.draw(st.sampled_from([-1, 1, 2**40]))
    got = want.copy()
    got[sample, index] += by
    gate = compare("g", got, want, "y")
    first = Mismatch("y", sample, index, int(want[sample, index]) + by, int(want[sample, index]))
    assert gate == Gate("g", samples, 1, first)
    with pytest.raises(GateError, match=rf"gate g failed for 1 of {samples} samples; layer 'y', sample {sample}, el"):
        gate.require()


def test_mismatches_count_samples_not_elements() -> None:
    want = np.zeros((5, 3), np.int64)
    got = want.copy()
    got[[1, 4]] = 7
    gate = compare("g", got, want, "y")
    assert (gate.mismatches, gate.samples) == (2, 5)
    assert gate.first_mismatch == Mismatch("y", 1, 0, 7, 0)
    assert not gate.passed


def test_results_are_compared_flat() -> None:
    want = np.arange(12).reshape(2, 3, 2)
    assert compare("g", want.reshape(2, 6), want, "y").passed
    assert not compare("g", want.transpose(0, 2, 1).reshape(2, 6), want, "y").passed


@pytest.mark.parametrize("shape", [(3, 4), (5, 4), (4, 3), (4, 5), (0, 4)])
def test_missing_or_surplus_results_fail(shape: tuple[int, int]) -> None:
    gate = compare("g", np.zeros(shape, np.int64), np.zeros((4, 4), np.int64), "y")
    assert not gate.passed
    assert gate.first_mismatch is not None
    assert gate.first_mismatch.got is None
    with pytest.raises(GateError, match=rf"{shape[0]} results of \({shape[1]},\) elements came out, 4 of \(4,\) were"):
        gate.require()


def test_the_located_layer_is_preferred_to_the_output() -> None:
    asked: list[int] = []
    inner = Mismatch("hidden", 2, 1, 5, 6)

    def locate(sample: int) -> Mismatch | None:
        asked.append(sample)
        return inner

    want = np.zeros((4, 1), np.int64)
    got = want.copy()
    got[2:] = 1
    assert compare("g", got, want, "y", locate).first_mismatch == inner
    assert asked == [2]
    assert compare("g", want, want, "y", locate).first_mismatch is None
    assert asked == [2]
    assert compare("g", got, want, "y", lambda s: None).first_mismatch == Mismatch("y", 2, 0, 1, 0)


def test_first_difference_follows_the_order_of_the_network() -> None:
    want = {"a": np.array([[1, 2]]), "b": np.array([[[3], [4]]]), "c": np.array([[5]])}
    got = {"c": np.array([[0]]), "b": np.array([[3, 9]]), "a": np.array([[1, 2]])}
    assert first_difference(got, want, 8) == Mismatch("b", 8, 1, 9, 4)
    assert first_difference({"c": got["c"]}, want, 8) == Mismatch("c", 8, 0, 0, 5)
    assert first_difference(want, want, 8) is None
    assert first_difference({"a": np.zeros((0, 2))}, want, 8) is None


def test_the_row_of_the_report() -> None:
    failed = Gate("g", 5, 2, Mismatch("y", 1, 0, 7, 0))
    row = failed.to_json()
    assert row["passed"] is False
    assert row["first_mismatch"] == {"layer": "y", "sample": 1, "index": 0, "got": 7, "want": 0, "note": ""}
    assert Gate("g", 5, 0).to_json() == {"passed": True, "samples": 5, "mismatches": 0, "first_mismatch": None}
    assert str(Mismatch("y", 1, 0, None, None, "nothing came out")) == "nothing came out"
