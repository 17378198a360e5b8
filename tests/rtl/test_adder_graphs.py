"""Kept adder graphs: the same as searched ones, and never a wrong one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fpgaq.cmvm import solve
from fpgaq.ir import IntArray
from fpgaq.rtl import adder_graphs
from fpgaq.rtl.adder_graphs import adder_graph

BOUNDS = [(-8, 7), (3, 3), *[(0, 15)] * 8]
BIAS = np.arange(-4, 4)


def matrix(seed: int = 0) -> IntArray:
    return np.random.default_rng(seed).integers(-31, 32, (10, 8))


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FPGAQ_CACHE", str(tmp_path))
    return tmp_path / "adder-graphs"


def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the searches from now on."""
    found: list[int] = []
    monkeypatch.setattr(adder_graphs, "solve", lambda *a, **k: found.append(1) or solve(*a, **k))
    return found


def test_the_second_time_nothing_is_searched(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = adder_graph(matrix(), BOUNDS, BIAS)
    assert first == solve(matrix(), BOUNDS, BIAS)
    found = searches(monkeypatch)
    assert adder_graph(matrix(), BOUNDS, BIAS) == first
    assert found == []
    assert adder_graph(matrix(), BOUNDS, BIAS, adder_inputs=2) != first
    assert adder_graph(matrix(), BOUNDS, BIAS + 1) != first
    assert adder_graph(matrix(1), BOUNDS, BIAS) != first
    assert len(found) == 3
    assert len(list(kept.iterdir())) == 4


@pytest.mark.parametrize("fault", ["cut off", "not a graph", "a weight", "an output", "bounds", "nothing"])
def test_damaged_files_are_searched_again(fault: str, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = adder_graph(matrix(), BOUNDS, BIAS)
    (path,) = kept.iterdir()
    document = json.loads(path.read_text())
    if fault == "a weight":
        document["adders"][0][0][0][1] += 1
    elif fault == "an output":
        document["outputs"].reverse()
    elif fault == "bounds":
        document["bounds"][0] = [-4, 7]
    text = json.dumps(document)
    path.write_text({"cut off": text[:-9], "not a graph": "[]", "nothing": ""}.get(fault, text))
    found = searches(monkeypatch)
    assert adder_graph(matrix(), BOUNDS, BIAS) == first
    assert found == [1]
    assert adder_graph(matrix(), BOUNDS, BIAS) == first
    assert found == [1]


def test_another_solver_searches_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adder_graph(matrix(), BOUNDS, BIAS)
    monkeypatch.setattr(adder_graphs, "_solver", lambda: "newer")
    found = searches(monkeypatch)
    adder_graph(matrix(), BOUNDS, BIAS)
    assert found == [1]


def test_small_matrices_leave_no_file(kept: Path) -> None:
    adder_graph(matrix()[:3, :3], BOUNDS[:3])
    assert not kept.exists()
