"""Budgets as they are typed, and what is said when nothing is within them or something is above."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaq.errors import ConfigError
from fpgaq.explore.budget import nothing_fits, parse_budget
from fpgaq.explore.problem import Problem
from fpgaq.explore.search_command import above_budget


def test_budgets() -> None:
    assert parse_budget("lut=5000, dsp=0", 12) == {"lut": 5000, "dsp": 0, "latency": 12}
    assert parse_budget("", 12) == {"latency": 12}


@pytest.mark.parametrize(
    ("text", "latency", "message"),
    [
        ("luts=5", None, "resource 'luts' is unknown; known are lut, ff, dsp, bram18, lutram, size, latency"),
        ("lut=5,lut=6", None, "lut has two budgets"),
        ("latency=5", 6, "latency has two budgets"),
        ("lut", None, "'lut' is no budget; write lut=5000"),
        ("lut=-5", None, "'lut=-5' is no budget"),
        ("lut=many", None, "'lut=many' is no budget"),
        ("", None, "there is no budget"),
    ],
)
def test_wrong_budgets(text: str, latency: int | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_budget(text, latency)


def test_what_would_be_possible_is_said() -> None:
    costs = {"lut": [np.array([5, 9]), np.array([7, 3])], "dsp": [np.array([2, 0]), np.array([0, 1])]}
    damage = costs["lut"]
    short = Problem(damage, costs, {"lut": 7, "dsp": 3})
    assert "the smallest possible is lut 8 (budget 7)" in str(nothing_fits([short]))
    together = Problem(damage, costs, {"lut": 8, "dsp": 0})
    assert "each for itself can be lut 8, dsp 0" in str(nothing_fits([together]))


def test_what_was_built_is_above_only_outside_of_the_error() -> None:
    limits = {"lut": 100, "latency": 5}
    assert above_budget(limits, {"lut": 10}, {"lut": 110, "latency": 5}) == []
    assert above_budget(limits, {"lut": 10}, {"lut": 111, "latency": 6}) == ["lut", "latency"]
