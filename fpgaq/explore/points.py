"""The designs of a sweep: every combination of formats, bits and reuse factors that was asked for."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from fpgaq.errors import ConfigError
from fpgaq.quantize.requantize import Choice, widths


@dataclass(frozen=True)
class Point:
    """One design.

    Parameters
    ----------
    format : str
        Of all weights.
    weights, activations : int
        Bits of all weights and activations.
    reuse : int
        Reuse factor of all layers.
    """

    format: str
    weights: int
    activations: int
    reuse: int

    @property
    def choice(self) -> Choice:
        """The quantizers of every layer."""
        return Choice(self.format, self.weights, self.activations)

    def to_row(self) -> dict[str, str]:
        """Return the columns that name it."""
        return {field.name: str(getattr(self, field.name)) for field in dataclasses.fields(self)}


def numbers(text: str, what: str) -> list[int]:
    """Return the numbers of a range: ``4``, ``2..8``, ``1,2,4`` and mixtures of these.

    Raises
    ------
    ConfigError
        If it is none, or empty.
    """
    found: list[int] = []
    for part in text.split(","):
        first, dots, last = part.partition("..")
        try:
            ends = int(first), int(last if dots else first)
        except ValueError:
            raise ConfigError(f"{what}: {text!r} is no range; write 4, 2..8 or 1,2,4") from None
        if ends[0] > ends[1]:
            raise ConfigError(f"{what}: the range {part!r} is empty; the smaller number comes first")
        found += range(ends[0], ends[1] + 1)
    return list(dict.fromkeys(found))


def grid(
    formats: Sequence[str], weights: Sequence[int], activations: Sequence[int], reuse: Sequence[int]
) -> list[Point]:
    """Return all points; formats that have one width come once, with the bits that they take.

    Raises
    ------
    ConfigError
        If a format is unknown, or has not so many bits.
    """
    points = []
    for format_, bits, activation, factor in itertools.product(formats, weights, activations, reuse):
        allowed = widths(format_)
        points.append(Point(format_, allowed[0] if len(allowed) == 1 else bits, activation, factor))
        _ = points[-1].choice  # what does not exist is refused before anything runs
        if factor < 1:
            raise ConfigError(f"reuse: {factor} is no reuse factor; use 1 or more")
    return list(dict.fromkeys(points))
