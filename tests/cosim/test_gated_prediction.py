"""Sequential gated layers in the RTL gate: the cycle of every result is predicted from the golden model's gates."""

from __future__ import annotations

import numpy as np
import pytest
from cosim_designs import codes, written

from fpgaq.design import Design
from fpgaq.ir import FixedType, Graph, IntArray
from fpgaq.ir.ops import GatedMatMul, Input, Relu
from fpgaq.rtl.gated_engine import GatedEngine
from fpgaq.stimuli import input_codes


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    """Two engines with a rectifier between them; the second one takes longer for some vectors, the first for others."""
    rng = np.random.default_rng(5)

    def gated(name: str, source: str, type_: FixedType, weight: IntArray, reuse: int) -> GatedMatMul:
        return GatedMatMul(
            name=name,
            inputs=(source,),
            type=type_,
            layer=name,
            weight=weight,
            weight_frac=0,
            low_bits=2,
            thresholds=rng.integers(-4, 5, weight.shape[1]),
            reuse=reuse,
        )

    nodes = [
        Input(name="x", inputs=(), type=FixedType(4, 0, False), layer="x", shape=(6,)),
        gated("g1", "x", FixedType(10, 0, True), rng.integers(-4, 5, (6, 4)), 4),
        Relu(name="r", inputs=("g1",), type=FixedType(9, 0, False), layer="r"),
        gated("g2", "r", FixedType(14, 0, True), rng.integers(-4, 5, (4, 5)), 5),
    ]
    return written(Graph("gates", nodes, ("g2",)), tmp_path_factory.mktemp("gates"))


def test_every_result_comes_when_it_must(design: Design) -> None:
    gate, result = design.rtl_gate(codes(design))
    gate.require()
    assert gate.timetable is not None
    gaps = gate.timetable.gaps(0)
    assert len(set(gaps)) > 3
    assert max(gaps) <= design.hardware.ii
    assert result.stream.latency("m_axis") == gate.timetable.latency(0) <= design.hardware.latency


@pytest.mark.parametrize("error", [-1, 1])
def test_one_wrong_cycle_of_one_vector_fails_the_gate(
    design: Design, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = GatedEngine.cycles

    def wrong(self: GatedEngine, gates: np.ndarray) -> IntArray:
        found = true(self, gates).copy()
        if len(found) > 40 and self.matrix.name == "g2":
            found[40] += error
        return found

    right = design.hardware.timetable(input_codes(design.graph, codes(design)))
    monkeypatch.setattr(GatedEngine, "cycles", wrong)
    gate, _ = design.rtl_gate(codes(design))
    assert not gate.passed
    assert gate.first_mismatch is not None
    assert right is not None
    clock = right.sinks[0][40]
    assert f"result 40 came after {clock} cycles, {clock + error} were predicted" in gate.first_mismatch.note


def test_benches_can_read_the_counter_of_updates(design: Design) -> None:
    """It is among the signals that the compiled model shows by name, once for each engine."""
    design.simulation.build()
    text = "".join(path.read_text() for path in (design.folder / "sim").glob("Vtop__Syms*.cpp"))
    assert text.count('"updates"') == 2
