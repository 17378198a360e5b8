"""One design of a sweep: quantized, lowered, its accuracy as hardware and what it will take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fpgaq.errors import FpgaqError
from fpgaq.explore.points import Point

#: What is found out about a design.
FIGURES = ("accuracy", "lut", "lut_error", "ff", "dsp", "bram18", "latency", "ii", "seconds")


@dataclass(frozen=True)
class Task:
    """What all designs of a sweep have in common; it is sent to the workers, which need the files at the same paths.

    Parameters
    ----------
    model : Path
        Model file.
    inputs, labels : Path
        Data on which accuracy is measured.
    calibration : Path
        Data that set the ranges of activations.
    options : dict
        Options of the conversion.
    epochs : int
        Epochs of training behind the quantization, on the calibration data.
    calibration_labels : Path or None
        Classes of the calibration data, which training needs.
    """

    model: Path
    inputs: Path
    labels: Path
    calibration: Path
    options: dict[str, Any]
    epochs: int = 0
    calibration_labels: Path | None = None


def evaluate(task: Task, point: Point) -> dict[str, str]:
    """Return the row of a design; what goes wrong with it stands in the column ``error``."""
    started = time.perf_counter()
    try:
        found = _figures(task, point)
    except FpgaqError as problem:
        found = {"error": str(problem)}
    return {**point.to_row(), **found, "seconds": f"{time.perf_counter() - started:.2f}"}


def _figures(task: Task, point: Point) -> dict[str, str]:
    from fpgaq.accuracy import accuracy_of, load_labels
    from fpgaq.config import make_options
    from fpgaq.conversion import lower
    from fpgaq.estimate.estimate import estimate
    from fpgaq.frontend.flatten import flattened
    from fpgaq.frontend.load import load_model
    from fpgaq.quantize.requantize import requantized
    from fpgaq.stimuli import load_array, real_codes

    calibration = np.asarray(load_array(task.calibration))
    model = requantized(flattened(load_model(task.model)), point.choice, calibration)
    if task.epochs and task.calibration_labels is not None:
        train(model, calibration, np.load(task.calibration_labels), task.epochs)
    options = make_options({**task.options, "reuse_factor": point.reuse})
    design = lower(model, "point", options, Path("unused"))
    codes = real_codes(design.graph, load_array(task.inputs), str(task.inputs))
    labels = load_labels(task.labels, design.graph, len(codes))
    accuracy = accuracy_of(design, design.golden(codes, raw=True), labels)
    cost = estimate(design.hardware)
    figures = {name: getattr(cost.total, name) for name in ("lut", "ff", "dsp", "bram18")}
    return {
        "accuracy": f"{accuracy:.4f}",
        **{name: str(figure.to_json()["value"]) for name, figure in figures.items()},
        "lut_error": str(figures["lut"].to_json()["error"]),
        "latency": str(cost.latency),
        "ii": str(cost.ii),
    }


def train(model: Any, x: np.ndarray, y: np.ndarray, epochs: int) -> None:
    """Train a model of scores of classes, always the same way."""
    import keras

    from fpgaq.quantize.training.loss import last_activation

    keras.utils.set_random_seed(0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=last_activation(model) != "softmax")
    model.compile(keras.optimizers.Adam(1e-3), loss)
    model.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
