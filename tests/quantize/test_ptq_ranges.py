"""Ranges of activations: powers of two from values on calibration data, and running ones over batches."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaq.errors import ConfigError
from fpgaq.quantize.ranges import RANGES, Running


@pytest.mark.parametrize(("ranges", "integer"), [("mse", -1), ("percentile", -1), ("ema", 3), ("max", 7)])
def test_an_outlier_in_many_values(ranges: str, integer: int) -> None:
    """An outlier of 100 in values below a half; in one of ten batches it is worth a tenth, and less in later ones."""
    values = np.random.default_rng(1).uniform(0, 0.5, (320, 125))
    values[200, 0] = 0.6 if ranges == "mse" else 100.0
    assert RANGES[ranges](values, 6, 0) == integer


@pytest.mark.parametrize(("bits", "integer"), [(2, 1), (8, 2)])
def test_divergence_cuts_off_more_where_steps_are_few(bits: int, integer: int) -> None:
    values = np.abs(np.random.default_rng(2).laplace(0, 0.35, 50000))
    assert values.max() > 3
    assert RANGES["kl"](np.where(values < 0.05, 0.0, values), bits, 0) == integer


@pytest.mark.parametrize("ranges", list(RANGES))
def test_zeros_and_a_single_value_have_ranges(ranges: str) -> None:
    assert RANGES[ranges](np.zeros((50, 2)), 4, 0) == 0
    assert -4 <= RANGES[ranges](np.full((50, 2), 0.75), 4, 0) <= 0


def test_in_hindsight_is_the_running_mean_one_batch_later() -> None:
    batches = np.random.default_rng(3).normal(size=(12, 40))
    now, before = Running(0.8), Running(0.8, hindsight=True)
    seen = [(now.observe(batch), before.observe(batch)) for batch in batches]
    assert seen[0][0] == seen[0][1] == np.abs(batches[0]).max()
    assert [late for _, late in seen[1:]] == [soon for soon, _ in seen[:-1]]
    assert now.limit == before.limit == seen[-1][0]
    expected = np.abs(batches[0]).max()
    for batch in batches[1:]:
        expected = 0.8 * expected + 0.2 * np.abs(batch).max()
    assert now.limit == pytest.approx(expected)


def test_a_running_range_that_forgets_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="a share of 0 to below 1 of itself, not 1"):
        Running(1.0)
    assert Running().limit == 0.0
