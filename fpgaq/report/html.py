"""The report as a page for a browser: one file that needs no network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fpgaq.errors import ToolError
from fpgaq.ir.graph import Graph
from fpgaq.report.sweep import Sweep
from fpgaq.report.text import GATE_TITLES, head_line, vectors_per_second, weights_of

try:
    import jinja2
    import markupsafe
    import plotly.offline

    from fpgaq.report import charts
except ImportError as error:
    missing = str(error.name).partition(".")[0]
    raise ToolError(
        f"{missing} is missing, which the report for browsers needs: pip install 'fpgaq[explore]'"
    ) from None

_PAGE = Path(__file__).parent / "page"

#: What of a build the page leads to, in the order of the page.
_FILES = {
    "SystemVerilog": ("rtl/*",),
    "HLS C++ project": ("hls/*.tcl", "hls/*.sh", "hls/*.cpp", "hls/firmware/*.cpp", "hls/firmware/*.h"),
    "Inputs and descriptions": ("*.npy", "*.npz", "*.json", "*.yaml"),
}

Table = tuple[list[str], list[tuple[Any, ...]]]


def page(
    report: dict[str, Any], graph: Graph, files: Mapping[str, list[tuple[str, str]]], sweep: Sweep | None = None
) -> str:
    """Return the page.

    Parameters
    ----------
    report : dict
    graph : Graph
        For the histograms of the weights.
    files : mapping
        Names and addresses of files by the title that they stand under, as of `links`.
    sweep : Sweep, optional
        Other designs beside which this one is shown.
    """
    weights, codes = charts.weight_charts(graph)
    drawn = {
        "cycles": charts.cycle_chart(report),
        "bits": charts.bits_chart(report),
        "weights": weights,
        "codes": codes,
    }
    if report["resources"]:
        drawn["resources"] = charts.resource_chart(report)
    if sweep is not None:
        drawn["sweep"] = charts.sweep_chart(sweep, report)
    loader = jinja2.FileSystemLoader(_PAGE)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html").render(
        report=report,
        sections=_sections(report, sweep),
        figures=_figures(report),
        head=head_line(report),
        gates=_gates(report),
        resources=_resources(report),
        limiting=charts.limiting(report),
        layers=_layers(report),
        tensors=_tensors(report),
        freeze=_freeze(report),
        options=[(key, str(value)) for key, value in report["options"].items()],
        files=files,
        sweep=sweep,
        charts=drawn,
        drawn={key: chart.figures for key, chart in drawn.items()},
        style=markupsafe.Markup((_PAGE / "page.css").read_text()),
        script=markupsafe.Markup((_PAGE / "page.js").read_text()),
        plotly=markupsafe.Markup(plotly.offline.get_plotlyjs()),
    )


def links(folder: Path, target: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the files of a build with their addresses as seen from a page, by what they are."""
    found = {}
    for title, patterns in _FILES.items():
        paths = [path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]
        relative = [Path(os.path.relpath(path, target.resolve().parent)).as_posix() for path in paths]
        found[title] = [(path.name, quote(address)) for path, address in zip(paths, relative, strict=True)]
    return {title: rows for title, rows in found.items() if rows}


def _sections(report: dict[str, Any], sweep: Sweep | None) -> dict[str, str]:
    """Return the headings of the page by their anchors."""
    resources = {"resources": f"Resources on {report['resources']['family']}"} if report["resources"] else {}
    return {
        "gates": "Gates",
        **resources,
        "pace": "Pace",
        "numbers": "Numbers",
        **({} if sweep is None else {"sweep": "Sweep"}),
        "freeze": "Freeze",
        "files": "Files",
        "versions": "Build",
    }


