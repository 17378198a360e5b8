"""The comparison as a page of the manual: what the rows say, and what they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.methods.networks import NETWORKS
from benchmarks.methods.points import BASELINE
from benchmarks.methods.summary import FEWEST, LEVEL, summarized

_Rows = Sequence[Mapping[str, Any]]


def page(rows: Sequence[Mapping[str, str]], versions: Mapping[str, str]) -> str:
    """Return the page of the rows of a table, and of the versions that it was made with."""
    found = summarized(rows)
    lines = ["# Methods side by side", "", *_HEAD.strip().format(fewest=FEWEST).splitlines()]
    for network in (name for name in NETWORKS if any(row["network"] == name for row in found)):
        own = [row for row in found if row["network"] == network]
        lines += ["", f"## {network}", "", f"{NETWORKS[network].title}.", "", *_section(network, own)]
        lines += _failures([row for row in rows if row["network"] == network and row["error"]])
    lines += ["", "## How it was made", "", *_HOW.strip().splitlines(), "", "```", *_commands(rows), "```", ""]
    lines.append("Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".")
    return "\n".join(lines) + "\n"


_HEAD = """
Every method that trains or rounds weights, on the same float networks and the same splits of the data, with activations
of 4 bits (8 where weights have 8): accuracy of the integers that hardware computes, and what yosys counts of that
hardware. This page is written from the rows in `benchmarks/data/methods.csv`.

* A difference is the mean over seeds of accuracies at the same seed and the same bits, in points, with its 95 %
  confidence interval by Student's t, each interval for itself. *Better* and *worse* is only what Holm's correction for
  all differences of a network leaves: with 95 % none of those words on a network is chance. *Perhaps* stands where only
  the interval by itself leaves out zero. Fewer than {fewest} common seeds make no difference.
* "No measurable difference" does not say that methods are equal: the interval says how large a difference could be.
* Seeds split the same samples anew, and train anew. The splits have samples in common, which makes intervals rather
  too narrow, and other data are not covered.
* At 2 bits `uniform`, `lsq` and most `ptq` methods have four levels (-2 to 1); `fat`, `clip`, `twn` and `pot` have
  three. `fat` and `clip` have equal levels, as have `fat-log` and `clip-log`. One bit is compared with two of
  `uniform`.
* `uniform-` is a method of activations with uniform weights; all other training has PACT's. `ptq-` is rounding without
  training, in one unit for the weights of a layer; with `-channel` every output channel has its own, a power of two as
  well. `uniform-gated` has precision gating in the layers between two rectifiers, with 2 high bits of 4; unrolled, it
  has the logic of both parts. `fatnn` is left out, as its activations have 2 bits only.
* A seed gives the same digits again on the same machine, with any number of threads. Rows of `dgms` and `slb`, which
  train through exponentials, mostly come out a little otherwise on a machine with another processor.
* All methods start from the same float network and have the same few epochs. None was tuned for a network here; the
  papers train longer, and larger networks.
