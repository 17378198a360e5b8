"""Comparing two reports: what is shown, what fails, what is refused."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from test_views import COUNTS, REPORT, table_rows
from typer.testing import CliRunner, Result

from fpgaq.cli import app
from fpgaq.errors import ConfigError
from fpgaq.report.compare import compare, markdown_of, notes, too_large


def grown(**total: int) -> dict[str, Any]:
    """Return the report with other resources, of the whole and of its layer."""
    report = copy.deepcopy(REPORT)
    for counts in (report["resources"]["total"], report["resources"]["layers"]["fc1"]):
        counts |= total
    return report


def call(tmp_path: Path, old: dict[str, Any], new: dict[str, Any], *options: str) -> Result:
    """Compare a built folder and a report file on the command line."""
    (tmp_path / "report.json").write_text(json.dumps(old))
    (tmp_path / "new.json").write_text(json.dumps(new))
    return CliRunner().invoke(app, ["report", "--compare", str(tmp_path), str(tmp_path / "new.json"), *options])


def test_equal_reports_have_no_layers_that_differ(tmp_path: Path) -> None:
    changes = compare(REPORT, REPORT)
    assert {change.layer for change in changes} == {"total"}
    assert {change.row[-1] for change in changes} == {"="}
    assert call(tmp_path, REPORT, REPORT, "--fail-above", "0").exit_code == 0


def test_what_changed_is_shown_for_the_whole_and_each_layer() -> None:
    new = grown(lut=12, ff=15, dsp=0)
    new["timing"]["predicted_latency_cycles"] = 10
    new["accuracy"]["hardware"] = 0.94
    rows = {(layer, figure): texts for layer, figure, *texts in (change.row for change in compare(REPORT, new))}
    for layer in ("total", "fc1"):
        assert rows[layer, "LUT"] == ["10", "12", "+2 (+20.0 %)"]
        assert rows[layer, "FF"] == ["20", "15", "-5 (-25.0 %)"]
        assert rows[layer, "DSP"] == ["1", "0", "-1 (-100.0 %)"]
    assert rows["total", "latency"] == ["9", "10", "+1 (+11.1 %)"]
    assert rows["total", "accuracy, hardware"] == ["95.00 %", "94.00 %", "-1.00 points"]
    assert rows["total", "accuracy, frozen"][-1] == "="
    assert ("fc1", "BRAM") not in rows


def test_layers_come_and_go() -> None:
    new = copy.deepcopy(REPORT)
    new["layers"] = [row | {"name": "fc9"} for row in new["layers"]]
    new["resources"]["layers"] = {"fc9": {**COUNTS, "dsp": 0}}
    rows = [change.row for change in compare(REPORT, new) if change.layer != "total"]
    assert ("fc9", "LUT", "-", "10", "new") in rows
    assert ("fc1", "LUT", "10", "-", "gone") in rows
    assert ("fc9", "latency", "-", "8", "new") in rows
    assert not [row for row in rows if row[:2] == ("fc9", "DSP")]  # none before, none now


@pytest.mark.parametrize(
    ("percent", "code"), [(None, 0), ("20", 0), ("19.9", 1), ("0", 1)], ids=["never", "just not", "just", "any"]
)
def test_growth_fails_above_a_limit(tmp_path: Path, percent: str | None, code: int) -> None:
    options = [] if percent is None else ["--fail-above", percent]
    result = call(tmp_path, REPORT, grown(lut=12), *options)
    assert result.exit_code == code, result.output
    assert ("fpgaq: LUT grew by 20.0 %, more than" in result.stderr) == bool(code)
    assert "+2 (+20.0 %)" in result.stdout


@pytest.mark.parametrize("key", ["predicted_latency_cycles", "predicted_ii_cycles"])
def test_cycles_fail_too(key: str) -> None:
    new = copy.deepcopy(REPORT)
    new["timing"][key] *= 2
    assert [change.growth for change in too_large(compare(REPORT, new), 99)] == [100]
    assert too_large(compare(new, REPORT), 0) == []  # less is no growth


def test_something_where_nothing_was_is_growth_beyond_any_limit() -> None:
    (change,) = too_large(compare(grown(dsp=0), grown(dsp=1)), 1e9)
    assert (change.figure, change.growth) == ("DSP", math.inf)


def test_a_lower_accuracy_is_no_growth() -> None:
    new = copy.deepcopy(REPORT)
    new["accuracy"]["hardware"] = 0.5
    assert too_large(compare(REPORT, new), 0) == too_large(compare(new, REPORT), 0) == []


def test_what_is_not_known_does_not_pass(tmp_path: Path) -> None:
    bare = REPORT | {"resources": None, "accuracy": None}
    for old, new in ((REPORT, bare), (bare, REPORT), (bare, bare)):
        assert call(tmp_path, old, new).exit_code == 0
        refused = call(tmp_path, old, new, "--fail-above", "5")
        assert refused.exit_code == 2
        assert "has no resources" in refused.stderr


def test_other_families_and_schemas_are_refused(tmp_path: Path) -> None:
    other = copy.deepcopy(REPORT)
    other["resources"]["family"] = "ecp5"
    with pytest.raises(ConfigError, match="FPGA families xc7 and ecp5"):
        compare(REPORT, other)
    result = call(tmp_path, REPORT, REPORT | {"schema": 99})
    assert result.exit_code == 2
    assert "new.json has report schema 99, this version reads 3" in " ".join(result.stderr.split())


def test_markdown_is_one_table_and_notes() -> None:
    new = grown(lut=12)
    new["timing"]["clock_period_ns"] = 2.5
    new["resources"]["total_is_sum"] = True
    new |= {"passed": False, "name": "other"}
    text = markdown_of(compare(REPORT, new), notes(REPORT, new), "other")
    rows = table_rows(text)
    assert {len(row) for row in rows} == {5}
    assert ["**total**", "LUT", "10", "12", "+2 (+20.0 %)"] in rows
    remarks = [line for line in text.splitlines() if line.startswith("* ")]
    assert len(remarks) == 4
    assert "4 and 2.5 ns" in remarks[1]
    assert notes(REPORT, REPORT) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one built folder, or --compare with two"),
        (["a", "--compare", "a", "b"], "give one built folder, or --compare with two"),
        (["--compare", "a", "b", "--json"], "--compare has no form json"),
        (["a", "--fail-above", "3"], "--fail-above belongs to --compare"),
        (["a", "--json", "-o", "x"], "-o belongs to --html"),
        (["a", "--sweep", "x"], "--sweep belongs to --html"),
    ],
)
def test_wrong_combinations_are_refused(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["report", *arguments])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
