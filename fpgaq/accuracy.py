"""The share of right classes, and the labels that say which are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fpgaq.design import Design
from fpgaq.errors import ConfigError
from fpgaq.ir.graph import Graph
from fpgaq.stimuli import load_array


def load_labels(path: Path, graph: Graph, count: int) -> np.ndarray:
    """Read the class labels of so many inputs.

    Raises
    ------
    ConfigError
        If there are more or fewer, they are no integers, or the model has several outputs.
    """
    if len(graph.outputs) > 1:
        raise ConfigError(f"{path}: labels belong to one output, the model has several; leave them out")
    return read_labels(path, count)


def read_labels(path: Path, count: int) -> np.ndarray:
    """Read the class labels of so many inputs, of a model that has one output.

    Raises
    ------
    ConfigError
        If there are more or fewer, or they are no integers.
    """
    found = load_array(path)
    if isinstance(found, dict):
        raise ConfigError(f"{path}: labels are one array; give a .npy file")
    labels = found.reshape(-1)
    if len(labels) != count:
        hint = "; give class numbers, not one-hot rows" if found.ndim == 2 and len(found) == count else ""
        raise ConfigError(f"{path}: {len(labels)} labels for {count} inputs{hint}")
    if labels.dtype.kind not in "iubf":
        raise ConfigError(f"{path}: labels are integers, class numbers from 0, not values of type {labels.dtype}")
    wrong = labels[~(np.isfinite(labels) & (labels == np.floor(labels)))]
    if wrong.size:
        raise ConfigError(f"{path}: labels are integers, class numbers from 0, not {wrong[0]}")
    return labels.astype(np.int64)


def accuracy_of(design: Design, values: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of right classes, 0 to 1, among outputs of a design: codes or values, (samples, size)."""
    if design.options.head == "argmax":
        return float(np.mean(values[: len(labels), 0] == labels))
    return share_of_right(values, labels)


def share_of_right(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of samples whose largest score, or the sign of the only one, is that of their label."""
    scores = scores[: len(labels)]
    predicted = scores.argmax(1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)
    return float(np.mean(predicted == labels))