"""

_HOW = """
Rows are appended as they come, and a run goes on where the last one stopped. `python docs/generate.py` writes this page
and its figures.
"""


def _section(network: str, rows: _Rows) -> list[str]:
    return [
        *_sentences(rows),
        "",
        *_figure(network, rows),
        "| bits | method | seeds | % right | to uniform | 95 % interval | % zeros | LUT | FF | DSP | latency |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(_line(row) for row in sorted(rows, key=lambda row: (row["bits"], -row["accuracy"], row["method"]))),
    ]


def _figure(network: str, rows: _Rows) -> list[str]:
    seeds = sorted({seed for row in rows for seed in row.get("built", ())})
    if not seeds:
        return []
    of = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    return [
        f"![Accuracy against LUTs of the methods on {network}](figures/methods_{network}.svg){{ width=620 }}",
        "",
        f"Mean accuracy of all seeds against LUTs of {of} (unrolled, xc7); both scales are logarithmic, that of "
        "accuracy in what is wrong. Digits are bits of weights. The line joins what nothing else beats in both.",
        "",
    ]


def _sentences(rows: _Rows) -> list[str]:
    """Say of every method what its differences are."""
    to_plain = [(row, d) for row in rows for d in row["differences"] if d["of"] == BASELINE]
    others = [(row, d) for row in rows for d in row["differences"] if d["of"] != BASELINE]
    if not to_plain:
        return [f"So far no method has {FEWEST} seeds in common with `{BASELINE}` of equal bits: no differences."]
    every = [d for _, d in [*to_plain, *others]]
    perhaps = sum(d["verdict"].startswith("perhaps") for d in every)
    lines = [f"{len(every)} differences. Against `{BASELINE}` of equal bits:", ""]
    for bits in sorted({row["bits"] for row, _ in to_plain}):
        here = [(row["method"], d) for row, d in to_plain if row["bits"] == bits]
        lines.append(f"* **{_bits(bits)}:** {_verdicts(here)}.")
    if others:
        lines += [
            "",
            "Against the same method without what is its own (the filter of FAT, the search of rounding, units by "
            "channel):",
            "",
        ]
    for of in dict.fromkeys(d["of"] for _, d in others):
        here = [(f"{row['method']} at {_bits(row['bits'])}", d) for row, d in others if d["of"] == of]
        lines.append(f"* **`{of}`:** {_verdicts(here)}.")
    for row in rows:
        if "closed" in row:
            share = f"{row['closed']} % of its gates closed on the images or series that are measured"
            lines += ["", f"`{row['method']}` at {_bits(row['bits'])} keeps {share}."]
    lines += [
        "",
        f"*Perhaps* is said of {perhaps} of {len(every)}, of which chance alone gives about {LEVEL * len(every):.0f}.",
    ]
    return lines


def _verdicts(pairs: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    parts = []
    for word in ("better", "worse", "perhaps better", "perhaps worse"):
        named = sorted((p for p in pairs if p[1]["verdict"] == word), key=lambda p: -abs(p[1]["mean"]))
        if named:
            parts.append(f"{word} " + ", ".join(f"{name} ({d['mean']:+.1f})" for name, d in named))
    open_ = [name for name, d in pairs if not d["verdict"]]
    if open_:
        parts.append("no measurable difference " + ", ".join(open_))
    return "; ".join(parts)


def _bits(bits: int) -> str:
    return f"{bits} bit{'s' if bits > 1 else ''}"


def _line(row: Mapping[str, Any]) -> str:
    plain = next((d for d in row["differences"] if d["of"] == BASELINE), None)
    cells = ["" if row["method"] == "float" else row["bits"], row["method"], row["seeds"], f"{row['accuracy']:.2f}"]
    cells += ["", ""] if plain is None else _difference(plain)
    cells += [row.get(name, "") for name in ("zeros", "lut", "ff", "dsp", "latency")]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _difference(found: Mapping[str, Any]) -> list[str]:
    """Return a difference with its verdict, and its interval, neither of which breaks into lines."""
    text, low, high = (f"{number:+.2f}" for number in (found["mean"], *found["interval"]))
    verdict = f"&nbsp;**{found['verdict']}**" if found["verdict"] in ("better", "worse") else ""
    return [f"{text}{verdict}", f"{low}&nbsp;to&nbsp;{high}"]


def _failures(rows: Sequence[Mapping[str, str]]) -> list[str]:
    if not rows:
        return []
    seeds: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        seeds.setdefault((row["bits"], row["method"], row["error"].splitlines()[0]), []).append(row["seed"])
    lines = ["", "Not there:", ""]
    for (bits, method, problem), which in sorted(seeds.items()):
        lines.append(f"* {method} at {_bits(int(bits))}, seed {', '.join(sorted(which, key=int))}: {problem}")
    return lines


def _commands(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return what makes the rows of every network again."""
    lines = []
    for network in (name for name in NETWORKS if any(row["network"] == name for row in rows)):
        own = [row for row in rows if row["network"] == network]
        seeds = 1 + max(int(row["seed"]) for row in own)
        built = 1 + max((int(row["seed"]) for row in own if row["lut"]), default=-1)
        lines.append(f"python -m benchmarks.methods --networks {network} --seeds {seeds} --built {built}")
    return lines
