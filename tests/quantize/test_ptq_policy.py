"""Bits chosen by a policy on the way to rounding: within the average, better than equal bits, said and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import sequential
from typer.testing import CliRunner

from fpgaq.cli import app
from fpgaq.errors import ConfigError, ModelError
from fpgaq.quantize.ptq.policy import Chosen, Policy
from fpgaq.quantize.ptq.post_training import RoundedLayer, quantized
from fpgaq.quantize.ptq.settings import Settings

K = keras.layers
X = np.random.default_rng(0).normal(size=(60, 6)).astype("float32")


def network() -> Any:
    """Layer `a` hardly matters: what comes of it is small beside the bias of the next layer."""
    model = sequential(K.Dense(6, activation="relu", name="a"), K.Dense(6, name="b"), K.Dense(4, name="c"))
    model.get_layer("b").kernel.assign(0.01 * model.get_layer("b").kernel)
    return model


def outcome(policy: Policy, settings: Settings) -> tuple[Chosen, list[RoundedLayer]]:
    told: list[Chosen] = []
    layers: list[RoundedLayer] = []
    quantized(network(), X, settings, layers.append, policy=policy, told=told.append)
    return told[0], layers


@pytest.mark.parametrize(
    ("name", "average", "format_"),
    [
        ("kl", 4.0, None),
        ("kl", 3.5, "pwlq"),
        ("mse", 4.0, "pot"),
        ("lossy-coding-length", 3.0, None),
        ("ompq", 5.0, None),
    ],
)
def test_a_policy_gives_bits_within_the_average(name: str, average: float, format_: str | None) -> None:
    choice, layers = outcome(Policy(name, average), Settings("nearest", None, {}, format=format_))
    assert {layer.name: layer.grid.bits for layer in layers} == dict(choice.bits)
    sizes = {"a": 36, "b": 36, "c": 24}
    assert sum(sizes[k] * bits for k, bits in choice.bits.items()) / 96 == pytest.approx(choice.average)
    assert average - 1 < choice.average <= average
    assert choice.status.startswith("optimal")
    if name == "kl" and format_ is None:
        assert choice.bits["c"] > choice.bits["a"]


def test_a_budget_of_luts_is_taken_by_estimates() -> None:
    choice, layers = outcome(Policy("mse", None, "lut=1200"), Settings("nearest", None, {}))
    assert {layer.name: layer.grid.bits for layer in layers} == dict(choice.bits)
    assert 2 < choice.average < 8


@pytest.mark.parametrize(
    ("policy", "settings", "message"),
    [
        (("kl", 1.5), {}, "weights of 1.5 bits on average are fewer than format int has; use 2 to 8"),
        (("kl", 2.5), {"format": "tapered"}, "fewer than format tapered has; use 3 to 7"),
        (
            ("kl", None, "size=100"),
            {},
            r"no choice of bits is within the budget; the smallest possible is size 192 \(bud",
        ),
        (("kl", None, "size=500"), {"format": "pot"}, "--budget estimates integers, not format pot"),
    ],
)
def test_budgets_that_cannot_be_met_are_refused(
    policy: tuple[Any, ...], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        outcome(Policy(*policy), Settings("nearest", None, {}, **settings))


def test_policies_want_scores_of_classes() -> None:
    model = sequential(K.Conv1D(3, 2, name="a"), inputs=(6, 2))
    with pytest.raises(ModelError, match="a search compares scores of classes"):
        quantized(model, np.ones((20, 6, 2)) * np.arange(20)[:, None, None], Settings("nearest", None, {}),
                  policy=Policy("kl", 4))  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "magic", "--bits", 4], "--policy: 'magic' is unknown; known are kl, ce"),
        (["--policy", "fisher", "--bits", 4], "--policy fisher needs classes of the data; use kl"),
        (["--policy", "kl"], "--policy needs either the average --bits of a weight, or a --budget"),
        (["--policy", "kl", "--bits", 4, "--budget", "lut=9"], "--policy needs either the average --bits"),
        (["--policy", "kl", "--budget", "luts=9"], "--budget: resource 'luts' is unknown"),
        (["--policy", "kl", "--bits", 4, "--layer-bits", "b.yaml"], "leave --layer-bits out"),
        (["--bits", 4, "--budget", "lut=9"], "--budget belongs to --policy NAME"),
        (["--bits", 3.5], "weights of 3.5 bits in format int; use 2 to 16"),
    ],
)
def test_policies_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[Any], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b.yaml").write_text("a: 3\n")
    call = ["quantize", "no.keras", "--calibration", "x.npy", "-o", "q.keras", *map(str, arguments)]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_choice_is_printed(tmp_path: Path) -> None:
    network().save(tmp_path / "float.keras")
    np.save(tmp_path / "x.npy", X)
    call = ["quantize", str(tmp_path / "float.keras"), "--calibration", str(tmp_path / "x.npy"), "--policy", "mse"]
    result = CliRunner().invoke(app, [*call, "--bits", "3.5", "--method", "nearest", "-o", str(tmp_path / "q.keras")])
    assert result.exit_code == 0, result.stderr
    assert "bits: a 4, b 2, c 5; 3.5 on average, optimal (HiGHS)" in result.stderr
