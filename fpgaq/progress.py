"""Telling the user what is going on: a live list on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress as RichProgress
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn


class Progress:
    """Named phases with their times; phases may run side by side.

    Parameters
    ----------
    console : Console, optional
        Where to write; None is silent.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console
        self._live: RichProgress | None = None

    def __enter__(self) -> Progress:
        if self._console is not None and self._console.is_terminal:
            columns = (SpinnerColumn(finished_text="[green]ok"), TextColumn("{task.description}"), TimeElapsedColumn())
            self._live = RichProgress(*columns, console=self._console)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    @contextlib.contextmanager
    def phase(self, key: str, text: str) -> Iterator[None]:
        """Time a phase and show it."""
        started = time.monotonic()
        task = self._live.add_task(text, total=1) if self._live is not None else None
        yield
        self.seconds[key] = round(time.monotonic() - started, 3)
        if self._live is not None and task is not None:
            self._live.update(task, completed=1)
        elif self._console is not None:
            self._console.print(f"{text}: {self.seconds[key]:.1f} s", highlight=False)
