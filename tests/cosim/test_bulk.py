"""Bulk simulation: equal to golden for every sample and number of threads; a wrong design is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cosim_designs import network, written
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaq.cosim.bulk import BulkSimulation, Port, packed, unpacked
from fpgaq.design import Design
from fpgaq.errors import ToolError
from fpgaq.ir import FixedType, IntArray, golden
from fpgaq.rtl.words import pack
from fpgaq.stimuli import random_codes


def bulk(design: Design) -> BulkSimulation:
    ends = design.hardware.inputs, design.hardware.outputs
    inputs, outputs = ([Port(end.prefix, end.bytes) for end in side] for side in ends)
    return BulkSimulation(design.sources, design.name, inputs, outputs, design.folder / "bulk")


def results(design: Design, codes: IntArray, threads: int | None = None) -> tuple[IntArray, int]:
    """What the only output of a design gives for the codes of its only input."""
    (source,), (sink,) = design.hardware.inputs, design.hardware.outputs
    words = {source.prefix: packed(codes, source.width)}
    found, clocks = bulk(design).run(words, patience=500, threads=threads)
    return unpacked(found[sink.prefix], sink.operand.type, sink.width, sink.count), clocks


@pytest.fixture(scope="module", params=[False, True], ids=["unrolled", "folded"])
def design(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Design:
    return written(network("bulk", folded=request.param), tmp_path_factory.mktemp("bulk"))


@pytest.mark.parametrize("threads", [1, 3, None])
def test_results_are_golden(design: Design, threads: int | None) -> None:
    codes = random_codes(design.graph, 5000, 3)
    found, clocks = results(design, codes, threads)
    assert np.array_equal(found, golden.run(design.graph, [codes])[0])
    assert clocks >= 5000 * design.hardware.ii


def test_more_threads_than_samples(design: Design) -> None:
    codes = random_codes(design.graph, 2, 3)
    found, clocks = results(design, codes, 8)
    assert np.array_equal(found, golden.run(design.graph, [codes])[0])
    if design.hardware.ii == 1:
        assert clocks == 2 * (design.hardware.latency + 1)


@pytest.mark.parametrize(
    ("valid", "last", "message"),
    [
        ("valid_2", "~last_2", "m_axis: tlast is wrong at beat 0"),
        ("1'b0", "last_2", "no result in 501 clocks"),
        ("1'b1", "1'b1", "m_axis: more results than samples"),
    ],
)
def test_wrong_protocols_are_errors(valid: str, last: str, message: str, tmp_path: Path) -> None:
    broken = written(network("bulk", folded=False), tmp_path)
    path = broken.folder / "rtl" / "bulk.sv"
    text = path.read_text()
    skid = ".in_valid(valid_2),\n        .in_ready(ready_2),\n        .in_data({last_2, data_2})"
    assert text.count(skid) == 1
    path.write_text(text.replace(skid, skid.replace("valid_2", valid).replace("last_2", last)))
    with pytest.raises(ToolError, match=message):
        results(broken, random_codes(broken.graph, 50, 3), 1)


@given(st.integers(1, 63), st.booleans(), st.integers(1, 9), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_words_are_those_of_the_other_simulation(width: int, signed: bool, count: int, seed: int) -> None:
    type_ = FixedType(width, 0, signed)
    codes = np.random.default_rng(seed).integers(type_.min, type_.max + 1, (7, count))
    words = packed(codes, width)
    assert [int.from_bytes(row.tobytes(), "little") for row in words] == pack(codes, type_)
    assert np.array_equal(unpacked(words, type_, width, count), codes)
