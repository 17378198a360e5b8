"""Bulk simulation: equal to golden for every sample and number of threads; a wrong design is noticed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from cosim_designs import Faults, network, written
from random_dags import random_dag
from test_pixel_streams import network as pixel_network

from fpgaq.bundles import bundled
from fpgaq.cosim import SimulationResult, rtl_gate
from fpgaq.cosim.bulk import BulkResult
from fpgaq.design import Design
from fpgaq.gates import Gate
from fpgaq.ir import IntArray, golden
from fpgaq.stimuli import input_codes, random_codes

#: Seed of a graph with several inputs and outputs.
TWO_INPUTS = 1


def results(design: Design, codes: IntArray, threads: int | None = None) -> BulkResult:
    """What a design gives for the codes of its only input."""
    return design.bulk_simulation.run([codes], patience=500, span=60, threads=threads)


@pytest.fixture(scope="module")
def unrolled(tmp_path_factory: pytest.TempPathFactory) -> Design:
    return written(network("bulk", folded=False), tmp_path_factory.mktemp("unrolled"))


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Design:
    return written(network("bulk", folded=True), tmp_path_factory.mktemp("folded"))


@pytest.fixture(params=["unrolled", "folded"])
def design(request: pytest.FixtureRequest) -> Design:
    found: Design = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("threads", [1, 3, None])
def test_results_are_golden(design: Design, threads: int | None) -> None:
    codes = random_codes(design.graph, 5000, 3)
    found = results(design, codes, threads)
    assert found.trouble is None
    assert np.array_equal(found.outputs[0], golden.run(design.graph, [codes])[0])
    assert found.clocks == 5000 * design.hardware.ii + 16 * (design.hardware.latency + 1 - design.hardware.ii)


def test_more_threads_than_samples(design: Design) -> None:
    codes = random_codes(design.graph, 2, 3)
    found = results(design, codes, 8)
    assert np.array_equal(found.outputs[0], golden.run(design.graph, [codes])[0])
    assert found.clocks == 2 * (design.hardware.latency + 1)


def broken(design: Design, folder: Path, changes: Mapping[str, str]) -> Design:
    """A copy whose output is changed behind the pipeline: valid, last or data of the last stream."""
    shutil.copytree(design.folder / "rtl", folder / "rtl")
    copy = Design(design.graph, design.options, folder)
    path = folder / "rtl" / "bulk.sv"
    text = path.read_text()
    skid = ".in_valid(valid_2),\n        .in_ready(ready_2),\n        .in_data({last_2, data_2})"
    assert text.count(skid) == 1
    changed = skid
    for old, new in changes.items():
        changed = changed.replace(old, new)
    path.write_text(text.replace(skid, changed))
    return copy


@pytest.mark.parametrize(
    ("valid", "last", "beat", "text"),
    [
        ("1'b0", "last_2", 0, r"nothing came for \d+ clocks"),
        ("1'b1", "1'b1", 2, "a surplus result behind it"),
    ],
)
def test_wrong_protocols_are_observed(
    valid: str, last: str, beat: int, text: str, unrolled: Design, tmp_path: Path
) -> None:
    design = broken(unrolled, tmp_path, {"valid_2": valid, "last_2": last})
    trouble = results(design, random_codes(design.graph, 50, 3), 1).trouble
    assert trouble is not None
    assert (trouble.port, trouble.beat) == ("m_axis", beat)
    assert re.fullmatch(rf"in bulk simulation, m_axis, beat {beat}: {text}", trouble.text)


# --- the gate ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def many() -> IntArray:
    """More samples than the bench sends; only the one with number 1234 is all ones."""
    codes = np.random.default_rng(1).integers(-8, 1, (1500, 4))
    codes[1234] = 1
    return codes


def gate_behind_the_bench(design: Design, codes: IntArray, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """What the gate says when the bench saw nothing wrong."""
    passed = Gate("rtl_vs_golden", 1000, 0), SimulationResult({}, 0)
    monkeypatch.setattr(rtl_gate, "_compared_bench", lambda *_: passed)
    return design.rtl_gate(codes)[0]


def test_a_fault_beyond_the_bench_is_found_and_located(many: IntArray, unrolled: Design, tmp_path: Path) -> None:
    """Planted in the first layer, where it takes one vector of the 1500 to show."""
    design = Faults(unrolled).copy(tmp_path)
    path = tmp_path / "rtl" / "bulk.sv"
    text, count = re.subn(r"in_data\(data_0\)", "in_data(data_0 == 16'h1111 ? 16'h1112 : data_0)", path.read_text())
    assert count == 1
    path.write_text(text)
    assert design.rtl_gate(many[:1000])[0].passed
    gate, simulation = design.rtl_gate(many)
    assert (gate.samples, gate.mismatches) == (1500, 1)
    first = gate.first_mismatch
    assert first is not None
    assert (first.layer, first.sample, first.note) == ("cast1", 1234, "")
    alone = golden.trace(design.graph, [many[1234:1235]])
    assert first.want == alone["cast1"][0, first.index] != first.got
    assert simulation.bulk is not None
    again = design.rtl_gate(many[1234:1235])[0].first_mismatch
    assert again is not None
    assert (again.layer, again.index, again.got, again.want) == (first.layer, first.index, first.got, first.want)


def test_a_fault_of_the_stream_keeps_all_samples(
    many: IntArray, unrolled: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 70 results of a part there are more: no sample shows it alone, so none is said to."""
    counted = (
        "logic [6:0] given;\n    always_ff @(posedge aclk)\n        if (!aresetn) given <= '0;\n"
        "        else given <= given + 7'(valid_2 & ready_2 & ~&given);\n\n    skid_buffer"
    )
    design = broken(unrolled, tmp_path, {"data_2": "data_2 ^ 20'(given == 7'd70)"})
    path = tmp_path / "rtl" / "bulk.sv"
    text = path.read_text()
    assert text.count("skid_buffer") == 1
    path.write_text(text.replace("skid_buffer", counted))
    bulk = design.simulate_bulk(many)
    found, want = bulk.outputs[0], golden.run(design.graph, [many])[0]
    assert np.flatnonzero((found != want).any(axis=1)).tolist() == [1500 * part // 16 + 70 for part in range(16)]
    gate = gate_behind_the_bench(design, many, monkeypatch)
    assert (gate.samples, gate.mismatches) == (1500, 16)
    assert gate.first_mismatch is not None
    assert gate.first_mismatch.sample == 70
    assert gate.first_mismatch.note.endswith("after other samples only, this one alone gives no difference")


def test_a_wrong_protocol_beyond_the_bench_fails_the_gate(
    many: IntArray, unrolled: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = broken(unrolled, tmp_path, {"last_2": "last_2 ^ (data_2 == 20'hWANTED)"})
    wanted = golden.run(design.graph, [many])[0][1234]
    end = design.hardware.outputs[0]
    path = tmp_path / "rtl" / "bulk.sv"
    path.write_text(path.read_text().replace("WANTED", format(end.pack(wanted[None])[0], "x")))
    gate = gate_behind_the_bench(design, many, monkeypatch)
    assert not gate.passed
    assert gate.first_mismatch is not None
    assert gate.first_mismatch.sample == 1234
    assert gate.first_mismatch.note == "in bulk simulation, m_axis, beat 1234: tlast is wrong"


def test_large_images_leave_the_bench_sooner() -> None:
    assert [rtl_gate.bench_samples(ii) for ii in (1, 200, 201, 1156, 10**6)] == [1000, 1000, 995, 173, 16]


def test_results_of_many_samples_are_those_of_the_driver(many: IntArray, unrolled: Design) -> None:
    found, latency = unrolled.rtl(many, raw=True)
    assert np.array_equal(found, golden.run(unrolled.graph, [many])[0])
    assert latency == unrolled.hardware.latency


def test_frames_and_several_streams(tmp_path: Path) -> None:
    """Pixels in, pixels and a vector out; two vectors in."""
    for graph in (pixel_network(), random_dag(TWO_INPUTS)):
        design = written(graph, tmp_path / graph.name)
        assert len(graph.inputs) + len(graph.outputs) > 2
        codes = input_codes(graph, random_codes(graph, 40, 1))
        found = design.simulate_bulk(bundled(codes))
        assert found.trouble is None
        for values, want in zip(found.outputs, golden.run(graph, codes), strict=True):
            assert np.array_equal(values, want.reshape(40, -1))
