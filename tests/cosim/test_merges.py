"""Branches that meet again, simulated: every operation on vectors, a residual network on pixels, and faults."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from cosim_designs import Faults, written
from merged_graphs import residual, side_by_side

from fpgaq import toolchain
from fpgaq.design import Design
from fpgaq.ir.ops import Merge
from fpgaq.rtl.timetable import DeadlockError, timetable
from fpgaq.stimuli import random_codes

FRAMES = 8


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    return Faults(written(residual(), tmp_path_factory.mktemp("pixels")))


def gate(design: Design, samples: int):  # type: ignore[no-untyped-def]
    return design.rtl_gate(random_codes(design.graph, samples, 3))


@pytest.mark.slow
def test_every_operation_on_vectors(tmp_path: Path) -> None:
    """Values of every layer under stalls, latency and II."""
    design = written(side_by_side(), tmp_path)
    toolchain.lint(design.sources, design.name)
    found, _ = gate(design, 60)
    found.require()
    assert sum(isinstance(node, Merge) for node in design.graph.nodes.values()) == 13


@pytest.mark.slow
def test_a_residual_network_on_pixels(pixels: Faults) -> None:
    """Every beat in its predicted cycle, also with stalls and after a reset; its FIFOs are those of the prediction."""
    design = pixels.design
    toolchain.lint(design.sources, design.name)
    found, _ = gate(design, FRAMES)
    found.require()
    depths = sorted(int(depth) for depth in re.findall(r"\.DEPTH\((\d+)\)", str(design.hardware.top())))
    assert depths == sorted((design.hardware.flow.depths or {}).values())


def with_fifo(faults: Faults, folder: Path, depth: int, changed: int) -> Design:
    """Return a copy in which the FIFO of a depth has another one; its predictions do not know."""
    path = folder / "rtl" / f"{faults.design.name}.sv"
    design = faults.copy(folder)
    text, count = re.subn(rf"\.DEPTH\({depth}\)", f".DEPTH({changed})", path.read_text())
    assert count == 1
    path.write_text(text)
    return design


@pytest.mark.slow
def test_one_word_less_is_found_and_as_slow_as_predicted(pixels: Faults, tmp_path: Path) -> None:
    flow = pixels.design.hardware.flow
    place, depth = max((flow.depths or {}).items(), key=lambda item: item[1])
    design = with_fifo(pixels, tmp_path, depth, depth - 1)
    found, result = gate(design, FRAMES)
    assert not found.passed
    assert "cycles, " in str(found.first_mismatch)
    assert "were predicted for these vectors" in str(found.first_mismatch)
    slow = timetable(dataclasses.replace(flow, depths={**(flow.depths or {}), place: depth - 1}), {}, FRAMES)
    start = min(clocks[0] for clocks in result.stream.accepted.values())
    for end, clocks in zip(design.hardware.outputs, slow.sinks, strict=True):
        assert [clock - start for clock in result.stream.cycles[end.prefix]] == list(clocks)
    assert slow.sinks != timetable(flow, {}, FRAMES).sinks


@pytest.mark.slow
def test_a_predicted_deadlock_is_one(pixels: Faults, tmp_path: Path) -> None:
    flow = pixels.design.hardware.flow
    place, depth = max((flow.depths or {}).items(), key=lambda item: item[1])
    with pytest.raises(DeadlockError):
        timetable(dataclasses.replace(flow, depths={**(flow.depths or {}), place: 2}), {}, FRAMES)
    found, result = gate(with_fifo(pixels, tmp_path, depth, 2), FRAMES)
    assert not found.passed
    assert not any(result.stream.words[end.prefix] for end in pixels.design.hardware.outputs if end.node == "head")


@pytest.mark.slow
def test_a_wrong_operand_is_found_and_located(pixels: Faults, tmp_path: Path) -> None:
    """The first channel of one operand is read where the second one should be."""
    found = pixels.planted(tmp_path, "residual_add1.sv", r"(assign x1 = in_data)\[.*\];", _first_channel, samples=3)
    assert not found.passed
    assert found.first_mismatch is not None
    assert found.first_mismatch.layer == "add1"


def _first_channel(assignment: re.Match[str]) -> str:
    high, low = map(int, re.findall(r"\d+", assignment[0])[1:])
    return f"{assignment[1]}[{high - low}:0];"
