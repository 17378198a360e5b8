"""A sweep: every design of a grid, side by side on dask workers, each a row of a table as soon as it is known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from fpgaq.explore.evaluate import FIGURES, Task, evaluate
from fpgaq.explore.points import Point
from fpgaq.explore.runner import run


def sweep(
    task: Task, points: Sequence[Point], output: Path, console: Console, *, jobs: int, scheduler: str | None = None
) -> int:
    """Evaluate the points that have no row yet; return how many rows have an error.

    Parameters, results and errors are those of `fpgaq.explore.runner.run`; `task` is what all points have in common.
    """
    return run(partial(evaluate, task), points, FIGURES, output, console, jobs=jobs, scheduler=scheduler)
