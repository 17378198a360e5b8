"""Many evaluations side by side on dask workers, each a row of a table as soon as it is known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fpgaq.errors import ConfigError, ToolError
from fpgaq.explore.table import Row, Table

#: Seconds in which a scheduler must answer.
_PATIENCE = 10


class Named(Protocol):
    """Something to evaluate."""

    def to_row(self) -> Row:
        """Return the columns that name it."""


P = TypeVar("P", bound=Named)


def run(
    evaluate: Callable[[P], Row],
    points: Sequence[P],
    figures: Sequence[str],
    output: Path,
    console: Console,
    *,
    jobs: int,
    scheduler: str | None = None,
) -> int:
    """Evaluate the points that have no row yet; return how many rows have an error.

    Parameters
    ----------
    evaluate : callable
        Returns the row of a point, in a worker.
    points : sequence
        At least one; all named by the same columns.
    figures : sequence of str
        Columns of what is found out.
    output : Path
        CSV file. Rows that are there stay, so that what was stopped goes on where it was.
    console : Console
        For progress.
    jobs : int
        Local worker processes.
    scheduler : str, optional
        Address of a dask scheduler to use instead of local processes.

    Raises
    ------
    ConfigError
        If the file is not such a table, or the scheduler does not answer.
    ToolError
        If dask is not installed.
    """
    with Table(output, list(points[0].to_row()), figures) as table:
        missing = [point for point in points if not table.has(point.to_row())]
        if missing:
            with _client(min(jobs, len(missing)), scheduler) as client:
                rows = _rows(client, evaluate, missing)
                for row in _shown(rows, table, len(points), len(points) - len(missing), console):
                    table.add(row)
        wanted = [point.to_row() for point in points]
        return sum(bool(row["error"]) for row in table.rows if {k: row[k] for k in wanted[0]} in wanted)


def _rows(client: Any, evaluate: Callable[[P], Row], points: Sequence[P]) -> Iterator[Row]:
    """Give the rows as they come; a worker that dies again and again over a point is the error of that point."""
    from distributed import as_completed

    by_key = {}
    for point in points:
        future = client.submit(evaluate, point, pure=False, retries=1)
        by_key[future.key] = (future, point)
    for future in as_completed([future for future, _ in by_key.values()]):
        _, point = by_key[future.key]
        problem = future.exception()
        if problem is None:
            yield future.result()
        else:
            yield {**point.to_row(), "error": f"{type(problem).__name__}: {problem}".splitlines()[0]}
        future.release()


def _shown(rows: Iterator[Row], table: Table, total: int, done: int, console: Console) -> Iterator[Row]:
    """Pass rows on, and show how many there are and how long the others will take."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("designs", total=total, completed=done)
        for row in rows:
            yield row
            done += 1
            progress.advance(bar)
            if not console.is_terminal:
                console.print(f"{done} of {total}: {_text(row, table)}", highlight=False)


def _text(row: Row, table: Table) -> str:
    name = ", ".join(f"{key} {row[key]}" for key in table.keys)
    if row.get("error"):
        return f"{name}: {row['error']}"
    return f"{name}: accuracy {row['accuracy']}" + (f", {row['lut']} LUT" if "lut" in row else "")


@contextlib.contextmanager
def _client(jobs: int, scheduler: str | None) -> Iterator[Any]:
    """Give a client of the scheduler, or of local processes that end with it."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ToolError("a sweep needs dask: pip install 'fpgaq[explore]'") from None
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_PATIENCE)
        except (OSError, ValueError) as problem:
            raise ConfigError(f"no dask scheduler answers at {scheduler!r}: {problem}") from None
        with client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs="ERROR"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
