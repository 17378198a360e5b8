"""Ranges and grids of a sweep."""

from __future__ import annotations

import pytest

from fpgaq.errors import ConfigError
from fpgaq.explore.points import Point, grid, numbers


@pytest.mark.parametrize(
    ("text", "wanted"), [("4", [4]), ("2..5", [2, 3, 4, 5]), ("1,2,4", [1, 2, 4]), ("2..4,3,8", [2, 3, 4, 8])]
)
def test_ranges(text: str, wanted: list[int]) -> None:
    assert numbers(text, "--weights") == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [("8..2", "the range '8..2' is empty"), ("a", "'a' is no range"), ("", "no range"), ("2..", "no")],
)
def test_wrong_ranges(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        numbers(text, "--weights")


def test_formats_of_one_width_come_once() -> None:
    points = grid(["int", "ternary"], [2, 3], [4], [1, 2])
    assert points == [
        *(Point("int", bits, 4, reuse) for bits in (2, 3) for reuse in (1, 2)),
        *(Point("ternary", 2, 4, reuse) for reuse in (1, 2)),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["int", "float"], [4], [4], [1]), "format 'float' is unknown; known are int, pot, ternary, binary"),
        ((["int"], [1], [4], [1]), "weights of 1 bits in format int; use 2 to 16"),
        ((["pot"], [8], [4], [1]), "weights of 8 bits in format pot; use 2 to 6"),
        ((["int"], [4], [0], [1]), "activations of 0 bits"),
        ((["int"], [4], [4], [0]), "0 is no reuse factor"),
    ],
)
def test_what_does_not_exist_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        grid(*arguments)
