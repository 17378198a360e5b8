"""What became larger or smaller between two reports of a design."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from fpgaq.errors import ConfigError

_TOTAL = "total"
_RESOURCES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram18": "BRAM"}
_TIMING = {"predicted_latency_cycles": "latency", "predicted_ii_cycles": "II"}
_TITLES = ("layer", "figure", "old", "new", "change")


@dataclass(frozen=True)
class Change:
    """A figure of two reports.

    Parameters
    ----------
    layer : str
        Layer of the model, or ``total``.
    figure : str
        What it counts.
    old, new : float or None
        None where a report does not have it: no synthesis, no labels, no such layer.
    unit : str
        ``%`` for an accuracy, of which more is better; counts have none.
    """

    layer: str
    figure: str
    old: float | None
    new: float | None
    unit: str = ""

    @property
    def growth(self) -> float:
        """By how many percent a count grew; infinity from zero on, 0 where one of them is not known."""
        if self.unit or self.old is None or self.new is None or self.new == self.old:
            return 0.0
        return 100 * (self.new - self.old) / self.old if self.old else math.inf

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """The texts of a table's row."""
        return self.layer, self.figure, self._text(self.old), self._text(self.new), self._difference()

    def _text(self, value: float | None) -> str:
        if value is None:
            return "-"
        return f"{value:.2f} %" if self.unit else str(value)

    def _difference(self) -> str:
        if self.old is None or self.new is None:
            return "" if self.old is self.new else "gone" if self.new is None else "new"
        difference = self.new - self.old
        if self.unit:
            return f"{difference:+.2f} points" if difference else "="
        if not difference:
            return "="
        return f"{difference:+} ({self.growth:+.1f} %)" if self.old else f"{difference:+}"


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return the figures of two reports: those of the whole first, then those of layers that differ.

    Raises
    ------
    ConfigError
        If the reports are of different FPGA families, whose resources mean different things.
    """
    _same_family(old, new)
    totals = [((r["resources"] or {}).get("total") or {}) for r in (old, new)]
    changes = [Change(_TOTAL, title, totals[0].get(key), totals[1].get(key)) for key, title in _RESOURCES.items()]
    changes += [Change(_TOTAL, title, old["timing"][key], new["timing"][key]) for key, title in _TIMING.items()]
    changes += [
        Change(_TOTAL, f"accuracy, {key}", _percent(old, key), _percent(new, key), "%")
        for key in ("frozen", "hardware")
    ]
    changes = [change for change in changes if change.old is not None or change.new is not None]
    return changes + [change for change in _layers(old, new) if (change.old or 0) != (change.new or 0)]


def _same_family(old: dict[str, Any], new: dict[str, Any]) -> None:
    families = [r["resources"]["family"] for r in (old, new) if r["resources"]]
    if len(set(families)) > 1:
        raise ConfigError(
            f"the reports are for the FPGA families {families[0]} and {families[1]}, whose resources cannot be "
            "compared; build both for one"
        )


def _percent(report: dict[str, Any], key: str) -> float | None:
    value = (report["accuracy"] or {}).get(key)
    return None if value is None else 100 * value


def _layers(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return resources, latency and cycles a vector of every layer: of the new report, then of layers that are gone."""
    before, after = _by_layer(old), _by_layer(new)
    names = [*after, *(name for name in before if name not in after)]
    return [
        Change(name, figure, before.get(name, {}).get(figure), after.get(name, {}).get(figure))
        for name in names
        for figure in (*_RESOURCES.values(), "latency", "II")
    ]


def _by_layer(report: dict[str, Any]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in report["layers"]:
        figures = found.setdefault(row["name"], {"latency": 0, "II": 0})
        figures["latency"] += row["latency_cycles"]
        figures["II"] = max(figures["II"], row["busy_cycles"])
    for name, counts in (report["resources"] or {"layers": {}})["layers"].items():
        found[name] |= {title: counts[key] for key, title in _RESOURCES.items()}
    return found


def too_large(changes: list[Change], percent: float) -> list[Change]:
    """Return the figures of the whole that grew by more than so many percent.

    Raises
    ------
    ConfigError
        If one of the reports does not have a figure: what is not known must not pass.
    """
    totals = [change for change in changes if change.layer == _TOTAL and not change.unit]
    missing = [change.figure for change in totals if change.old is None or change.new is None]
    if missing or len(totals) < len(_RESOURCES):
        raise ConfigError(
            "a report has no resources, so nothing tells whether they grew; build with synthesis, or leave out "
            "--fail-above"
        )
    return [change for change in totals if change.growth > percent]


def notes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return what makes the figures less comparable than they look."""
    found = []
    if old["name"] != new["name"]:
        found.append(f"the designs are called {old['name']} and {new['name']}")
    periods = [report["timing"]["clock_period_ns"] for report in (old, new)]
    if periods[0] != periods[1]:
        found.append(f"clock targets are {periods[0]:g} and {periods[1]:g} ns: cycles are not of the same length")
    kinds = {r["resources"]["total_is_sum"] for r in (old, new) if r["resources"]}
    if len(kinds) > 1:
        found.append("one total is that of the whole netlist, the other the sum of its modules, which is larger")
    found += [
        f"the {which} build did not pass its gates" for which, r in (("old", old), ("new", new)) if not r["passed"]
    ]
    return found


def print_changes(changes: list[Change], remarks: list[str], console: Console) -> None:
    """Print the figures as a table."""
    table = Table(*_TITLES, box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for column in table.columns[2:]:
        column.justify = "right"
    for change in changes:
        table.add_row(*change.row)
    console.print(table, *(f"note: {remark}" for remark in remarks), sep="\n", highlight=False, markup=False)


def markdown_of(changes: list[Change], remarks: list[str], name: str) -> str:
    """Return the figures as a table for a comment on a pull request."""
    lines = [f"## fpgaq: {name} compared", "", f"| {' | '.join(_TITLES)} |", "|---|---|---:|---:|---:|"]
    for change in changes:
        layer, *cells = (cell.replace("|", "\\|") for cell in change.row)
        lines.append(f"| {f'**{layer}**' if layer == _TOTAL else layer} | {' | '.join(cells)} |")
    lines += ["", *(f"* {remark}" for remark in remarks)] if remarks else []
    return "\n".join(lines) + "\n"
