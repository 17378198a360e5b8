"""Tools in threads: all of them end with the block that waits for them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from fpgaq.errors import ToolError
from fpgaq.processes import run_logged, worker_threads


def test_leaving_by_an_exception_ends_tools_and_starts_no_more(tmp_path: Path) -> None:
    left = threading.Event()
    log = tmp_path / "a.log"

    def tools() -> None:
        with pytest.raises(ToolError, match="SIGKILL"):
            run_logged(["sh", "-c", "echo up; exec sleep 600"], log, "the first tool")
        left.set()
        run_logged(["sleep", "600"], tmp_path / "b.log", "the second tool")

    with pytest.raises(KeyboardInterrupt), worker_threads(1) as pool:  # noqa: PT012
        waiting = pool.submit(tools)
        while not log.exists() or not log.read_text():
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert left.is_set()
    with pytest.raises(ToolError, match="the build is ending"):
        waiting.result()
    run_logged(["true"], tmp_path / "c.log", "a tool after that")


def test_results_come_back(tmp_path: Path) -> None:
    with worker_threads(2) as pool:
        done = pool.submit(run_logged, ["true"], tmp_path / "a.log", "a tool")
        failed = pool.submit(run_logged, ["false"], tmp_path / "b.log", "a failing tool")
    assert done.result() is None
    with pytest.raises(ToolError, match="a failing tool failed with exit code 1"):
        failed.result()
