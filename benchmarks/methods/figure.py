"""Accuracy against LUTs over methods, as SVG that is readable on a light page and on a dark one."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.methods.summary import summarized

_INK, _FRONT = "#7a8899", "#00897b"
#: Families of methods: what they have in common, their colour, and their methods in the order of `_MARKERS`.
_FAMILIES = {
    "integers, trained": ("#3b8fd6", ("uniform", "clip", "fat", "lsq", "cpq", "one-model")),
    "other levels, trained": (
        "#e0822f",
        *(("binary", "twn", "ttq", "pot", "clip-log", "fat-log", "apot", "tapered", "dgms", "slb", "multi-binary"),),
    ),
    "activations": ("#b072c9", ("uniform-lsq", "uniform-n2uq", "uniform-ema", "uniform-in-hindsight", "uniform-gated")),
    "after training": (
        "#7f9c2b",
        (
            *("ptq-nearest", "ptq-adaround", "ptq-attention-round", "ptq-pwlq", "ptq-cfws", "ptq-ecqx"),
            *("ptq-nearest-channel", "ptq-adaround-channel", "ptq-attention-round-channel"),
        ),
    ),
}
_MARKERS = "osD^vP*Xp<>"
_LEAST_ERROR = 0.1
#: Larger shares of wrong answers, in those of the middle method, lie on the bottom line with their accuracy.
_DEEPEST = 3.0


def creator() -> str:
    """Return what draws: another version draws other bytes."""
    import matplotlib

    return f"Matplotlib {matplotlib.__version__}"


def figure(rows: Sequence[Mapping[str, str]], network: str) -> str:
    """Return the figure of a network: equal bytes for equal rows."""
    from matplotlib import style
    from matplotlib.figure import Figure

    points = [row for row in summarized(rows) if row["network"] == network and "lut" in row]
    colours = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK)
    settings = {**colours, "svg.hashsalt": "fpgaq", "svg.fonttype": "none", "font.size": 8, "font.family": "sans-serif"}
    with style.context(["default", settings]):
        canvas = Figure(figsize=(5.4, 6.6), layout="constrained")
        axes = canvas.add_subplot()
        _scales(axes, points)
        _marks(axes, points)
        _front(axes, points)
        axes.set_xlabel("LUT")
        axes.set_ylabel("accuracy, %")
        _legend(canvas, {row["method"] for row in points})
        file = io.StringIO()
        canvas.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": creator()})
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _scales(axes: Any, points: Sequence[Mapping[str, Any]]) -> None:
    """Set logarithmic scales, that of accuracies of what is wrong, with ticks at round numbers."""
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    def depth(accuracy: Any) -> Any:
        return -np.log10(np.maximum(100 - np.asarray(accuracy, float), _LEAST_ERROR))

    axes.set_xscale("log")
    axes.set_yscale("function", functions=(depth, lambda depth: 100 - 10.0 ** -np.asarray(depth, float)))
    luts = [row["lut"] for row in points]
    errors = [max(100 - row["accuracy"], _LEAST_ERROR) for row in points]
    axes.set_xlim(min(luts) / 1.12, max(luts) * 1.15)
    deepest = min(1.15 * max(errors), _DEEPEST * float(np.median(errors)), 100)
    axes.set_ylim(100 - deepest, 100 - max(0.87 * min(errors), _LEAST_ERROR))
    steps = [m * 10**k for k in range(1, 6) for m in (1, 1.5, 2, 3, 5, 7)]
    axes.xaxis.set_major_locator(FixedLocator([step for step in steps if step >= 100]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    axes.yaxis.set_major_locator(
        FixedLocator([0, 40, 60, 70, 80, 85, 90, 92, 94, 95, 96, 97, 98, 98.5, 99, 99.5, 99.9])
    )
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.grid(color=_INK, alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _style(method: str) -> dict[str, Any]:
    for colour, names in _FAMILIES.values():
        if method in names:
            return {"color": colour, "marker": _MARKERS[names.index(method)]}
    return {"color": _INK, "marker": "."}


def _marks(axes: Any, points: Sequence[Mapping[str, Any]]) -> None:
    bottom = axes.get_ylim()[0]
    for row in points:
        below = row["accuracy"] < bottom
        place = (row["lut"], bottom if below else row["accuracy"])
        label = f"{row['bits']} ({row['accuracy']:.0f} %)" if below else str(row["bits"])
        axes.plot(*place, linestyle="none", markersize=4, markeredgewidth=0, clip_on=False, **_style(row["method"]))
        axes.annotate(label, place, (3.5, 4 if below else 0), textcoords="offset points", va="center", fontsize=5.5)


def _front(axes: Any, points: Sequence[Mapping[str, Any]]) -> None:
    """Join the points that no other one beats in both."""
    front: list[Mapping[str, Any]] = []
    for row in sorted(points, key=lambda row: (row["lut"], -row["accuracy"])):
        if not front or row["accuracy"] > front[-1]["accuracy"]:
            front.append(row)
    axes.plot([r["lut"] for r in front], [r["accuracy"] for r in front], color=_FRONT, linewidth=1, zorder=1)


def _legend(canvas: Any, methods: set[str]) -> None:
    """Put the families below, each in a column of its own."""
    from matplotlib.lines import Line2D

    families = {name: [m for m in known if m in methods] for name, (_, known) in _FAMILIES.items()}
    unknown = sorted(methods - {m for known in families.values() for m in known})
    families = {name: known for name, known in {**families, "others": unknown}.items() if known}
    most = max(map(len, families.values()))
    handles = []
    for name, known in families.items():
        blank = Line2D([], [], linestyle="none")
        handles += [Line2D([], [], linestyle="none", label=name)]
        handles += [
            Line2D([], [], linestyle="none", markersize=5, markeredgewidth=0, label=m, **_style(m)) for m in known
        ]
        handles += [blank] * (most - len(known))
    labels = [handle.get_label() if not handle.get_label().startswith("_") else "" for handle in handles]
    canvas.legend(
        handles, labels, loc="outside lower center", ncols=len(families), fontsize=6.5, frameon=False,
        handletextpad=0.1, columnspacing=0.8,
    )  # fmt: skip
