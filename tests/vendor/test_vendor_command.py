"""What ``fpgaq vendor`` writes, runs and shows; the tools are programs that leave stored reports, as theirs are."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from keras_models import dense, sequential
from typer.testing import CliRunner, Result

import fpgaq
from fpgaq.cli import app

DATA = Path(__file__).parent / "data"
_TOOL = """\
#!{python}
import pathlib, shutil, sys
pathlib.Path("arguments").write_text(" ".join(sys.argv[1:]))
if pathlib.Path("{fails}").exists():
    sys.exit("ERROR: no licence")
for source, target in {files}.items():
    pathlib.Path(target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
"""


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vendor") / "tiny"
    fpgaq.convert(sequential(dense(3, name="fc"), inputs=(4,)), output=folder, name="tiny")
    return folder


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put_tool(tools: Path, name: str, files: dict[str, str]) -> None:
    files = {str(DATA / source): target for source, target in files.items()}
    path = tools / name
    path.write_text(_TOOL.format(python=sys.executable, files=files, fails=tools / "fails"))
    path.chmod(0o755)


def put_tools(tools: Path) -> None:
    put_tool(tools, "vivado", {"utilization_xc7.rpt": "utilization.rpt", "timing.rpt": "timing.rpt"})
    put_tool(tools, "vitis_hls", {"csynth.xml": "tiny_prj/solution1/syn/report/tiny_csynth.xml"})


def vendor(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["vendor", *map(str, arguments)], catch_exceptions=False)


def test_without_tools_the_scripts_are_written(converted: Path, tools: Path) -> None:
    result = vendor(converted)
    assert result.exit_code == 0
    assert "vivado is not on PATH" in result.stdout
    assert "vitis-run is not on PATH" in result.stdout
    folder = converted / "vendor"
    script = (folder / "vivado" / "run.tcl").read_text()
    sources = [line.strip() for line in script.splitlines() if line.endswith(".sv")]
    assert sorted((folder / "vivado" / source).resolve() for source in sources) == sorted((converted / "rtl").iterdir())
    assert "-top tiny -part xc7z020clg400-1" in script
    assert "route_design" not in script
    assert (folder / "vivado" / "clock.xdc").read_text() == "create_clock -name aclk -period 5 [get_ports aclk]\n"
    assert 'set part "xc7z020clg400-1"' in (folder / "vitis_hls" / "project.tcl").read_text()
    assert 'set part "xcvu13p' in (converted / "hls" / "project.tcl").read_text()
    assert not (folder / "found.json").exists()


def test_tools_on_path_are_run(converted: Path, tools: Path) -> None:
    put_tools(tools)
    result = vendor(converted, "--part", "xc7a35tcpg236-1", "--place-and-route")
    assert result.exit_code == 0, result.output
    folder = converted / "vendor"
    assert (folder / "vivado" / "arguments").read_text() == "-mode batch -nojournal -source run.tcl"
    assert (folder / "vitis_hls" / "arguments").read_text() == "-f build_prj.tcl"
    assert "route_design" in (folder / "vivado" / "run.tcl").read_text()
    found = json.loads((folder / "found.json").read_text())
    assert found["part"] == "xc7a35tcpg236-1"
    assert found["vivado"]["lut"] == 6301
    assert found["vitis_hls"]["latency_cycles"] == 9
    assert all(word in result.stdout for word in ("6301", "219.2", "9120", "Vitis HLS"))


def test_nothing_runs_when_it_shall_not(converted: Path, tools: Path) -> None:
    put_tools(tools)
    result = vendor(converted, "--no-run")
    assert result.exit_code == 0
    assert not (converted / "vendor" / "vivado" / "arguments").exists()
    assert "nothing is run" in result.stdout


def test_a_tool_that_fails_is_an_error_with_its_log(converted: Path, tools: Path) -> None:
    put_tools(tools)
    (tools / "fails").touch()
    result = vendor(converted)
    assert result.exit_code == 2
    assert "Vivado failed with exit code 1" in result.stderr
    assert "ERROR: no licence" in result.stderr
    assert not (converted / "vendor" / "found.json").exists()


@pytest.mark.parametrize("part", ["", "a b", "-part", 'x"; exec rm'])
def test_parts_that_cannot_be_are_refused(converted: Path, part: str) -> None:
    result = vendor(converted, f"--part={part}")
    assert result.exit_code == 2
    assert "is no name of a part" in result.stderr


def test_other_families_are_refused(converted: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(converted, tmp_path / "copy", ignore=shutil.ignore_patterns("vendor"))
    design = json.loads((copy / "design.json").read_text())
    design["options"]["family"] = "ice40"
    (copy / "design.json").write_text(json.dumps(design))
    result = vendor(copy)
    assert result.exit_code == 2
    assert "do not build for ice40" in result.stderr
    assert not (copy / "vendor").exists()
