"""The report for browsers: what is in it, and that Chromium shows it."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import visit
from test_views import COUNTS, REPORT, ROW, failed

from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import Affine, Input, MatMul
from fpgaq.ir.types import FixedType
from fpgaq.quantize.formats.ternary import Ternary
from fpgaq.report import charts
from fpgaq.report.html import links, page
from fpgaq.report.sweep import Point, Sweep

HOSTILE = "</script><b>\"'&{{1}}"


SWEEP = Sweep([Point({"bits": HOSTILE}, 0.9, 500), Point({"bits": "4"}, 0.8, 600), Point({"bits": "6"}, 0.95, 900)], 1)


@pytest.fixture(scope="module")
def graph() -> Graph:
    """A ternary matrix, scales of few bits, and a matrix of many numbers."""
    rng = np.random.default_rng(0)
    x = Input(name="x", inputs=(), type=FixedType(4, 0, True), layer="x", shape=(8,))
    ternary = 4 * rng.integers(-1, 2, (8, 6))
    first = MatMul(
        name="fc1",
        inputs=("x",),
        type=FixedType(12, 3, True),
        layer="fc1",
        weight=ternary,
        weight_frac=3,
        bias=np.zeros(6, int),
        format=Ternary(),
        unit=np.full(6, 4),
    )
    scale = Affine(
        name="bn",
        inputs=("fc1",),
        type=FixedType(24, 8, True),
        layer="bn",
        scale=8 * np.arange(1, 7),
        scale_frac=5,
        bias=np.zeros(6, int),
    )
    second = MatMul(
        name="fc2",
        inputs=("bn",),
        type=FixedType(50, 20, True),
        layer="fc2",
        weight=rng.integers(-2000, 2000, (6, 40)),
        weight_frac=12,
        bias=np.zeros(40, int),
    )
    return Graph("net", [x, first, scale, second], ("fc2",))


def hostile() -> dict[str, Any]:
    """Return a report of a failed build with names that are mark-up."""
    report = failed()
    report["layers"].append({**ROW, "name": HOSTILE, "module": "net_odd", "busy_cycles": 700, "ii_cycles": 700})
    report["resources"]["layers"][HOSTILE] = report["resources"]["modules"]["net_odd"] = COUNTS
    report["freeze"][0]["reason"] = HOSTILE
    report["timing"]["predicted_ii_cycles"] = 700
    return report


def test_histograms_count_every_weight(graph: Graph) -> None:
    values, codes = charts.weight_charts(graph)
    assert values.choices == codes.choices == ["fc1", "bn", "fc2"]
    for chart in (values, codes):
        assert [sum(figure["data"][0]["y"]) for figure in chart.figures] == [48, 6, 240]
    assert values.figures[0]["data"][0]["x"] == [-0.5, 0, 0.5]
    assert sorted(codes.figures[0]["data"][0]["x"]) == sorted(Ternary().encode(np.array([-1, 0, 1])).tolist())
    assert codes.figures[1]["data"][0]["x"] == [1, 2, 3, 4, 5, 6]
    assert len(values.figures[2]["data"][0]["x"]) == 64  # ranges: there are too many numbers for a bar each


def test_who_limits_is_said() -> None:
    assert charts.limiting(REPORT) == "A vector every 2 cycles: fc1, fc1_relu set the pace."
    assert charts.limiting(hostile()) == "A vector every 700 cycles: odd sets the pace; fc1 is next with 2."
    slow = REPORT | {"timing": REPORT["timing"] | {"predicted_ii_cycles": 3}}
    assert charts.limiting(slow) == "A vector every 3 cycles; no module needs so many by itself."


def test_resources_are_those_of_the_modules() -> None:
    chart = charts.resource_chart(REPORT)
    assert chart.choices == ["LUT", "FF", "DSP", "BRAM18", "Carry"]
    first, second = chart.figures[1]["data"]
    assert (first["x"], first["customdata"], second["customdata"]) == ([20], ["net_fc1"], ["net_fc1_relu"])


def test_links_are_relative_and_quoted(tmp_path: Path) -> None:
    build = tmp_path / "a build#1"
    (build / "rtl").mkdir(parents=True)
    for name in ("rtl/net.sv", "inputs.npy", "report.json"):
        (build / name).write_text("")
    assert links(build, build / "report.html") == {
        "SystemVerilog": [("net.sv", "rtl/net.sv")],
        "Inputs and descriptions": [("inputs.npy", "inputs.npy"), ("report.json", "report.json")],
    }
    assert links(build, tmp_path / "pages" / "x.html")["SystemVerilog"] == [("net.sv", "../a%20build%231/rtl/net.sv")]


def test_parts_that_are_not_known_are_left_out(graph: Graph) -> None:
    report = copy.deepcopy(REPORT) | {"accuracy": None, "distance": None, "resources": None, "freeze": []}
    text = page(report, graph, {})
    assert 'id="resources"' not in text
    assert 'data-chart="resources"' not in text
    assert "nothing was rounded" in text


@pytest.mark.parametrize("missing", ["plotly", "jinja2"])
def test_a_missing_library_is_named(missing: str) -> None:
    code = (
        f"import sys\nsys.modules[{missing!r}] = None\nfrom fpgaq.errors import FpgaqError\n"
        "try:\n    import fpgaq.report.html\nexcept FpgaqError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"{missing} is missing")
    assert "pip install 'fpgaq[explore]'" in run.stdout


def luminance(colour: str) -> float:
    """Return the relative luminance of ``rgb(r, g, b)`` (WCAG 2)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize(("dark", "width"), [(False, 1200), (True, 390)])
