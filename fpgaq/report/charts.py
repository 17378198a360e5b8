"""The charts of the report page, as plotly figures in JSON; colours and fonts are the page's."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Affine, GatedMatMul, MatMul, Scan
from fpgaq.ir.types import IntArray
from fpgaq.report.sweep import Point, Sweep, pareto

Figure = dict[str, Any]

#: Keys of the resources in a report, and what they are called.
RESOURCES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram18": "BRAM18", "carry": "Carry", "lutram": "LUTRAM"}

#: Colours that stand out from white and from black paper.
_PALETTE = ("#3b82c4", "#c9741a", "#2f9a5d", "#a663c4", "#c8553d", "#7f8a21")
_LIMITING, _OTHERS = _PALETTE[1], _PALETTE[0]
_ROW, _MARGIN = 26, 70  # pixels
_LABEL = 22  # characters
_MOST_BARS = 128
_LEGEND = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"}


class Chart(NamedTuple):
    """What one place of the page shows: a figure for every choice."""

    title: str
    choices: list[str]
    figures: list[Figure]


def resource_chart(report: dict[str, Any]) -> Chart:
    """Return a bar for every layer, its modules stacked; to choose is the resource."""
    found = report["resources"]
    modules: dict[str, list[str]] = {}
    for row in report["layers"]:
        modules.setdefault(row["name"], []).append(row["module"])
    used = [key for key in RESOURCES if found["total"][key] or key in ("lut", "ff", "dsp", "bram18")]
    return Chart(
        "Resources of each layer",
        [RESOURCES[key] for key in used],
        [_stacked(modules, {m: counts[key] for m, counts in found["modules"].items()}, RESOURCES[key]) for key in used],
    )


def _stacked(modules: dict[str, list[str]], counts: dict[str, int], title: str) -> Figure:
    bars = []
    for place in range(max(map(len, modules.values()), default=0)):
        rows = [(layer, names[place]) for layer, names in modules.items() if place < len(names)]
        bars.append(
            go.Bar(
                y=[layer for layer, _ in rows],
                x=[counts[name] for _, name in rows],
                customdata=[_plain(name) for _, name in rows],
                hovertemplate=f"%{{customdata}}<br>%{{x}} {title}<extra></extra>",
                marker={"color": _PALETTE[place % len(_PALETTE)]},
                orientation="h",
                showlegend=False,
            )
        )
    return _horizontal(bars, list(modules), title, barmode="stack")


def cycle_chart(report: dict[str, Any]) -> Chart:
    """Return the cycles that each module is busy with a vector, beside the cycles between vectors."""
    ii = report["timing"]["predicted_ii_cycles"]
    cycles = [row["busy_cycles"] for row in report["layers"]]
    names = [_short(report, row) for row in report["layers"]]
    bar = go.Bar(
        y=names,
        x=cycles,
        customdata=[[_plain(row["schedule"]), row["latency_cycles"]] for row in report["layers"]],
        hovertemplate="%{y}: %{x} cycles a vector, latency %{customdata[1]}<br>%{customdata[0]}<extra></extra>",
        marker={"color": [_LIMITING if count == ii else _OTHERS for count in cycles]},
        orientation="h",
        showlegend=False,
    )
    figure = _horizontal([bar], names, "cycles")
    if cycles and max(cycles) > 50 * min(cycles):  # one pixel of a bar is then many cycles
        figure["layout"]["xaxis"] |= {
            "type": "log",
            "dtick": 1,
            "range": [-0.2, float(np.log10(max(*cycles, ii))) + 0.1],
        }
    line = {"type": "line", "x0": ii, "x1": ii, "y0": 0, "y1": 1, "yref": "paper", "line": {"width": 2, "dash": "dot"}}
    figure["layout"]["shapes"] = [line]
    return Chart("Cycles that each module needs for a vector", [], [figure])


def limiting(report: dict[str, Any]) -> str:
    """Say which modules set the pace, and how far the next one is."""
    ii = report["timing"]["predicted_ii_cycles"]
    slow = [_short(report, row) for row in report["layers"] if row["busy_cycles"] >= ii]
    rest = [row for row in report["layers"] if row["busy_cycles"] < ii]
    if not slow:
        return f"A vector every {ii} cycles; no module needs so many by itself."
    if len(slow) > 3:
        slow = [*slow[:3], f"{len(slow) - 3} more"]
    said = f"A vector every {ii} cycle{'s' * (ii > 1)}: {', '.join(slow)} set{'s' * (len(slow) == 1)} the pace"
    if not rest:
        return f"{said}."
    following = max(rest, key=lambda row: row["busy_cycles"])
    return f"{said}; {_short(report, following)} is next with {following['busy_cycles']}."


def bits_chart(report: dict[str, Any]) -> Chart:
    """Return the bits of weights and results of every layer."""
    weights: dict[str, int] = {}
    results: dict[str, int] = {}
    for row in report["layers"]:
        results[row["name"]] = row["output_width"]  # of its last module
        if row["format_bits"] is not None:
            weights[row["name"]] = row["format_bits"]
    bars = [
        go.Bar(
            y=list(bits),
            x=list(bits.values()),
            name=title,
            hovertemplate=f"%{{y}}: %{{x}} bits, {title}<extra></extra>",
            marker={"color": colour},
            orientation="h",
        )
        for title, bits, colour in (("weights", weights, _OTHERS), ("results", results, _LIMITING))
    ]
    figure = _horizontal(bars, list(results), "bits", barmode="group", row=2 * _ROW)
    figure["layout"]["legend"] = _LEGEND
    return Chart("Bit-widths", [], [figure])


class _Numbers(NamedTuple):
    """The constants of a node: real values and the integers that stand for them."""

    title: str
    values: np.ndarray
    codes: IntArray
    code: str


def weight_charts(graph: Graph) -> tuple[Chart, Chart]:
    """Return histograms of the values and of the codes of every layer's weights; to choose is the layer."""
    found = list(_numbers(graph.nodes.values()))
    titles = [numbers.title for numbers in found]
    return (
        Chart("Weights", titles, [_histogram(numbers.values, "value") for numbers in found]),
        Chart("Codes", titles, [_histogram(numbers.codes, numbers.code) for numbers in found]),
    )


