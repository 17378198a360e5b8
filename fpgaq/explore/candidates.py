"""What a search compares: allocations with what they do and cost, as a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table

from fpgaq.explore.budget import RESOURCES
from fpgaq.explore.costs import WholeCost
from fpgaq.explore.problem import Allocation
from fpgaq.quantize.requantize import Choice

_SHOWN = 30
_COLUMNS = ("source", "activations", "layers", "damage", *RESOURCES, "estimate", "fits", "loss", "accuracy", "chosen")


@dataclass
class Candidate:
    """A choice for every layer.

    Parameters
    ----------
    source : str
        The policy, the search or the baseline that it came from.
    layers : mapping of Choice
        By layer; the activations are those of the rectifier behind it.
    allocation : Allocation
        The numbers of the choices.
    damage : int
        Of the policy, in shares of the largest one; -1 where it was not asked.
    cost : mapping of int
        What the layers take, added up.
    loss : float
        Of the quantized network on the calibration data.
    accuracy : float or None
        Share of right classes on the labelled data.
    whole : WholeCost or None
        Estimate of the whole network, of finalists.
    fits : bool
        Whether it is within the budgets, by the better of the two estimates.
    epochs : int
        Epochs that it was trained.
    chosen : bool
        Whether it won.
    """

    source: str
    layers: dict[str, Choice]
    allocation: Allocation
    damage: int
    cost: dict[str, int]
    loss: float
    accuracy: float | None
    fits: bool
    whole: WholeCost | None = None
    epochs: int = 0
    chosen: bool = False

    @property
    def activations(self) -> tuple[int, ...]:
        """The different bits of rectifiers, ascending."""
        return tuple(sorted({c.activations for c in self.layers.values() if c.activations is not None}))

    @property
    def labels(self) -> dict[str, str]:
        """The choices as one word each; bits of rectifiers stand there where they differ."""
        mixed = len(self.activations) > 1
        return {
            name: f"{label(choice)}/{choice.activations}" if mixed and choice.activations else label(choice)
            for name, choice in self.layers.items()
        }

    @property
    def order(self) -> tuple[float, tuple[int, ...], tuple[int, ...], Allocation]:
        """What candidates are ordered by: loss, then cost, then the choices."""
        return self.loss, tuple(self.cost.values()), self.activations, self.allocation

    def to_row(self) -> dict[str, str]:
        """Return the cells of its row."""
        value = self.cost if self.whole is None else self.whole.value
        return {
            "source": f"{self.source}, {self.epochs} epochs" if self.epochs else self.source,
            "activations": "..".join(map(str, sorted({*self.activations[:1], *self.activations[-1:]}))),
            "layers": " ".join(f"{name}={word}" for name, word in self.labels.items()),
            "damage": str(self.damage),
            **{name: str(value[name]) for name in RESOURCES},
            "estimate": "layers" if self.whole is None else "whole",
            "fits": "yes" if self.fits else "no",
            "loss": f"{self.loss:.6g}",
            "accuracy": "" if self.accuracy is None else f"{self.accuracy:.4f}",
            "chosen": "yes" if self.chosen else "",
        }


def label(choice: Choice) -> str:
    """Return a choice as one word; formats of one width need no number."""
    return choice.format if choice.format in ("ternary", "binary") else f"{choice.format}{choice.weights}"


def write_table(candidates: Sequence[Candidate], path: Path) -> None:
    """Write all candidates, the best first; a column ``error`` makes it a table that `fpgaq report --sweep` reads."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*_COLUMNS, "error"], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(candidate.to_row() for candidate in candidates)


def shown_table(candidates: Sequence[Candidate], limits: Sequence[str]) -> Table:
    """Return the table for people: the best candidates, with the resources that have a budget."""
    resources = list(dict.fromkeys([*limits, "lut"]))
    titles = ("from", "layers", "act", *resources, "fits", "loss", "accuracy")
    table = Table(*titles, box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for candidate in candidates[:_SHOWN]:
        row = candidate.to_row()
        words = " ".join(candidate.labels.values())
        costs = (f"{row[name]}{'' if candidate.whole else '~'}" for name in resources)
        accuracy = "" if candidate.accuracy is None else f"{100 * candidate.accuracy:.2f} %"
        cells = (row["source"], words, row["activations"], *costs, row["fits"], row["loss"], accuracy)
        table.add_row(*cells, style="bold" if candidate.chosen else None)
    return table
