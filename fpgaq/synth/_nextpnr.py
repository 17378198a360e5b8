"""Running nextpnr: where it is, its phases as its log grows, the report it leaves."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fpgaq import processes
from fpgaq.errors import ToolError
from fpgaq.progress import Progress

_POLL = 0.1  # seconds
# The line of the log with which a phase begins, and what is shown of it.
_PHASES = {"Info: Packing": "packing", "Info: Creating initial": "placing", "Info: Routing": "routing"}
_WHEEL = "import sys; from {module} import run_{name} as run; sys.exit(run(sys.argv[1:]))"


@dataclass(frozen=True)
class Nextpnr:
    """An executable: what comes first on the command line, and its version in words."""

    command: tuple[str, ...]
    version: str


def locate(tool: str) -> Nextpnr:
    """Find a tool such as ``nextpnr-ecp5``: on PATH, which is faster, or as a wheel with a build for WebAssembly.

    Raises
    ------
    ToolError
        Neither is there.
    """
    if native := shutil.which(tool):
        said = subprocess.run([native, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"Version ([^\s)]+)", said.stdout + said.stderr)
        return Nextpnr((native,), f"{tool} ({version[1] if version else 'unknown version'})")
    package, name = f"yowasp-{tool}", tool.replace("-", "_")
    module = package.replace("-", "_")
    if importlib.util.find_spec(module) is None:
        raise ToolError(
            f"{tool} is missing: pip install 'fpgaq[place-and-route]' brings it, or put a native one on PATH, which is"
            " faster"
        )
    code = _WHEEL.format(module=module, name=name)
    return Nextpnr((sys.executable, "-c", code), f"{package} {importlib.metadata.version(package)}")


def run(found: Nextpnr, arguments: Sequence[str], folder: Path, deadline: float, progress: Progress) -> Path:
    """Run nextpnr in a folder and return its report.

    Parameters
    ----------
    found : Nextpnr
    arguments : sequence of str
        File names relative to the folder: the build for WebAssembly has a ``/tmp`` of its own.
    folder : Path
    deadline : float
        Time of ``time.monotonic`` after which the run is ended.
    progress : Progress
        Shows the phases.

    Raises
    ------
    TimeoutError
        The deadline has passed; the message is the phase.
    ToolError
        nextpnr failed.
    """
    scratch = folder / "tmp"
    scratch.mkdir(exist_ok=True)
    report, log = folder / "nextpnr.json", folder / "nextpnr.log"
    command = [*found.command, *arguments, "--report", report.name]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    started = processes.start_logged(command, log, found.version, env=environment, cwd=folder)
    try:
        _watch(started.process, log, deadline, progress)
    except BaseException:
        processes.end_group(started.process)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if started.process.returncode:
        text = log.read_text(errors="replace")
        errors = [line for line in text.splitlines() if line.startswith("ERROR")]
        said = "\n".join(errors[:5]) or processes.tail(log)
        raise ToolError(f"{found.version} failed with exit code {started.process.returncode}:\n{said}\n({log})")
    return report


def _watch(process: subprocess.Popen[bytes], log: Path, deadline: float, progress: Progress) -> None:
    """Show the phases of a run until it ends."""
    phase = "starting"
    with contextlib.ExitStack() as shown, log.open(errors="replace") as lines:
        while process.poll() is None:
            for line in lines:
                begun = next((name for start, name in _PHASES.items() if line.startswith(start)), phase)
                if begun != phase:
                    phase = begun
                    shown.pop_all().close()
                    shown.enter_context(progress.phase(phase, phase))
            if time.monotonic() > deadline:
                raise TimeoutError(phase)
            time.sleep(_POLL)


@dataclass(frozen=True)
class Timing:
    """What nextpnr reports.

    Attributes
    ----------
    fmax_mhz
        Highest clock frequency at which every path between registers holds.
    path_from, path_to
        Cells at the ends of the slowest path.
    logic_ns, routing_ns
        Its delay in cells, set-up time included, and on wires.
    utilization
        Kind of cell -> (used, available), of the kinds in use.
    """

    fmax_mhz: float
    path_from: str
    path_to: str
    logic_ns: float
    routing_ns: float
    utilization: dict[str, tuple[int, int]]

    def to_json(self) -> dict[str, Any]:
        """Return the object as JSON-ready values."""
        counts = {kind: {"used": used, "available": all_} for kind, (used, all_) in self.utilization.items()}
        return {**asdict(self), "utilization": counts}


def read_report(path: Path) -> Timing:
    """Read what ``--report`` wrote for a design with one clock.

    Raises
    ------
    ToolError
        It is no report, or has not exactly one clock.
    """
    try:
        report = json.loads(path.read_text())
        if len(report["fmax"]) != 1:
            clocks = ", ".join(report["fmax"]) or "none"
            raise ToolError(f"{path}: one clock is needed, found {clocks}")
        ((clock, fmax),) = report["fmax"].items()
        edge = f"posedge {clock}"
        path_ = next(each["path"] for each in report["critical_paths"] if (each["from"], each["to"]) == (edge, edge))
        wires = sum(step["delay"] for step in path_ if step["type"] == "routing")
        total = sum(step["delay"] for step in path_)
        used = {kind: (row["used"], row["available"]) for kind, row in report["utilization"].items() if row["used"]}
        ends = path_[0]["from"]["cell"], path_[-1]["to"]["cell"]
        return Timing(round(fmax["achieved"], 2), *ends, round(total - wires, 3), round(wires, 3), used)
    except (OSError, ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
        raise ToolError(f"{path} is not the report of nextpnr that is expected: {error!r}") from None
