"""The table of a sweep: a row for every design that was tried, and which of them are worth building."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import NamedTuple

from fpgaq.errors import ConfigError

_FIGURES = ("accuracy", "lut")
_ERROR = "error"


class Point(NamedTuple):
    """A design of a sweep: its options as text, accuracy (0 to 1) and LUTs."""

    options: dict[str, str]
    accuracy: float
    lut: float


class Sweep(NamedTuple):
    """The designs of a sweep that could be built, and the number of those that could not."""

    points: list[Point]
    failed: int


def load_sweep(path: Path) -> Sweep:
    """Read the table of a sweep.

    Raises
    ------
    ConfigError
        If columns are missing, a figure is not a number, or no design could be built.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            rows = [(table.line_num, row) for row in table]
            columns = table.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is not the table of a sweep ({error})") from None
    missing = [column for column in (*_FIGURES, _ERROR) if column not in columns]
    if missing:
        raise ConfigError(f"{path} is not the table of a sweep: it has no column {missing[0]!r}")
    points = [_point(path, line, row) for line, row in rows if not row[_ERROR]]
    if not points:
        raise ConfigError(f"{path} has no design that could be built")
    return Sweep(points, len(rows) - len(points))


def _point(path: Path, line: int, row: dict[str, str]) -> Point:
    if None in row:
        raise ConfigError(f"{path}, line {line} has more cells than there are columns")
    figures = []
    for column in _FIGURES:
        try:
            figures.append(float(row[column]))
        except (TypeError, ValueError):
            figures.append(math.nan)
        if not math.isfinite(figures[-1]):
            raise ConfigError(f"{path}, line {line}: {column} is {row[column]!r}, not a number, and no error is given")
    return Point({key: str(row[key]) for key in row if key not in (*_FIGURES, _ERROR)}, *figures)


def pareto(points: list[Point]) -> list[Point]:
    """Return the points that no other is at least as accurate as with fewer LUTs, or more accurate with as many.

    They are in the order of their LUTs, and of their accuracy.
    """
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.lut, -point.accuracy)):
        if not front or point.accuracy > front[-1].accuracy:
            front.append(point)
    return front
