"""Texts as Vivado and Vitis HLS write them, for 7 series and UltraScale, and texts that are something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaq.errors import ToolError
from fpgaq.vendor.reports import read_vitis, read_vivado

DATA = Path(__file__).parent / "data"


def test_seven_series() -> None:
    assert read_vivado(DATA / "utilization_xc7.rpt", DATA / "timing.rpt", 5.0) == {
        "lut": 6301,
        "lutram": 114,
        "ff": 3638,
        "dsp": 2,
        "bram18": 3,
        "slack_ns": 0.437,
        "fmax_mhz": 219.2,
    }


def test_ultrascale(tmp_path: Path) -> None:
    late = tmp_path / "timing.rpt"
    late.write_text((DATA / "timing.rpt").read_text().replace("      0.437 ", "     -0.250 "))
    found = read_vivado(DATA / "utilization_xcup.rpt", late, 2.25)
    assert (found["lut"], found["ff"], found["dsp"], found["bram18"], found["uram"]) == (20176, 33960, 48, 5, 1)
    assert (found["slack_ns"], found["fmax_mhz"]) == (-0.25, 400.0)


def test_vitis_hls() -> None:
    assert read_vitis(DATA / "csynth.xml") == {
        "lut": 9120,
        "ff": 1770,
        "dsp": 12,
        "bram18": 1,
        "uram": 0,
        "latency_cycles": 9,
        "ii_cycles": 1,
        "clock_ns": 3.645,
    }


def test_a_latency_that_depends_on_data_is_left_out(tmp_path: Path) -> None:
    report = tmp_path / "csynth.xml"
    report.write_text((DATA / "csynth.xml").read_text().replace(">9<", ">undef<"))
    assert "latency_cycles" not in read_vitis(report)
    assert read_vitis(report)["ii_cycles"] == 1


@pytest.mark.parametrize("text", ["", "| Slice LUTs | many |", "1. Slice Logic\n| LUT as Logic | 5 |"])
def test_other_texts_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other"
    path.write_text(text)
    with pytest.raises(ToolError, match="is no utilization report of Vivado"):
        read_vivado(path, DATA / "timing.rpt", 5.0)
    with pytest.raises(ToolError, match="has no WNS"):
        read_vivado(DATA / "utilization_xc7.rpt", path, 5.0)
    with pytest.raises(ToolError, match="is no report of Vitis HLS"):
        read_vitis(path)


def test_reports_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"none\.rpt is missing: No such file"):
        read_vivado(tmp_path / "none.rpt", DATA / "timing.rpt", 5.0)
    incomplete = tmp_path / "csynth.xml"
    incomplete.write_text("<profile><AreaEstimates><Resources><FF>3</FF></Resources></AreaEstimates></profile>")
    with pytest.raises(ToolError, match="LUTs or registers are missing"):
        read_vitis(incomplete)
