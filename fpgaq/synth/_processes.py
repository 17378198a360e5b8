"""Running worker processes side by side, and leaving none behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fpgaq import processes

_POLL = 0.02  # seconds
_GRACE = 2.0  # seconds between asking a process group to end and making it


@dataclass(eq=False)
class Job:
    """A Python module to run with one argument, in its own folder, with its log there.

    Attributes
    ----------
    name
        For messages.
    module, argument
        What runs: ``python -m module argument``.
    folder
        Working directory; standard output and error go to ``yosys.log`` in it.
    weight
        Estimate of the run time in any unit: the heaviest start first.
    limit
        Seconds after which the job is killed, or None.
    """

    name: str
    module: str
    argument: str
    folder: Path
    weight: float
    limit: float | None = None
    code: int | None = field(default=None, init=False)
    timed_out: bool = field(default=False, init=False)

    @property
    def log(self) -> Path:
        """Where the output goes."""
        return self.folder / "yosys.log"


def run(jobs: Sequence[Job], slots: int, finished: Callable[[Job], None]) -> None:
    """Run all jobs, at most `slots` at a time, and call `finished` for each in the order they end.

    Whatever ends this function (an error raised by `finished`, Ctrl-C) also ends every job that still runs, with all
    the processes it started.
    """
    waiting = sorted(jobs, key=lambda job: -job.weight)
    running: dict[Job, tuple[subprocess.Popen[bytes], float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < max(1, slots):
                job = waiting.pop(0)
                running[job] = (_start(job), time.monotonic())
            for job, (process, started) in list(running.items()):
                job.code = process.poll()
                job.timed_out = job.code is None and job.limit is not None and time.monotonic() - started > job.limit
                if job.timed_out:
                    _kill(process)
                if job.timed_out or job.code is not None:
                    del running[job]
                    finished(job)
            time.sleep(_POLL)
    finally:
        for process, _ in running.values():
            _kill(process)


def _start(job: Job) -> subprocess.Popen[bytes]:
    scratch = job.folder / "tmp"  # yosys' and abc's temporary files: they go with the folder, also after a kill
    scratch.mkdir(exist_ok=True)
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))))
    with job.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", job.module, job.argument],
            cwd=job.folder,
            env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    processes.track(process)
    return process


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process group: abc is a child of the worker."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
