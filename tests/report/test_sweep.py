"""Tables of sweeps: reading, refusing, and the designs that no other beats."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaq.errors import ConfigError
from fpgaq.report.sweep import Point, load_sweep, pareto


def test_a_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    path.write_text('bits,accuracy,lut,error,method\n4,0.9,100,,"a, b"\n2,,,"no, it failed",x\n3,0.5,50,,y\n')
    points, failed = load_sweep(path)
    assert points == [Point({"bits": "4", "method": "a, b"}, 0.9, 100), Point({"bits": "3", "method": "y"}, 0.5, 50)]
    assert failed == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "no column 'accuracy'"),
        (b"accuracy,error\n1,\n", "no column 'lut'"),
        (b"accuracy,lut,error\n", "no design that could be built"),
        (b"accuracy,lut,error\n,,failed\n", "no design that could be built"),
        (b"accuracy,lut,error\n0.5,9,\n0.5,many,\n", "line 3: lut is 'many'"),
        (b"accuracy,lut,error\nnan,9,\n", "line 2: accuracy is 'nan'"),
        (b"accuracy,error,lut\n0.5,\n", "line 2: lut is None"),
        (b"accuracy,lut,error\n0.5,9,,7\n", "line 2 has more cells"),
        (b"\xff\xfe", "is not the table of a sweep"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "sweep.csv"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=message):
        load_sweep(path)
    with pytest.raises(ConfigError, match=r"none\.csv is not the table"):
        load_sweep(tmp_path / "none.csv")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_the_front_is_what_no_other_beats(figures: list[tuple[int, int]]) -> None:
    points = [Point({}, accuracy, lut) for accuracy, lut in figures]

    def beaten(point: Point) -> bool:
        return any(
            other.lut <= point.lut and other.accuracy >= point.accuracy and other[1:] != point[1:] for other in points
        )

    front = pareto(points)
    assert {point[1:] for point in front} == {point[1:] for point in points if not beaten(point)}
    assert front == sorted(front, key=lambda point: (point.lut, point.accuracy))
    assert len({point[1:] for point in front}) == len(front)
