"""`fpgaq search` as it is typed: a whole one with its build, what comes without one, and wrong use."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner, Result

from fpgaq.cli import app
from fpgaq.config import make_options
from fpgaq.estimate.estimate import Estimate, Figure, Resources
from fpgaq.explore import costs
from fpgaq.explore.network import Data
from fpgaq.explore.space import measured_space
from fpgaq.frontend.load import load_model
from fpgaq.quantize.requantize import Choice


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model of two classes, and data."""
    folder = tmp_path_factory.mktemp("search")
    keras.utils.set_random_seed(1)
    x = np.round(np.random.default_rng(1).normal(size=(300, 6)) * 8) / 8
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)
    layers = [keras.layers.Dense(6, activation="relu", name="a"), keras.layers.Dense(5, activation="relu", name="b")]
    model = keras.Sequential([keras.Input((6,), name="x"), *layers, keras.layers.Dense(2, name="c")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    model.fit(x, y, epochs=8, verbose=0)
    model.save(folder / "model.keras")
    np.save(folder / "x.npy", x[:200])
    np.save(folder / "y.npy", y[:200])
    np.save(folder / "calibration.npy", x[200:])
    np.save(folder / "classes.npy", y[200:])
    np.save(folder / "nan.npy", np.full((3, 6), np.nan))
    np.save(folder / "wide.npy", np.zeros((3, 7)))
    np.save(folder / "third.npy", np.full(200, 2))
    return folder


def call(folder: Path, *arguments: object) -> Result:
    fixed = ["search", folder / "model.keras", "--input-precision", "fixed<7,4>"]
    return CliRunner().invoke(app, list(map(str, [*fixed, *arguments])))


def data(folder: Path) -> list[object]:
    return ["--calibration", folder / "calibration.npy", "--inputs", folder / "x.npy", "--labels", folder / "y.npy"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_winner_is_built(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ["--budget", "lut=420,dsp=0", "--weights", "2,4", "--formats", "int,ternary", "-o", output]
    arguments += ["--activations", "3,4"]
    result = call(folder, *data(folder), *arguments)
    assert result.exit_code == 0, result.output + result.stderr
    assert "solver milp: optimal (HiGHS)" in result.output
    choice = yaml.safe_load((output / "choice.yaml").read_text())
    assert choice["estimate"]["lut"] <= 420
    assert choice["built"]["lut"] <= 420 + choice["error"]["lut"]
    assert choice["built"]["latency"] == choice["estimate"]["latency"]
    assert (output / "build" / "report.json").is_file()
    table = rows(output / "candidates.csv")
    assert [float(row["loss"]) for row in table] == sorted(float(row["loss"]) for row in table)
    assert {"kl", "uniform", "random"} <= {row["source"] for row in table}
    assert all(row["accuracy"] for row in table)
    (chosen,) = (row for row in table if row["chosen"])
    assert (chosen["estimate"], chosen["fits"]) == ("whole", "yes")
    assert all(int(row["lut"]) <= 420 for row in table if row["fits"] == "yes")
    model = load_model(output / "model.keras")
    for name, stored in choice["layers"].items():
        quantizer = model.get_layer(name).kernel_quantizer_internal
        assert type(quantizer).__name__ == {"int": "quantized_bits", "ternary": "TernaryWeights"}[stored["format"]]
        assert stored["format"] == "ternary" or quantizer.bits == stored["weights"]
        assert stored["activations"] == (None if name == "c" else model.get_layer(name).activation.bits)
    assert {"3", "4", "3..4"} == {row["activations"] for row in table}


def test_fast_costs_are_corrected_where_the_full_ones_are_known(folder: Path) -> None:
    """The choice in the middle costs what it does in full, the others nearly, and counted resources exactly."""
    model, x = load_model(folder / "model.keras"), np.load(folder / "calibration.npy")
    choices = [Choice("int", bits, 4) for bits in (3, 4, 5)]
    options = make_options({"input_precision": "fixed<7,4>"})
    full, fast = (measured_space(model, choices, Data(x), options, fast=fast).costs for fast in (False, True))
    for name, layers in full.items():
        for layer, told in zip(layers, fast[name], strict=True):
            assert layer[1] == told[1], name
            if name in ("lut", "size", "dsp"):
                assert np.abs(layer - told).max() <= (0.4 * layer.max() if name == "lut" else 0), name


@pytest.mark.extended
def test_one_budget_of_bits_over_activations(folder: Path, tmp_path: Path) -> None:
    """Without a build; the bits of weights are exactly those of the choice, and a folder of a search is replaced."""
    output = tmp_path / "out"
    arguments = ["--budget", "size=200", "--weights", "2,4", "--activations", "2,4", "--no-build", "-o", output]
    for solver in ("dp", "evolution"):
        labels = ["--calibration-labels", folder / "classes.npy", "--policy", "ompq"]
        result = call(folder, *data(folder), *labels, *arguments, "--solver", solver, "--evaluations", 20)
        assert result.exit_code == 0, result.output + result.stderr
        choice = yaml.safe_load((output / "choice.yaml").read_text())
        counts = {"a": 36, "b": 30, "c": 10}
        size = sum(counts[name] * stored["weights"] for name, stored in choice["layers"].items())
        assert choice["estimate"]["size"] == size <= 200
        assert choice["built"] is None
        assert any("beta" in status for status in choice["status"])
        assert {row["activations"] for row in rows(output / "candidates.csv")} == {"2", "4"}


@pytest.mark.extended
def test_finalists_are_trained(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    labels = ["--calibration-labels", folder / "classes.npy", "--finetune", 3]
    result = call(folder, *data(folder), *labels, "--budget", "lut=300", "--weights", "2,3", "--no-build", "-o", output)
    assert result.exit_code == 0, result.output + result.stderr
    table = rows(output / "candidates.csv")
    assert 1 <= sum("3 epochs" in row["source"] for row in table) <= 3
    assert yaml.safe_load((output / "choice.yaml").read_text())["epochs"] == 3


@pytest.mark.extended
def test_an_estimate_that_is_far_too_low_is_noticed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a quarter of the LUTs are estimated, so that the network that is built is far above the budget."""
    honest: Callable[..., Estimate] = costs.estimate

    def quarter(*arguments: Any, **options: Any) -> Estimate:
        found = honest(*arguments, **options)
        lut = Figure(found.total.lut.value / 4, found.total.lut.error / 4)
        return Estimate(
            found.family, found.modules, Resources(**{**vars(found.total), "lut": lut}), found.latency, found.ii
        )

    monkeypatch.setattr(costs, "estimate", quarter)
    result = call(folder, *data(folder), "--budget", "lut=120", "--weights", "3,4", "-o", tmp_path / "out")
    assert result.exit_code == 1, result.output + result.stderr
    assert "lut above the budget by more than the error of the estimate" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--policy", "best"],
            "--policy: 'best' is unknown; known are kl, ce, mse, fisher, hessian, nuclear-norm, ompq, lossy",
        ),
        (["--solver", "sat"], "--solver: 'sat' is unknown; known are milp, dp, greedy, clusters, anneal, reinforce"),
        (["--solver", "clusters"], "--solver clusters is the form of --policy lossy-coding-length, not of kl"),
        (["--budget", "gates=3"], "resource 'gates' is unknown; known are lut"),
        (["--latency", "9", "--solver", "dp"], "--solver dp takes one budget, not lut, latency; use milp"),
        (["--weights", "8..2"], "the range '8..2' is empty"),
        (["--formats", "pot", "--weights", "7,8"], "format pot has 2 to 6 bits, none of the range"),
        (["--formats", "float"], "format 'float' is unknown"),
        (["--activations", "0"], "activations of 0 bits"),
        (["--policy", "fisher"], "--policy fisher needs the classes of the calibration data"),
        (["--finetune", "1"], "--finetune needs the classes of the calibration data: give --calibration-labels"),
        (["--calibration", "no.npy"], "no.npy does not exist"),
        (["--calibration", "nan.npy"], "it contains NaN or infinity"),
        (["--calibration", "wide.npy"], "shape [3, 7] does not fit; expected (samples, 6)"),
        (["--inputs", "x.npy", "--labels", "third.npy"], "class 2 does not exist; the model has classes 0 to 1"),
        (["--evaluations", "0"], "--evaluations is 1 or more"),
    ],
)
def test_wrong_use_is_an_error(
    folder: Path, arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    given = ["--budget", "lut=500", "--calibration", "calibration.npy", *arguments, "-o", tmp_path / "out"]
    result = call(folder, *given)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_budget_that_nothing_fulfils_says_what_is_possible(folder: Path, tmp_path: Path) -> None:
    arguments = ["--weights", "2,3", "-o", tmp_path / "out", "--no-build"]
    result = call(folder, *data(folder), "--budget", "lut=9,size=152,dsp=0", *arguments)
    assert result.exit_code == 2, result.output
    assert "no choice of bits is within the budget; the smallest possible is lut " in result.stderr
    assert not (tmp_path / "out").exists()