def test_a_browser_shows_it(graph: Graph, tmp_path: Path, dark: bool, width: int) -> None:
    """Every chart has bars, for every choice; colours have contrast; nothing is wider than the screen or fetched."""
    file = tmp_path / "page.html"
    file.write_text(page(hostile(), graph, {}, SWEEP), encoding="utf-8")
    facts, console = visit(file, tmp_path / "visit", dark=dark, width=width)
    assert console == []
    assert facts["requests"] == []
    assert facts["bars"][0] == {"resources": 3, "cycles": 3, "bits": 4, "weights": 3, "codes": 3, "sweep": 4}
    assert len(facts["bars"]) == 1 + 4 + 2
    assert all(min(bars.values()) > 0 for bars in facts["bars"])
    assert facts["bars"][-1]["weights"] == 64
    assert facts["width"] == width
    assert max(facts["page_width"], facts["charts_end"]) <= width
    paper, *inks = (luminance(facts[key]) for key in ("paper", "ink", "chart_ink"))
    assert (paper < 0.1) == dark
    assert all((max(paper, ink) + 0.05) / (min(paper, ink) + 0.05) > 7 for ink in inks)
    assert facts["broken_links"] == facts["unfocusable"] == 0
    assert HOSTILE in facts["cells"]
    assert "DIFFERENT" in facts["cells"]
    assert facts["titles"] == ["Gates", "Resources on xc7", "Pace", "Numbers", "Sweep", "Freeze", "Files", "Build"]


def test_the_browser_tells_what_is_wrong(tmp_path: Path) -> None:
    """A page that fetches, throws and is too wide: the checks above see it."""
    file = tmp_path / "page.html"
    body = '<a href="#none" hidden></a><div style="width:800px">.</div><img src="http://none.invalid/a.png">'
    file.write_text(f"<!DOCTYPE html><body>{body}<script>throw Error({json.dumps('planted')})</script></body>")
    facts, console = visit(file, tmp_path / "visit", width=390)
    assert any("planted" in line for line in console)
    assert facts["requests"] == ["http://none.invalid/a.png"]
    assert facts["page_width"] > 390
    assert facts["broken_links"] == 1
