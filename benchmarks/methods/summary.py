"""Means over seeds, paired differences from plain training, and what the hardware takes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.methods.points import BASELINE

Row = Mapping[str, str]
_HARDWARE = ("lut", "ff", "dsp", "bram18", "latency", "ii")


def load(path: Path) -> list[dict[str, str]]:
    """Return the rows without an error."""
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if not row["error"]]


def summarized(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a row a network, method and bits, in percent and points."""
    groups: dict[tuple[str, int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["network"], int(row["bits"]), row["method"]), []).append(row)
    return [_summary(key, group, _baseline(key, groups)) for key, group in sorted(groups.items())]


def _baseline(key: tuple[str, int, str], groups: Mapping[tuple[str, int, str], Sequence[Row]]) -> dict[str, float]:
    """Return the accuracy of plain training at equal bits, by seed; one bit is compared with two."""
    network, bits, _ = key
    return {row["seed"]: float(row["accuracy"]) for row in groups.get((network, max(bits, 2), BASELINE), ())}


def _summary(key: tuple[str, int, str], group: Sequence[Row], baseline: Mapping[str, float]) -> dict[str, Any]:
    network, bits, method = key
    found: dict[str, Any] = {
        "network": network,
        "bits": bits,
        "method": method,
        "seeds": len(group),
        "accuracy": round(100 * float(np.mean([float(row["accuracy"]) for row in group])), 2),
    }
    pairs = [100 * (float(row["accuracy"]) - baseline[row["seed"]]) for row in group if row["seed"] in baseline]
    if method not in (BASELINE, "float") and len(pairs) > 1:
        found |= _difference(np.array(pairs))
    built = [row for row in group if row["lut"]]
    for name in _HARDWARE if built else ():
        found[name] = round(float(np.mean([float(row[name]) for row in built])))
    return found


def _difference(pairs: np.ndarray) -> dict[str, Any]:
    """Return the mean of paired differences and its 95 % confidence interval by Student's t."""
    half = float(stats.t.ppf(0.975, len(pairs) - 1) * pairs.std(ddof=1) / np.sqrt(len(pairs)))
    mean = float(pairs.mean())
    return {"difference": round(mean, 2), "interval": [round(mean - half, 2), round(mean + half, 2)]}


def text(found: Sequence[Mapping[str, Any]]) -> str:
    """Return the summary as Markdown tables, one a network."""
    lines: list[str] = []
    for network in dict.fromkeys(row["network"] for row in found):
        lines += [
            "",
            f"| {network} | | accuracy, % | to {BASELINE} of equal bits, points | LUT | FF | DSP | latency | II |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for row in (row for row in found if row["network"] == network):
            difference = (
                "{:+.2f} ({:+.2f} to {:+.2f})".format(row["difference"], *row["interval"]) if "interval" in row else ""
            )
            hardware = " | ".join(str(row.get(name, "")) for name in ("lut", "ff", "dsp", "latency", "ii"))
            weights = "float" if row["method"] == "float" else f"{row['bits']} bit"
            lines.append(f"| {weights} | {row['method']} | {row['accuracy']:.2f} | {difference} | {hardware} |")
    return "\n".join(lines[1:])