def _numbers(nodes: Iterable[Node]) -> Iterator[_Numbers]:
    for node in nodes:
        if isinstance(node, Scan):
            yield from _numbers(node.step.nodes.values())
        elif isinstance(node, Affine):
            yield _Numbers(
                _title(node), np.ldexp(node.scale, -node.scale_frac), _without_zeros(node.scale), "scale as integer"
            )
        elif isinstance(node, (MatMul, GatedMatMul)):
            there = node.is_weight if isinstance(node, MatMul) else np.ones(node.weight.shape, bool)
            values = np.ldexp(node.weight[there], -node.weight_frac)
            if isinstance(node, MatMul) and node.format is not None:
                code = f"code of {node.format.name}, {node.format.bits} bits"
                yield _Numbers(_title(node), values, node.codes[there], code)
            else:
                yield _Numbers(_title(node), values, _without_zeros(node.weight[there]), "weight as integer")


def _without_zeros(codes: IntArray) -> IntArray:
    """Return integers without the zero bits that all of them end in, which aligning to a bias appends."""
    used = int(np.bitwise_or.reduce(np.abs(codes), axis=None))
    return codes >> ((used & -used).bit_length() - 1) if used else codes


def _title(node: Node) -> str:
    return node.layer if node.name == node.layer else f"{node.layer}: {node.name}"


def _histogram(numbers: np.ndarray, title: str) -> Figure:
    """Return how often each number occurs, or each of some ranges where there are many numbers."""
    values, counts = np.unique(numbers, return_counts=True)
    hover = "%{x}: %{y}<extra></extra>"
    gap = float(np.diff(values).min()) if len(values) > 1 else 1.0
    width = [0.9 * gap] * len(values)
    if (values[-1] - values[0]) / gap > _MOST_BARS:
        counts, edges = np.histogram(numbers, bins=_MOST_BARS // 2)
        values, width = (edges[:-1] + edges[1:]) / 2, np.diff(edges).tolist()
        hover = "around %{x:.4g}: %{y}<extra></extra>"
    bar = go.Bar(x=values.tolist(), y=counts.tolist(), width=width, hovertemplate=hover, marker={"color": _OTHERS})
    return _figure([bar], xaxis={"title": {"text": title}}, yaxis={"title": {"text": "count"}}, height=300, bargap=0)


def sweep_chart(sweep: Sweep, report: dict[str, Any]) -> Chart:
    """Return accuracy against LUTs of every design of a sweep, those that none beats joined by a line, and this one."""
    front = pareto(sweep.points)
    beaten = [point for point in sweep.points if point not in front]
    traces = [
        _points(beaten, "beaten by another", _OTHERS, mode="markers"),
        _points(front, "not beaten", _LIMITING, mode="lines+markers", line={"shape": "hv"}),
    ]
    accuracy = (report["accuracy"] or {}).get("hardware")
    if report["resources"] and accuracy is not None:
        here = [Point({"design": report["name"]}, accuracy, report["resources"]["total"]["lut"])]
        traces.append(_points(here, "this build", _PALETTE[2], mode="markers", symbol="star"))
    figure = _figure(
        traces, xaxis={"title": {"text": "LUT"}}, yaxis={"title": {"text": "accuracy"}, "tickformat": ".1%"}, height=420
    )
    figure["layout"]["legend"] = _LEGEND
    figure["layout"]["margin"] |= {"l": 60}
    return Chart("Accuracy against LUTs of the sweep", [], [figure])


def _points(points: list[Point], title: str, colour: str, *, symbol: str = "circle", **how: Any) -> go.Scatter:
    told = ["<br>".join(_plain(f"{key}: {value}") for key, value in point.options.items()) for point in points]
    return go.Scatter(
        x=[point.lut for point in points],
        y=[point.accuracy for point in points],
        text=told,
        hovertemplate="%{y:.2%}, %{x} LUT<br>%{text}<extra></extra>",
        marker={"color": colour, "size": 9 if symbol == "circle" else 14, "symbol": symbol},
        name=title,
        **how,
    )


def _plain(text: str) -> str:
    """Return text that plotly, which knows some mark-up, shows as it is."""
    return html.escape(text, quote=False)


def _short(report: dict[str, Any], row: dict[str, Any]) -> str:
    return str(row["module"]).removeprefix(f"{report['name']}_")


def _horizontal(bars: Sequence[go.Bar], names: list[str], title: str, *, row: int = _ROW, **layout: Any) -> Figure:
    labels = [_plain(name if len(name) <= _LABEL else f"{name[: _LABEL - 1]}…") for name in names]
    return _figure(
        bars,
        xaxis={"title": {"text": title}, "rangemode": "tozero"},
        yaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names,
            "autorange": "reversed",
            "tickmode": "array",
            "tickvals": names,
            "ticktext": labels,
            "automargin": True,
        },
        height=_MARGIN + row * len(names),
        **layout,
    )


def _figure(data: Sequence[go.Bar | go.Scatter], **layout: Any) -> Figure:
    margins = {"l": 44, "r": 12, "t": 24, "b": 44}
    figure = go.Figure(list(data), go.Layout(margin=margins, dragmode=False, template="none", **layout))
    return dict(json.loads(figure.to_json()))
