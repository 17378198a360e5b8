"""Compiled files that are kept between builds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from fpgaq import compiled
from fpgaq.compiled import compiled as provide
from fpgaq.config import Options
from fpgaq.cosim import simulation as module
from fpgaq.design import Design
from fpgaq.errors import ToolError
from fpgaq.ir import FixedType, Graph
from fpgaq.ir.ops import Input, MatMul


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FPGAQ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Build:
    """Writes a file, and counts."""

    def __init__(self, target: Path, text: str = "program") -> None:
        self.target, self.text, self.runs = target, text, 0

    def __call__(self) -> None:
        self.runs += 1
        self.target.write_text(self.text)
        self.target.chmod(0o755)


def test_builds_once(tmp_path: Path, own_cache: Path) -> None:
    first, second, other = (Build(tmp_path / name) for name in ("first", "second", "other"))
    provide("programs", "a", first.target, first)
    provide("programs", "a", second.target, second)
    provide("programs", "b", other.target, other)
    assert (first.runs, second.runs, other.runs) == (1, 0, 1)
    assert second.target.read_text() == "program"
    assert os.access(second.target, os.X_OK)


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, own_cache: Path) -> None:
    def fails() -> None:
        raise ToolError("no compiler")

    with pytest.raises(ToolError):
        provide("programs", "a", tmp_path / "target", fails)
    assert list((own_cache / "programs").iterdir()) == []
    assert not (tmp_path / "target").exists()


def test_what_was_not_used_for_long_goes_first(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_MOST", 20)
    for age, key in ((30, "old"), (20, "used"), (10, "young")):
        provide("programs", key, tmp_path / key, Build(tmp_path / key, "12345"))
        stamp = (own_cache / "programs" / key).stat().st_mtime - age
        os.utime(own_cache / "programs" / key, (stamp, stamp))
    again = Build(tmp_path / "again")
    provide("programs", "used", again.target, again)
    provide("programs", "new", tmp_path / "new", Build(tmp_path / "new", "1234567"))
    assert again.runs == 0
    assert {path.name for path in (own_cache / "programs").iterdir()} == {"used", "young", "new"}


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        raise FileNotFoundError if target.name.endswith("target.part") else OSError("no space left on device")

    monkeypatch.setattr(compiled.shutil, "copy", full)
    build = Build(tmp_path / "target")
    provide("programs", "a", build.target, build)
    assert build.target.read_text() == "program"


def test_a_model_is_compiled_once_whatever_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Input(name="x", inputs=(), type=FixedType(3, 0, False), layer="x", shape=(2,))
    weight = np.array([[1, -2], [3, 1]])
    named = {"name": "fc", "inputs": ("x",), "layer": "fc", "type": FixedType(6, 0, True)}
    graph = Graph("kept", [source, MatMul(weight=weight, weight_frac=0, bias=np.zeros(2, int), **named)], ("fc",))
    x = np.arange(16).reshape(8, 2) % 8
    designs = [Design(graph, Options(), tmp_path / name) for name in ("first", "second")]
    for design in designs:
        design.write_hardware()
    first = designs[0].simulate(x)
    assert not list((tmp_path / "first").rglob("*.gch"))
    monkeypatch.setattr(module, "compile_model", None)
    second = designs[1].simulate(x)
    assert second.stream.words == first.stream.words
    # Another text is another program.
    (top,) = (path for path in designs[1].sources if path.stem == "kept")
    top.write_text(top.read_text() + "// more\n")
    with pytest.raises(TypeError):
        designs[1].simulate(x)