def _figures(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return title, value and remark of the figures at the top."""
    timing, accuracy, distance = report["timing"], report["accuracy"] or {}, report["distance"]
    period = timing["clock_period_ns"]
    latency, ii = timing["predicted_latency_cycles"], timing["predicted_ii_cycles"]
    measured = "not measured" if timing["ii_cycles"] is None else f"measured {timing['ii_cycles']}"
    rows = [
        (f"Accuracy, {title}", f"{100 * accuracy[key]:.2f} %", f"{accuracy['samples']} samples")
        for key, title in (("original", "original"), ("frozen", "frozen"), ("hardware", "hardware"))
        if accuracy.get(key) is not None
    ]
    if distance:
        rows.append((f"Freezing moves {distance['of']}", f"{distance['max_abs']:.3g}", "at most"))
    rows += [
        ("Latency", f"{latency} cycles", f"{latency * period:g} ns at the clock target"),
        ("Initiation interval", f"{ii} cycle{'s' * (ii > 1)}", measured),
        ("Throughput", f"{vectors_per_second(report) / 1e6:.4g} M/s", "vectors at the clock target"),
        ("Clock target", f"{period:g} ns", f"{1000 / period:.4g} MHz"),
    ]
    if routed := timing.get("place_and_route"):
        rows.append(("Fmax", f"{routed['fmax_mhz']:.1f} MHz", f"placed and routed on {routed['device']}"))
    if report["resources"]:
        total = report["resources"]["total"]
        remark = "sum of modules" if report["resources"]["total_is_sum"] else ""
        rows += [(title, str(total[key]), remark) for key, title in list(charts.RESOURCES.items())[:4]]
        if (depth := report["resources"].get("logic_depth")) is not None:
            rows.append(("Logic depth", str(depth), "LUTs and carry chains between registers"))
        rows.append(("Family", report["resources"]["family"], "mapped by yosys"))
    return rows


def _gates(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (
            GATE_TITLES.get(name, name),
            _verdict(gate["passed"]),
            gate["samples"],
            gate["mismatches"],
            _first(gate["first_mismatch"]),
        )
        for name, gate in report["gates"].items()
    ]


def _verdict(passed: bool) -> markupsafe.Markup:
    return markupsafe.Markup('<span class="good">equal</span>' if passed else '<span class="bad">DIFFERENT</span>')


def _first(mismatch: dict[str, Any] | None) -> str:
    if mismatch is None:
        return ""
    return mismatch["note"] or (
        f"layer {mismatch['layer']}, sample {mismatch['sample']}, element {mismatch['index']}: "
        f"got {mismatch['got']}, want {mismatch['want']}"
    )


def _resources(report: dict[str, Any]) -> Table | None:
    found = report["resources"]
    if not found:
        return None
    title = "total, sum of modules" if found["total_is_sum"] else "total"
    rows = [*found["modules"].items(), (title, found["total"])]
    return ["module", *charts.RESOURCES.values()], [
        (name, *(row[key] for key in charts.RESOURCES)) for name, row in rows
    ]


def _layers(report: dict[str, Any]) -> Table:
    titles = [
        "module",
        "cycles a vector",
        "II",
        "latency",
        "reuse",
        "weights",
        "count",
        "zeros",
        "weight type",
        "schedule",
    ]
    rows = [
        (
            row["module"],
            row["busy_cycles"],
            row["ii_cycles"],
            row["latency_cycles"],
            row["reuse"],
            weights_of(row),
            row["weights"],
            "" if row["sparsity"] is None else f"{100 * row['sparsity']:.0f} %",
            row["weight_type"],
            row["schedule"],
        )
        for row in report["layers"]
    ]
    return titles, rows


def _tensors(report: dict[str, Any]) -> Table:
    rows = [
        (row["name"], row["layer"], row["operation"], "x".join(map(str, row["shape"])), row["type"], *row["bounds"])
        for row in report["tensors"]
    ]
    return ["tensor", "layer", "operation", "shape", "type", "least code", "greatest code"], rows


def _freeze(report: dict[str, Any]) -> Table:
    rows = [
        (
            row["layer"],
            row["what"],
            row["type"],
            "" if row["max_error"] is None else f"{row['max_error']:.2g}",
            row["reason"],
        )
        for row in report["freeze"]
    ]
    return ["layer", "what", "type", "error at most", "reason"], rows
