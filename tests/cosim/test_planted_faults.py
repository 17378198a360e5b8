"""The RTL gate fails for every planted fault, and says the right thing."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from cosim_designs import SAMPLES, Faults, codes, network, written

from fpgaq.errors import GateError
from fpgaq.gates import Gate
from fpgaq.ir import IntArray, golden


@pytest.fixture(scope="module")
def unrolled(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    return Faults(written(network("net", folded=False), tmp_path_factory.mktemp("unrolled")))


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    return Faults(written(network("fold", folded=True), tmp_path_factory.mktemp("folded")))


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Faults:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("faults", ["unrolled", "folded"], indirect=True)
def test_sound_designs_pass(faults: Faults) -> None:
    design = faults.design
    gate, result = design.rtl_gate(codes(design))
    assert gate == Gate("rtl_vs_golden", SAMPLES, 0)
    assert list(result.passes) == ["back to back", "under stalls", "after a reset"]
    assert len(result.passes["under stalls"].words["m_axis"]) == 100
    assert result.stream.latency("m_axis") == design.hardware.latency
    assert result.stream.ii("m_axis") == design.hardware.ii


# --- wrong values: layer, index, got and want -----------------------------------------------------------------------


def trace(faults: Faults) -> dict[str, IntArray]:
    return golden.trace(faults.design.graph, [codes(faults.design)])


def assert_named(gate: Gate, faults: Faults, layer: str) -> None:
    """The first difference is where the gate says: the golden value there is what it wanted, and not what it got."""
    mismatch = gate.first_mismatch
    assert mismatch is not None
    assert mismatch.layer == layer
    assert mismatch.want == trace(faults)[layer][mismatch.sample, mismatch.index]
    assert mismatch.got is not None
    assert mismatch.got != mismatch.want
    assert 0 < gate.mismatches <= gate.samples
    text = f"layer '{layer}', sample {mismatch.sample}, element {mismatch.index}: got {mismatch.got}, want "
    with pytest.raises(GateError, match=re.escape(text)):
        gate.require()


def test_wrong_wire_is_named_exactly(unrolled: Faults, tmp_path: Path) -> None:
    """Element 2 of the first layer shows element 3: what every number must be is known."""
    inner = trace(unrolled)["cast1"]
    swapped = inner.copy()
    swapped[:, 2] = inner[:, 3]
    last = unrolled.design.graph.nodes["fc2"]
    wrong = np.flatnonzero((last.evaluate([swapped]) != last.evaluate([inner])).any(axis=1))

    text = (unrolled.design.folder / "rtl" / "net_fc1.sv").read_text()
    found = re.search(r"out_data\[12 \+: 4\] = (\w+);", text)
    assert found is not None
    gate = unrolled.planted(tmp_path, "net_fc1.sv", r"(out_data\[8 \+: 4\] = )\w+;", rf"\g<1>{found[1]};")
    assert_named(gate, unrolled, "cast1")
    assert gate.first_mismatch is not None
    assert gate.mismatches == len(wrong)
    assert gate.first_mismatch.sample == wrong[0]
    assert gate.first_mismatch.index == 2
    assert gate.first_mismatch.got == inner[wrong[0], 3]


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "layer"),
    [
        ("net_fc1.sv", r"\.NEG_([ABC])\(1'b1\)", r".NEG_\1(1'b0)", "cast1"),  # a sign
        ("net_fc1.sv", r"\.([abc])\(\{(.*?), 1'd0\}\)", r".\1({1'd0, \2})", "cast1"),  # a shift
        ("net_fc1.sv", r" & ~\{\d+'d0, [^;]*;", ";", "cast1"),  # ties go up instead of to even
        ("net_fc1.sv", r" & \{4\{~\w+\[\d\]\}\}", "", "cast1"),  # no rectifier
        ("net_fc2.sv", r"\.NEG_([ABC])\(1'b1\)", r".NEG_\1(1'b0)", "fc2"),  # a sign in the last layer
    ],
)
def test_wrong_logic(unrolled: Faults, tmp_path: Path, file: str, pattern: str, replacement: str, layer: str) -> None:
    assert_named(unrolled.planted(tmp_path, file, pattern, replacement), unrolled, layer)


@pytest.mark.parametrize(
    ("file", "layer"),
    [("fold_fc1_matrix_weights.sv", "cast1"), ("fold_fc1_matrix_biases.sv", "cast1"), ("fold_fc2_weights.sv", "fc2")],
)
def test_one_bit_of_a_rom(folded: Faults, tmp_path: Path, file: str, layer: str) -> None:
    """The last table of the file, for the first word."""
    pattern = r"(?s)(.*TABLE\(\d+'h)([0-9a-f]+)"
    gate = folded.planted(tmp_path, file, pattern, lambda found: f"{found[1]}{int(found[2], 16) ^ 1:x}")
    assert_named(gate, folded, layer)


def test_rounding_behind_a_folded_matrix(folded: Faults, tmp_path: Path) -> None:
    gate = folded.planted(tmp_path, "fold_fc1.sv", r" & ~\{\d+'d0, [^;]*;", ";")
    assert_named(gate, folded, "cast1")


# --- wrong handshakes -------------------------------------------------------------------------------------------------


def assert_says(gate: Gate, text: str) -> None:
    with pytest.raises(GateError, match=text):
        gate.require()


def test_vector_dropped_once(unrolled: Faults, tmp_path: Path) -> None:
    """One valid is forced to zero, without any stall."""
    counted = (
        "logic [5:0] seen = '0;\n    always_ff @(posedge clk) if (rst_n & in_valid & enable) seen <= seen + 1'b1;\n"
        "    assign next_valid = {valid, in_valid & (seen != 6'd37)};"
    )
    gate = unrolled.planted(tmp_path, "pipeline_control.sv", r"assign next_valid = \{valid, in_valid\};", counted)
    assert_says(gate, r"back to back, m_axis, beat 14\d .*: nothing came for \d+ cycles: a vector was lost; the first")


def test_nothing_comes_out(unrolled: Faults, tmp_path: Path) -> None:
    gate = unrolled.planted(tmp_path, "skid_buffer.sv", r"(assign out_valid = ).*?;", r"\1 1'b0;")
    assert_says(gate, r"back to back, m_axis, beat 0 .*: nothing came for \d+ cycles")


def test_valid_moves_under_a_stall(unrolled: Faults, tmp_path: Path) -> None:
    gate = unrolled.planted(tmp_path, "pipeline_control.sv", r"else if \(enable\) valid", "else valid")
    assert_says(gate, "under stalls, ")


def test_input_lost_under_back_pressure(unrolled: Faults, tmp_path: Path) -> None:
    gate = unrolled.planted(tmp_path, "pipeline_control.sv", r"(assign in_ready\s+= )enable", r"\1 1'b1")
    assert_says(gate, r"under stalls, m_axis, beat \d+ .*: nothing came for \d+ cycles: a vector was lost")


def test_data_move_under_a_stall(unrolled: Faults, tmp_path: Path) -> None:
    gate = unrolled.planted(tmp_path, "net_fc1.sv", r"if \(enable\) begin", "if (1'b1) begin")
    assert_says(gate, r"under stalls, m_axis gives another result than expected at beat \d+")


def test_last_left_behind(unrolled: Faults, tmp_path: Path) -> None:
    gate = unrolled.planted(tmp_path, "pipeline_control.sv", r"\{last, in_last\}", "{last, 1'b0}")
    assert_says(gate, r"back to back, m_axis, beat \d+ .*: tlast is 0, its vector came with 1")


def test_last_moves_under_a_stall(unrolled: Faults, tmp_path: Path) -> None:
    gate = unrolled.planted(tmp_path, "pipeline_control.sv", r"if \(enable\) last", "last")
    assert_says(gate, r"under stalls, m_axis, beat \d+ .*: tlast is \d, its vector came with \d")


def test_pipeline_survives_a_reset(unrolled: Faults, tmp_path: Path) -> None:
    """The pipeline is empty at power-up, so only the reset in mid-stream shows it."""
    pattern = r"logic \[STAGES-1:0\] valid;((?s:.)*)if \(!rst_n\) valid <= '0;\s*else if"
    gate = unrolled.planted(tmp_path, "pipeline_control.sv", pattern, r"logic [STAGES-1:0] valid = '0;\1if")
    assert_says(gate, "after a reset")


def test_folded_matrix_survives_a_reset(folded: Faults, tmp_path: Path) -> None:
    pattern = r"logic busy,((?s:.)*)if \(!rst_n\) begin\s*busy\s+<= 1'b0;"
    gate = folded.planted(tmp_path, "folded_matrix.sv", pattern, r"logic busy = 1'b0,\1if (!rst_n) begin")
    assert_says(gate, "after a reset")


def test_nothing_is_known_at_power_up(unrolled: Faults, tmp_path: Path) -> None:
    """Without any reset the random initial state shows at once."""
    pattern = r"if \(!rst_n\) valid <= '0;\s*else if"
    gate = unrolled.planted(tmp_path, "pipeline_control.sv", pattern, "if")
    assert not gate.passed


def test_vector_overwritten_in_a_folded_matrix(folded: Faults, tmp_path: Path) -> None:
    pattern = r"(assign in_ready\s+= enable) & \(~busy \| last_step\)"
    assert not folded.planted(tmp_path, "folded_matrix.sv", pattern, r"\1").passed


@pytest.mark.parametrize(
    ("pattern", "replacement", "said"),
    [
        (r"full <= out_valid & ~out_ready", "full <= 1'b0", "t(valid was withdrawn|data changed) before the transfer"),
        (r"if \(!full\) kept", "kept", "tdata changed before the transfer"),
    ],
)
def test_output_not_held(unrolled: Faults, tmp_path: Path, pattern: str, replacement: str, said: str) -> None:
    """A violation of the protocol is a failed gate, not an error of a tool: the report names output and beat."""
    gate = unrolled.planted(tmp_path, "skid_buffer.sv", pattern, replacement)
    assert_says(gate, rf"under stalls, m_axis, beat \d+ \(cycle \d+\): {said}")
    assert gate.first_mismatch is not None
    assert gate.first_mismatch.layer == "fc2"
    assert f"beat {gate.first_mismatch.sample} " in gate.first_mismatch.note


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (37, r"back to back, m_axis, beat 150 .*: a surplus result: only 150 .* wrong value is that of beat 38"),
        (149, r"back to back, m_axis, beat 150 .*: a surplus result: only 150 vectors went in"),
        (249, r"under stalls, m_axis, beat 100 .*: a surplus result: only 100 vectors went in"),
    ],
)
def test_result_given_twice(unrolled: Faults, tmp_path: Path, number: int, said: str) -> None:
    """In mid-stream, and when everything seems to be over."""
    counted = (
        "logic [7:0] given;\n    always_ff @(posedge clk)\n        if (!rst_n) given <= '0;\n"
        "        else if (out_valid & out_ready) given <= given + 8'd1;\n"
        f"    logic twice;\n    assign twice = given == 8'd{number};\n\n    assign in_ready "
    )
    design = unrolled.copy(tmp_path)
    path = tmp_path / "rtl" / "skid_buffer.sv"
    text = path.read_text().replace("assign in_ready ", counted)
    path.write_text(text.replace("full <= out_valid & ~out_ready", "full <= out_valid & (~out_ready | twice)"))
    gate = design.rtl_gate(codes(design))[0]
    assert_says(gate, said)
    assert gate.mismatches == 1


# --- wrong predictions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faults", ["unrolled", "folded"], indirect=True)
@pytest.mark.parametrize("figure", ["latency", "ii"])
@pytest.mark.parametrize("error", [-1, 1])
def test_prediction_off_by_one(faults: Faults, figure: str, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hardware = faults.design.hardware
    true = {"latency": hardware.latency, "ii": hardware.ii}
    said = {**true, figure: true[figure] + error}
    (pace,) = hardware.paces
    wrong = dataclasses.replace(pace, first=said["latency"], ii=said["ii"])
    monkeypatch.setitem(hardware.__dict__, "paces", [wrong])
    gate, _ = faults.design.rtl_gate(codes(faults.design))
    assert_says(
        gate,
        f"latency {true['latency']} and II {true['ii']} cycles were measured, "
        f"{said['latency']} and {said['ii']} predicted",
    )
