"""The file of a sweep: rows stay, a cut one is dropped, and one process writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaq.errors import ConfigError
from fpgaq.explore.table import Table

ROW = {"bits": "4", "lut": "100"}


def table(path: Path) -> Table:
    return Table(path, ["bits"], ["lut"])


def test_rows_stay(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "sweep.csv"
    with table(path) as first:
        first.add(ROW)
        first.add({"bits": "5", "error": 'layer "a", or\nanother'})
    with table(path) as second:
        assert second.rows == [{**ROW, "error": ""}, {"bits": "5", "lut": "", "error": 'layer "a", or\nanother'}]
        assert second.has({"bits": "5"})
        assert not second.has({"bits": "6"})


def test_a_row_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    with table(path) as first:
        first.add(ROW)
        first.add({"bits": "5", "lut": "200"})
    path.write_text(path.read_text()[:-3])
    with table(path) as second:
        assert second.rows == [{**ROW, "error": ""}]
        second.add({"bits": "6", "lut": "300"})
    assert path.read_text() == "bits,lut,error\n4,100,\n6,300,\n"


def test_two_sweeps_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    with table(path), pytest.raises(ConfigError, match="being written by another sweep"), table(path):
        pass


def test_another_table_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="its columns are a, b"), table(path):
        pass
    assert path.read_text() == "a,b\n1,2\n"
    with pytest.raises(ConfigError, match="its columns are a, b"), table(path):  # the lock was given back
        pass
