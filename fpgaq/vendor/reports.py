"""What the reports of Vivado and Vitis HLS say."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from fpgaq.errors import ToolError

#: Rows of Vivado's utilization, 7 series and UltraScale; the first one that is there counts. Two RAMB18 are a tile.
_ROWS = {
    "lut": ("LUT as Logic",),
    "lutram": ("LUT as Memory",),
    "ff": ("Slice Registers", "CLB Registers"),
    "dsp": ("DSPs",),
    "bram18": ("Block RAM Tile",),
    "uram": ("URAM",),
}
_TIMING = re.compile(r"WNS\(ns\).*\n[-\s]+\n\s*(-?[\d.]+)")
_HLS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram18": "BRAM_18K", "uram": "URAM"}


def read_vivado(utilization: Path, timing: Path, clock_period: float) -> dict[str, float]:
    """Return resources, slack and the clock that follows from it.

    Parameters
    ----------
    utilization, timing : Path
        Texts of ``report_utilization`` and ``report_timing_summary``.
    clock_period : float
        Clock target in ns.

    Returns
    -------
    dict
        ``lut`` (as logic), ``lutram``, ``ff``, ``dsp``, ``bram18``, ``uram``, ``slack_ns``, ``fmax_mhz``; what a report
        does not say is missing.

    Raises
    ------
    ToolError
        If a file is missing, or not such a report.
    """
    rows = _table(_text(utilization))
    found: dict[str, float] = {}
    for name, titles in _ROWS.items():
        used = next((rows[title] for title in titles if title in rows), None)
        if used is not None:
            found[name] = used * (2 if name == "bram18" else 1)
    if "lut" not in found or "ff" not in found:
        raise ToolError(f"{utilization} is no utilization report of Vivado: LUTs or registers are missing")
    slack = _TIMING.search(_text(timing))
    if slack is None:
        raise ToolError(f"{timing} is no timing summary of Vivado: it has no WNS")
    found["slack_ns"] = float(slack.group(1))
    found["fmax_mhz"] = round(1000 / (clock_period - found["slack_ns"]), 1)
    return found


def read_vitis(path: Path) -> dict[str, float]:
    """Return what Vitis HLS estimates, from its ``csynth.xml``.

    Returns
    -------
    dict
        ``lut``, ``ff``, ``dsp``, ``bram18``, ``uram``, ``latency_cycles``, ``ii_cycles``, ``clock_ns``.

    Raises
    ------
    ToolError
        If the file is missing, or not such a report.
    """
    try:
        root = ElementTree.fromstring(_text(path))
    except ElementTree.ParseError as problem:
        raise ToolError(f"{path} is no report of Vitis HLS: {problem}") from None
    area = {child.tag.replace("DSP48E", "DSP"): child.text for child in root.iterfind("./AreaEstimates/Resources/*")}
    overall = "./PerformanceEstimates/SummaryOfOverallLatency"
    texts = {name: area.get(tag) for name, tag in _HLS.items()} | {
        "latency_cycles": root.findtext(f"{overall}/Worst-caseLatency"),
        "ii_cycles": root.findtext(f"{overall}/Interval-max"),
        "clock_ns": root.findtext("./PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"),
    }
    if texts["lut"] is None or texts["ff"] is None:
        raise ToolError(f"{path} is no report of Vitis HLS: LUTs or registers are missing")
    # A latency that depends on data is "undef".
    return {name: float(text) for name, text in texts.items() if text is not None and _is_number(text)}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as problem:
        raise ToolError(f"the report {path} is missing: {problem.strerror}") from None


def _table(text: str) -> dict[str, float]:
    """Return the first number of every row by its title; a row may come twice, the first one counts."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.lstrip().startswith("|") and len(cells) > 1 and _is_number(cells[1]):
            found.setdefault(cells[0].rstrip("*"), float(cells[1]))
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
