"""Means over seeds, paired differences at equal bits, which of them can be told from chance, and hardware."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.methods.points import BASELINE, methods, without_its_own

Row = Mapping[str, str]
#: Error rate that all differences of a network called better or worse have together.
LEVEL = 0.05
#: Fewer seeds say nothing about chance.
FEWEST = 5
_HARDWARE = ("lut", "ff", "dsp", "bram18", "latency", "ii")
_Accuracies = Mapping[str, float]


def load(path: Path) -> list[dict[str, str]]:
    """Return the rows of what is compared, those with an error too."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if row["method"] == "float" or row["method"] in methods(int(row["bits"]))]


def summarized(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a row a network, bits and method, in percent and points.

    ``differences`` are paired ones from `BASELINE` and, where there is one, from the method without what is its own:
    ``of``, ``mean``, ``interval`` (95 %, Student's t, of this difference alone), ``p`` and ``verdict``: "better" or
    "worse" where Holm's correction for all differences on the network leaves one, "perhaps" in front of it where only
    its own interval leaves out zero, else "".
    """
    groups: dict[tuple[str, int, str], list[Row]] = {}
    for row in rows:
        if not row["error"]:
            groups.setdefault((row["network"], int(row["bits"]), row["method"]), []).append(row)
    accuracies = {key: {row["seed"]: 100 * float(row["accuracy"]) for row in group} for key, group in groups.items()}
    found = [_summary(key, group, accuracies) for key, group in sorted(groups.items())]
    for network in {row["network"] for row in found}:
        _judge([difference for row in found if row["network"] == network for difference in row["differences"]])
    return found


def _summary(
    key: tuple[str, int, str], group: Sequence[Row], accuracies: Mapping[tuple[str, int, str], _Accuracies]
) -> dict[str, Any]:
    network, bits, method = key
    own = accuracies[key]
    references = () if method in (BASELINE, "float") else (BASELINE, without_its_own(method))
    # One bit is compared with two.
    pairs = {of: accuracies.get((network, max(bits, 2), of), {}) for of in references if of is not None}
    built = [row for row in group if row["lut"]]
    shares = {name: [float(row[name]) for row in group if row.get(name)] for name in ("zeros", "closed")}
    return {
        "network": network,
        "bits": bits,
        "method": method,
        "seeds": len(group),
        "accuracy": round(float(np.mean(list(own.values()))), 2),
        "differences": [found for of, theirs in pairs.items() if (found := _difference(of, own, theirs)) is not None],
        **{name: round(100 * float(np.mean(values))) for name, values in shares.items() if values},
        **({"built": sorted(int(row["seed"]) for row in built)} if built else {}),
        **({name: round(float(np.mean([float(row[name]) for row in built]))) for name in _HARDWARE} if built else {}),
    }


def _difference(of: str, own: _Accuracies, theirs: _Accuracies) -> dict[str, Any] | None:
    """Return the difference of the seeds that both have; None if those are too few."""
    pairs = np.array([own[seed] - theirs[seed] for seed in own if seed in theirs])
    if len(pairs) < FEWEST:
        return None
    mean, error = float(pairs.mean()), float(pairs.std(ddof=1) / np.sqrt(len(pairs)))
    half = float(stats.t.ppf(0.975, len(pairs) - 1)) * error
    # Differences that are all the same have no error.
    p = float(2 * stats.t.sf(abs(mean) / error, len(pairs) - 1)) if error else float(mean == 0)
    return {
        "of": of,
        "pairs": len(pairs),
        "mean": round(mean, 2),
        "interval": [round(mean - half, 2), round(mean + half, 2)],
        "p": p,
    }


def _judge(differences: Sequence[dict[str, Any]]) -> None:
    """Say which differences remain after Holm's correction: the k-th smallest p counts times those not yet passed."""
    passed = True
    for place, difference in enumerate(sorted(differences, key=lambda difference: difference["p"])):
        passed = passed and difference["p"] * (len(differences) - place) <= LEVEL
        word = "better" if difference["mean"] > 0 else "worse"
        alone = f"perhaps {word}" if difference["p"] <= LEVEL else ""
        difference["verdict"] = word if passed else alone
