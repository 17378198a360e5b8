"""A sweep on real workers: rows, errors that are rows, a killed worker, and going on after a stop."""

from __future__ import annotations

import csv
import os
import signal
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from fpgaq.cli import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model of two classes, and data."""
    folder = tmp_path_factory.mktemp("sweep")
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(1).normal(size=(300, 6)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    layers = [keras.layers.Dense(6, activation="relu", name="a"), keras.layers.Dense(2, name="b")]
    model = keras.Sequential([keras.Input((6,), name="x"), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    model.fit(x, y, epochs=5, verbose=0)
    model.save(folder / "model.keras")
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return folder


def call(folder: Path, *arguments: object) -> Result:
    data = ["--inputs", folder / "x.npy", "--labels", folder / "y.npy", "--input-precision", "fixed<8,3>"]
    return CliRunner().invoke(app, list(map(str, ["sweep", folder / "model.keras", *data, *arguments])))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_worker_that_dies_and_a_point_that_fails_do_not_end_it(folder: Path) -> None:
    """Of two local workers one is killed; a reuse factor that does not divide is the error of its row."""
    output, killed = folder / "sweep.csv", []

    def kill_one() -> None:
        while not killed:
            workers = [p for p in _children(os.getpid()) if "spawn_main" in _command(p)]
            if workers and output.is_file() and len(rows(output)) >= 1:
                os.kill(workers[0], signal.SIGKILL)
                killed.append(workers[0])
            time.sleep(0.2)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    result = call(folder, "-o", output, "--weights", "3,6", "--reuse", "1,2,7", "--jobs", 2)
    killer.join(10)
    assert killed
    found = rows(output)
    assert result.exit_code == 1, result.output
    assert len(found) == 6
    failed = [row for row in found if row["error"]]
    assert {row["reuse"] for row in failed} == {"7"}
    assert "reuse factor" in failed[0]["error"]
    good = [row for row in found if not row["error"]]
    assert all(float(row["accuracy"]) > 0.8 and int(row["lut"]) > 0 for row in good)
    before = output.read_text()
    again = call(folder, "-o", output, "--weights", "3,6", "--reuse", "1,2,7", "--jobs", 2)
    assert again.exit_code == 1
    assert output.read_text() == before  # every row was there


@pytest.mark.extended
def test_training_behind_the_quantization(folder: Path) -> None:
    output = folder / "trained.csv"
    data = ["--calibration", folder / "x.npy", "--calibration-labels", folder / "y.npy", "--finetune", 3]
    assert call(folder, "-o", output, "--formats", "ternary", "--weights", 2, *data, "--jobs", 1).exit_code == 0
    assert float(rows(output)[0]["accuracy"]) > 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "8..2"], "the range '8..2' is empty"),
        (["--finetune", 1], "--finetune needs"),
        (["--jobs", 0], "at least one worker"),
        (["--calibration", "no.npy"], "no.npy does not exist"),
        (["--scheduler", "tcp://127.0.0.1:9"], "no dask scheduler answers at 'tcp://127.0.0.1:9'"),
    ],
)
def test_wrong_use_is_an_error(folder: Path, arguments: list[object], message: str, tmp_path: Path) -> None:
    result = call(folder, "-o", tmp_path / "sweep.csv", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr


def _children(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *_children(child)]
    return found


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode()
    except OSError:
        return ""
