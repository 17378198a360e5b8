"""The table of a sweep: one row a design, appended as it comes, so that a sweep that was stopped can go on."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import filelock

from fpgaq.errors import ConfigError

Row = dict[str, str]


class Table:
    """A CSV file that one process writes.

    Parameters
    ----------
    path : Path
    keys, figures : sequence of str
        Columns that name a design, and those that tell what was found; a last one tells what went wrong.
    """

    def __init__(self, path: Path, keys: Sequence[str], figures: Sequence[str]) -> None:
        self.path = path
        self.keys = tuple(keys)
        self.columns = (*keys, *figures, "error")
        self.rows: list[Row] = []
        self._lock = filelock.FileLock(path.with_name(f".{path.name}.lock"))

    def __enter__(self) -> Table:
        """Open the file for this process alone, and read the rows that it has.

        Raises
        ------
        ConfigError
            If another process writes it, or it is the table of something else.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise ConfigError(f"{self.path} is being written by another sweep; give this one another file") from None
        try:
            self._read()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def has(self, key: Row) -> bool:
        """Whether a design has its row."""
        return any(all(row[k] == key[k] for k in self.keys) for row in self.rows)

    def add(self, row: Row) -> None:
        """Append a row; it is on the disk when this returns."""
        self.rows.append({column: row.get(column, "") for column in self.columns})
        with self.path.open("a", newline="") as file:
            file.write(self._line([self.rows[-1][column] for column in self.columns]))
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        text = self.path.read_text() if self.path.is_file() else ""
        whole = text[: text.rfind("\n") + 1]  # the last line may have been cut off
        if not whole:
            self.path.write_text(self._line(self.columns))
            return
        header, *lines = csv.reader(io.StringIO(whole))
        if tuple(header) != self.columns:
            raise ConfigError(
                f"{self.path} is no table of such a sweep, its columns are {', '.join(header)}; name another file"
            )
        if whole != text:
            self.path.write_text(whole)
        self.rows = [dict(zip(header, line, strict=True)) for line in lines]

    @staticmethod
    def _line(cells: Sequence[str]) -> str:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerow(cells)
        return buffer.getvalue()
