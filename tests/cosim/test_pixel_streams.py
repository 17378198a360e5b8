"""A convolutional network in the RTL gate: frames of pixels in, pixels and vectors out, every beat in its cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cosim_designs import Faults, codes, written

from fpgaq.design import Design
from fpgaq.ir import FixedType, Graph, Overflow, Rounding, golden
from fpgaq.ir.ops import Input, MatMul, Pad, Requantize, Reshape, WindowMax, Windows
from fpgaq.report.content import timing
from fpgaq.rtl.stream_window import StreamWindow

SAMPLES = 12


def network() -> Graph:
    """5x6 pixels of 2 channels: a convolution with a margin, whose pixels are an output; a pool; a matrix."""
    rng = np.random.default_rng(2)
    byte, small = FixedType(3, 0, False), FixedType(4, 0, False)
    return Graph(
        "cnn",
        [
            Input(name="x", inputs=(), type=byte, layer="x", shape=(5, 6, 2)),
            Pad(name="pad", inputs=("x",), type=byte, layer="pad", before=(1, 1), after=(1, 0)),
            Windows(
                name="windows", inputs=("pad",), type=byte, layer="conv", size=(3, 2), stride=(1, 1), dilation=(1, 1)
            ),
            MatMul(
                name="conv",
                inputs=("windows",),
                type=FixedType(11, 2, True),
                layer="conv",
                weight=rng.integers(-7, 8, (12, 3)),
                weight_frac=2,
                bias=rng.integers(-9, 10, 3),
            ),
            Requantize(
                name="cast",
                inputs=("conv",),
                type=small,
                layer="conv",
                source_frac=2,
                rounding=Rounding.RND_CONV,
                overflow=Overflow.SAT,
            ),
            Windows(
                name="pooled", inputs=("cast",), type=small, layer="pool", size=(2, 2), stride=(2, 2), dilation=(1, 1)
            ),
            WindowMax(name="pool", inputs=("pooled",), type=small, layer="pool", positions=4),
            Reshape(name="flat", inputs=("pool",), type=small, layer="flat", shape=(18,)),
            MatMul(
                name="fc",
                inputs=("flat",),
                type=FixedType(12, 2, True),
                layer="fc",
                weight=rng.integers(-3, 4, (18, 2)),
                weight_frac=2,
                bias=rng.integers(-9, 10, 2),
                reuse=6,
            ),
        ],
        ("cast", "fc"),
    )


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    return Faults(written(network(), tmp_path_factory.mktemp("cnn")))


def test_every_beat_comes_when_it_must(faults: Faults) -> None:
    """Values, tlast, stalls at each output, a reset in mid-frame; the figures are those that were predicted."""
    design = faults.design
    gate, result = design.rtl_gate(codes(design, SAMPLES))
    gate.require()
    assert len(result.stream.words["m_axis_conv"]) == 30 * SAMPLES
    assert len(result.stream.words["m_axis_fc"]) == SAMPLES
    found = timing(design, result, gate.timetable)
    for row in found["outputs"]:
        for key in ("latency_cycles", "last_beat_cycles", "ii_cycles"):
            assert row[key] == row[f"predicted_{key}"]
        assert row["varying_ii"] is None
    assert found["ii_cycles"] == 7 * 7  # the margin is what there are most beats of
    want = golden.run(design.graph, [codes(design, SAMPLES)])
    assert np.array_equal(design.golden(codes(design, SAMPLES), raw=True)[0], want[0].reshape(SAMPLES, -1))


def test_the_top_says_what_a_beat_is(faults: Faults) -> None:
    top = str(faults.design.hardware.top())
    assert "// Input   2 x ufixed<3,3> in 1 bytes a beat, 30 beats." in top
    assert "// Output  3 x ufixed<4,4> in 2 bytes a beat, 30 beats at m_axis_conv." in top
    assert "tlast comes with the last beat of a frame, and must do so at the inputs." in top


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "message"),
    [
        ("cnn_pad.sv", r"\.MARGIN\(6'd0\)", ".MARGIN(6'd1)", "layer 'pad', sample 0, element 0: got 1, want 0"),
        ("folded_matrix.sv", r"busy & ~last_step", "busy & ~last_cycle", "m_axis_fc"),
        ("stream_window.sv", r"row == ROW_W'\(LAST_ROW\)", "row == '0", "tlast is 0, its vector came with 1"),
    ],
)
def test_planted_faults_fail_the_gate(
    faults: Faults, file: str, pattern: str, replacement: str, message: str, tmp_path: Path
) -> None:
    gate = faults.planted(tmp_path, file, pattern, replacement, samples=3)
    assert not gate.passed
    assert message in str(gate.first_mismatch)


def test_a_wrong_prediction_fails_the_gate(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    design = Design(faults.design.graph, faults.design.options, faults.design.folder)
    monkeypatch.setattr(StreamWindow, "latency", 2)
    gate, _ = design.rtl_gate(codes(design, SAMPLES))
    assert not gate.passed
    assert "were predicted for these vectors" in str(gate.first_mismatch)
