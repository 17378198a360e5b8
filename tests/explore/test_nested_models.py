"""Sweeps and searches choose bits of the layers in nested models, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fpgaq.errors import ModelError
from fpgaq.explore.evaluate import Task, evaluate
from fpgaq.explore.network import require_classifier
from fpgaq.explore.points import Point
from fpgaq.explore.search_inputs import search_task


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights in a flat and in a nested model, and data."""
    folder = tmp_path_factory.mktemp("nested")
    keras.utils.set_random_seed(1)
    layers: list[Any] = [keras.layers.Dense(6, activation="relu", name="a"), keras.layers.Dense(3, name="b")]
    keras.Sequential([keras.Input((4,), name="x"), *layers]).save(folder / "flat.keras")
    head = keras.Sequential([keras.Input((6,)), layers[1]], name="head")
    keras.Sequential([keras.Input((4,), name="x"), layers[0], head]).save(folder / "nested.keras")
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", rng.integers(-16, 16, (100, 4)) / 8)
    np.save(folder / "y.npy", rng.integers(0, 3, 100))
    return folder


def test_a_sweep_quantizes_the_layers_of_nested_models(folder: Path) -> None:
    def row(name: str) -> dict[str, str]:
        data = (folder / "x.npy", folder / "y.npy", folder / "x.npy")
        found = evaluate(Task(folder / name, *data, {"input_precision": "fixed<6,3>"}), Point("int", 2, 3, 1))
        return {key: value for key, value in found.items() if key != "seconds"}

    assert "error" not in row("flat.keras")
    assert row("nested.keras") == row("flat.keras")


def test_a_search_chooses_bits_of_the_layers_of_nested_models(folder: Path) -> None:
    given: dict[str, Any] = dict.fromkeys(
        ("latency", "calibration_labels", "inputs", "labels", "folding", "output", "weights_file")
    )
    given |= {"target": folder / "nested.keras", "budget": "size=90", "weights": "2,4", "activations": "4"}
    given |= {"formats": "int", "policy": "kl", "solver": "milp", "calibration": folder / "x.npy", "seed": 0}
    given |= {"evaluations": 10, "finetune": 0, "fast": True, "input_precision": "fixed<6,3>", "reuse_factor": 1}
    given |= {"family": "xc7", "clock_period": 5.0}
    assert [layer.name for layer in search_task(given).model.layers if layer.weights] == ["a", "b"]


def test_names_that_cannot_be_compiled_are_refused() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)], name="my net")
    with pytest.raises(ModelError, match="model 'my net' cannot be compiled by TensorFlow"):
        require_classifier(model)
