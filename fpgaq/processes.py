"""Running external tools: output to a log file, the whole process group ended on an interrupt, errors that say why."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fpgaq.errors import ToolError

_tracked: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()
_lock = threading.Lock()
_ending = threading.Event()


def track(process: subprocess.Popen[bytes]) -> None:
    """Let `worker_threads` find a process that was started in a session of its own.

    Raises
    ------
    ToolError
        If everything is being ended; so is the process then.
    """
    with _lock:
        _tracked.add(process)
    if _ending.is_set():
        end_group(process)
        raise ToolError("a tool was not run: the build is ending")


@contextlib.contextmanager
def worker_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Provide threads that wait for tools.

    When the block is left by an exception, Ctrl-C included, every tool that runs in any thread is ended and none is
    started any more, so that the threads fail at once instead of keeping the program alive.
    """
    with ThreadPoolExecutor(max_workers=count) as pool:
        try:
            yield pool
        except BaseException:
            _ending.set()
            with _lock:
                running = [process for process in _tracked if process.poll() is None]
            for process in running:
                end_group(process)
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            _ending.clear()


class Logged:
    """A running command whose output goes to a file.

    Parameters
    ----------
    process : Popen
        Started in a session of its own.
    log : Path
    what : str
        For messages, for example "Verilator".
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path, what: str) -> None:
        self.process = process
        self.log = log
        self.what = what

    def wait(self) -> None:
        """Wait for its end.

        Raises
        ------
        ToolError
            If it does not end with 0; the message holds the end of the log.
        """
        try:
            code = self.process.wait()
        except BaseException:
            end_group(self.process)
            raise
        if code != 0:
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            raise ToolError(f"{self.what} failed with {how}; the end of {self.log}:\n{tail(self.log)}")


def start_logged(
    command: Sequence[str],
    log: Path,
    what: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Logged:
    """Start a command with its output in a file.

    Raises
    ------
    ToolError
        If it cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        try:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=env, cwd=cwd, start_new_session=True
            )
        except OSError as error:
            raise ToolError(f"{what} could not be started: {error}") from None
    track(process)
    return Logged(process, log, what)


def run_logged(
    command: Sequence[str],
    log: Path,
    what: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command to its end with its output in a file; errors as `start_logged` and `Logged.wait`."""
    start_logged(command, log, what, env=env, cwd=cwd).wait()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process started in a session of its own, with all its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
