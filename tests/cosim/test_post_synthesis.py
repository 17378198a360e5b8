"""Whole designs after synthesis: the netlist of the top in the same bench as its sources."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from cosim_designs import codes, written

from fpgaq.cosim import Simulation, SimulationResult
from fpgaq.design import Design
from fpgaq.ir import FixedType, Graph, Overflow, Rounding, golden
from fpgaq.ir.ops import GatedMatMul, Input, MatMul, Requantize
from fpgaq.synth import Netlist, netlist

SAMPLES = 60


def layer(name: str, width: int, reuse: int) -> Graph:
    """One matrix of weights as wide as the inputs, and a cast."""
    rng = np.random.default_rng(2)
    limit = 1 << (width - 1)
    return Graph(
        name,
        [
            Input(name="x", inputs=(), type=FixedType(width, 0, True), layer="x", shape=(4,)),
            MatMul(
                name="fc",
                inputs=("x",),
                type=FixedType(2 * width + 2, 0, True),
                layer="fc",
                weight=rng.integers(-limit, limit, (4, 3)),
                weight_frac=0,
                bias=rng.integers(-limit, limit, 3),
                reuse=reuse,
            ),
            Requantize(
                name="cast",
                inputs=("fc",),
                type=FixedType(width, -2, True),
                layer="fc",
                source_frac=0,
                rounding=Rounding.RND_CONV,
                overflow=Overflow.SAT,
            ),
        ],
        ("cast",),
    )


def simulated(design: Design, sources: list[Path], work: Path) -> SimulationResult:
    words = {"s_axis": design.hardware.inputs[0].pack(codes(design, SAMPLES))}
    span = design.hardware.latency + 3 * design.hardware.ii
    return Simulation(sources, design.name, work).run(words, ["m_axis"], seed=4, span=span)


def equals_golden(design: Design, result: SimulationResult) -> bool:
    want = golden.run(design.graph, [codes(design, SAMPLES)])[0]
    return all(
        seen.violation is None and np.array_equal(design.hardware.outputs[0].unpack(words), want[: len(words)])
        for seen in result.passes.values()
        for words in seen.words.values()
    )


def synthesized(graph: Graph, folder: Path) -> tuple[Design, Netlist]:
    design = written(graph, folder)
    return design, netlist(design.sources, design.name, work=folder / "synth")


@pytest.mark.extended
def test_unrolled(tmp_path: Path) -> None:
    """Equal to golden, with stalls and a reset; then one flipped bit of one LUT."""
    design, made = synthesized(layer("flat", 3, 1), tmp_path)
    result = simulated(design, [made.path, *made.models], tmp_path / "sound")
    assert equals_golden(design, result)
    assert result.stale == 0
    assert (result.stream.latency("m_axis"), result.stream.ii("m_axis")) == (design.hardware.latency, 1)

    text = made.path.read_text()
    # An inverter or buffer on a data path: both of its entries are used.
    faulty, count = re.subn(r"(\.INIT\(4'h)([0-9a-f])", lambda m: f"{m[1]}{int(m[2], 16) ^ 2:x}", text, count=1)
    assert count == 1
    (tmp_path / "faulty.v").write_text(faulty)
    assert not equals_golden(design, simulated(design, [tmp_path / "faulty.v", *made.models], tmp_path / "faulty"))


@pytest.mark.slow
def test_folded_with_dsp_blocks(tmp_path: Path) -> None:
    design, made = synthesized(layer("lanes", 10, 4), tmp_path)
    assert made.resources.dsp == 3
    result = simulated(design, [made.path, *made.models], tmp_path / "sound")
    assert equals_golden(design, result)
    assert result.stale == 0
    assert (result.stream.latency("m_axis"), result.stream.ii("m_axis")) == (design.hardware.latency, 4)


@pytest.mark.extended
def test_gated_engine(tmp_path: Path) -> None:
    """Clock by clock as predicted for these vectors."""
    rng = np.random.default_rng(2)
    source = Input(name="x", inputs=(), type=FixedType(4, 0, False), layer="x", shape=(6,))
    gated = GatedMatMul(
        name="fc",
        inputs=("x",),
        type=FixedType(10, 0, True),
        layer="fc",
        weight=rng.integers(-4, 4, (6, 4)),
        weight_frac=0,
        low_bits=2,
        thresholds=np.zeros(4, np.int64),
        reuse=4,
    )
    design, made = synthesized(Graph("gates", [source, gated], ("fc",)), tmp_path)
    result = simulated(design, [made.path, *made.models], tmp_path / "sound")
    assert equals_golden(design, result)
    assert result.stale == 0
    table = design.hardware.timetable([codes(design, SAMPLES)])
    assert table is not None
    clocks = np.array(result.stream.cycles["m_axis"]) - result.stream.accepted["s_axis"][0]
    assert clocks.tolist() == table.sinks[0]
    assert len(set(table.gaps(0))) > 2
