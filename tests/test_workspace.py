"""Output folders are complete or not there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fpgaq.errors import ConfigError
from fpgaq.workspace import MARKER, building


def build(output: Path, text: str) -> None:
    with building(output) as partial:
        (partial / MARKER).write_text(text)
        (partial / "sub").mkdir()
        (partial / "sub" / text).write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_build_appears_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "er" / "out"
    with building(output) as partial:
        (partial / MARKER).write_text("x")
        assert not output.exists()
        assert partial.parent == output.parent
    assert names(output) == [MARKER]
    assert names(output.parent) == ["out"]
    assert output.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with building(tmp_path / "out") as partial:
            (partial / "file").write_text("x")
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == []


def test_an_exception_keeps_the_old_build(tmp_path: Path) -> None:
    build(tmp_path / "out", "old")

    def fail() -> None:
        with building(tmp_path / "out"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "out" / MARKER).read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_a_new_build_replaces_an_old_one_whole(tmp_path: Path) -> None:
    build(tmp_path / "out", "old")
    with building(tmp_path / "out") as partial:
        (partial / MARKER).write_text("new")
        assert (tmp_path / "out" / MARKER).read_text() == "old"
        assert (tmp_path / "out" / "sub" / "old").exists()
    assert names(tmp_path / "out") == [MARKER]
    assert (tmp_path / "out" / MARKER).read_text() == "new"
    assert names(tmp_path) == ["out"]


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    build(tmp_path / "out", "new")
    assert (tmp_path / "out" / MARKER).read_text() == "new"


def test_a_foreign_folder_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="holds something else than a build; choose another one or empty it"):
        build(tmp_path, "x")
    assert names(tmp_path) == ["thesis.tex"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(ConfigError, match=r"the output folder .*out is a file; choose another one"):
        build(tmp_path / "out", "x")
    assert (tmp_path / "out").read_text() == "x"


@pytest.mark.parametrize("below", ["file/out", "file/deep/out"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"cannot write to .*; choose another output folder"):
        build(tmp_path / below, "x")


def test_the_kernels_folder_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot write to /proc"):
        build(Path("/proc/fpgaq/out"), "x")


def test_two_builds_into_one_folder_are_refused(tmp_path: Path) -> None:
    with building(tmp_path / "out") as partial:
        (partial / MARKER).write_text("first")
        with pytest.raises(ConfigError, match=r"another build is writing .*out; wait for it or choose another"):
            build(tmp_path / "out", "second")
        build(tmp_path / "other", "beside")
    assert (tmp_path / "out" / MARKER).read_text() == "first"
    build(tmp_path / "out", "third")
    assert (tmp_path / "out" / MARKER).read_text() == "third"


def test_builds_of_other_threads_are_refused_too(tmp_path: Path) -> None:
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            build(tmp_path / "out", "second")
        except ConfigError as error:
            outcomes.append(str(error))

    with building(tmp_path / "out"):
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert len(outcomes) == 1
    assert "another build" in outcomes[0]


def test_a_relative_folder_stays_where_it_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training scripts change the working directory."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with building(Path("out")) as partial:
        (partial / MARKER).write_text("x")
        os.chdir(tmp_path / "elsewhere")
    assert (tmp_path / "out" / MARKER).exists()
