"""The views of a report: text for terminals, Markdown for pull requests, JUnit for CI."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from fpgaq.report.text import print_report
from fpgaq.report.views import junit, markdown

COUNTS = {"lut": 10, "ff": 20, "dsp": 1, "bram18": 2, "carry": 3, "lutram": 0}
GATE = {"passed": True, "samples": 50, "mismatches": 0, "first_mismatch": None}
FAILED = {
    "passed": False,
    "samples": 50,
    "mismatches": 7,
    "first_mismatch": {"layer": "fc<1>", "sample": 3, "index": 2, "got": -5, "want": 6, "note": ""},
}
ROW = {
    "name": "fc1",
    "module": "net_fc1",
    "operations": ["matmul"],
    "weight_type": "fixed<4,1>",
    "format": "int(width=4, signed=True, symmetric=False)",
    "format_bits": 4,
    "storage_bits": 96,
    "datapath": [{"form": "constants", "estimated_lut": 120}],
    "left_out": [],
    "weight_bits": 4,
    "weights": 30,
    "sparsity": 0.25,
    "reuse": 2,
    "output_width": 8,
    "output_count": 5,
    "latency_cycles": 4,
    "ii_cycles": 2,
    "busy_cycles": 2,
    "schedule": "folded",
    "activity": None,
}
CYCLES = {
    "name": "fc1",
    "port": "m_axis",
    "latency_cycles": 9,
    "predicted_latency_cycles": 9,
    "last_beat_cycles": 9,
    "predicted_last_beat_cycles": 9,
    "ii_cycles": 2,
    "predicted_ii_cycles": 2,
    "varying_ii": None,
}
REPORT: dict[str, Any] = {
    "schema": 3,
    "name": "net",
    "passed": True,
    "gates": {"keras_vs_golden": GATE, "csim_vs_golden": GATE, "rtl_vs_golden": GATE},
    "accuracy": {"samples": 40, "original": 0.975, "frozen": 0.95, "hardware": 0.95},
    "distance": {"of": "outputs", "max_abs": 0.125, "argmax_agreement": 0.9},
    "timing": {
        "latency_cycles": 9,
        "predicted_latency_cycles": 9,
        "ii_cycles": 2,
        "predicted_ii_cycles": 2,
        "outputs": [CYCLES],
        "clock_period_ns": 4.0,
    },
    "resources": {
        "family": "xc7",
        "total": COUNTS,
        "total_is_sum": False,
        "layers": {"fc1": COUNTS},
        "modules": {"net_fc1": COUNTS, "net_fc1_relu": COUNTS},
    },
    "layers": [
        ROW,
        {**ROW, "module": "net_fc1_relu", "weight_type": None, "format": None, "weight_bits": None, "sparsity": None},
    ],
    "tensors": [],
    "freeze": [{"layer": "fc1", "what": "weight", "type": "fixed<4,1>", "reason": "no quantizer", "max_error": 0.03}],
    "head": "logits",
    "inputs": "50 random vectors",
    "options": {},
    "seed": 0,
    "seconds": {},
    "versions": {},
}


def failed() -> dict[str, Any]:
    report = copy.deepcopy(REPORT)
    report["passed"] = False
    report["gates"]["csim_vs_golden"] = FAILED
    return report


def bare() -> dict[str, Any]:
    """Return a report without synthesis, simulation and labels."""
    report = copy.deepcopy(REPORT)
    report |= {"accuracy": None, "distance": None, "resources": None, "freeze": []}
    report["timing"] |= {"latency_cycles": None, "ii_cycles": None}
    return report


def text_of(report: dict[str, Any]) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=120), "build/net")
    return out.getvalue()


def test_junit_has_one_case_a_gate() -> None:
    suite = ElementTree.fromstring(junit(REPORT))
    assert suite.tag == "testsuite"
    assert suite.attrib == {"name": "fpgaq.net", "tests": "3", "failures": "0", "errors": "0"}
    assert [c.attrib["name"] for c in suite] == list(REPORT["gates"])
    assert suite.findall("*/failure") == []


def test_junit_tells_what_failed() -> None:
    suite = ElementTree.fromstring(junit(failed()))
    assert suite.attrib["failures"] == "1"
    (case,) = [c for c in suite if c.find("failure") is not None]
    failure = case.find("failure")
    assert failure is not None
    assert case.attrib["name"] == "csim_vs_golden"
    assert failure.attrib["message"] == "7 of 50 samples differ"
    assert failure.text is not None
    for word in ("fc<1>", "-5", "6"):
        assert word in failure.text


def table_rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_markdown_is_well_formed_tables() -> None:
    text = markdown(REPORT)
    assert text.startswith("## fpgaq: net passed\n")
    blocks = [b for b in text.split("\n\n") if b.startswith("|")]
    assert len(blocks) == 2
    for block in blocks:
        rows = table_rows(block)
        assert len({len(row) for row in rows}) == 1
        assert set("".join(rows[1])) <= set("-:")
    assert ["**total**", *map(str, COUNTS.values())] in table_rows(text)
    for part in ("97.50 %", "95.00 %", "latency 9 cycles, II 2", "logits"):
        assert part in text


def test_markdown_of_a_failure() -> None:
    text = markdown(failed())
    assert text.startswith("## fpgaq: net FAILED\n")
    assert "**different** | 50 | 7" in text
    assert "first mismatch of csim_vs_golden" in text


def test_text_shows_everything() -> None:
    text = text_of(REPORT)
    for part in ("net", "equal", "97.50 %", "same class 90.00 %", "xc7", "fixed<4,1>", "25 %", "36 ns", "125 M"):
        assert part in text
    assert "DIFFERENT" not in text
    assert "fc1 weight -> fixed<4,1>: no quantizer, error <= 0.03" in text


def test_text_of_a_failure() -> None:
    text = text_of(failed())
    assert "DIFFERENT" in text
    assert text.count("equal") >= 2


@pytest.mark.parametrize("view", [markdown, junit, text_of])
def test_parts_that_are_not_known_are_left_out(view: Any) -> None:
    text = view(bare())
    assert "None" not in text
    assert "net" in text


def test_nothing_rounded_is_said_so() -> None:
    assert "the model defines every number exactly: nothing was rounded" in text_of(bare())


@pytest.mark.parametrize("head", ["logits", "argmax", "softmax"])
@pytest.mark.parametrize("view", [markdown, text_of])
def test_every_head_has_a_line(head: str, view: Any) -> None:
    assert "output: " in view({**REPORT, "head": head})


@pytest.mark.parametrize("view", [markdown, text_of])
def test_several_outputs_have_a_latency_each(view: Callable[[dict[str, Any]], str]) -> None:
    assert "m_axis" not in view(REPORT)
    rows = [{**CYCLES, "port": "m_axis_a", "predicted_latency_cycles": 4}, {**CYCLES, "port": "m_axis_b"}]
    assert "(m_axis_a 4, m_axis_b 9)" in " ".join(
        view(REPORT | {"timing": REPORT["timing"] | {"outputs": rows}}).split()
    )


@pytest.mark.parametrize("view", [markdown, text_of])
def test_a_pace_that_varies_shows_its_mean(view: Callable[[dict[str, Any]], str]) -> None:
    assert "mean" not in view(REPORT)
    predicted = {"predicted_min": 2, "predicted_mean": 2.5, "predicted_max": 4, "min": 2, "mean": 2.5, "max": 4}
    timing = REPORT["timing"] | {"outputs": [{**CYCLES, "varying_ii": predicted}]}
    said = " ".join(view({**REPORT, "timing": timing}).split())
    assert "II from 2 to 4, mean 2.50, as the vectors open gates" in said
    assert "100 M vectors/s" in said


@pytest.mark.parametrize("view", [markdown, text_of])
def test_gated_layers_show_their_activity(view: Callable[[dict[str, Any]], str]) -> None:
    assert "gated" not in view(REPORT)
    activity = {"gates": 5, "share_updated": 0.419, "mean_updates": 2.1, "min_updates": 0, "max_updates": 5}
    said = view({**REPORT, "layers": [{**ROW, "activity": activity}]}).replace("|", " ").split()
    assert " ".join(said).find("fc1 5 41.9 % 2.10 0 5") > 0
