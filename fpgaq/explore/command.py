"""``fpgaq sweep``: which designs, on which data, and what is said about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from fpgaq.config import load_design
from fpgaq.errors import ConfigError
from fpgaq.explore.evaluate import Task
from fpgaq.explore.points import grid, numbers
from fpgaq.explore.sweep import sweep

#: Options of the command that are options of the conversion.
_OPTIONS = ("input_precision", "family", "clock_period")


def run_sweep(given: dict[str, Any], console: Console) -> int:
    """Run a sweep; return 1 if a design had an error.

    Raises
    ------
    ConfigError
        If data are missing, a range is empty, or an option is wrong.
    """
    if given["jobs"] < 1:
        raise ConfigError(f"--jobs {given['jobs']}: at least one worker is needed")
    formats = [name.strip() for name in given["formats"].split(",")]
    ranges = [numbers(given[what], f"--{what}") for what in ("weights", "activations", "reuse")]
    points = grid(formats, *ranges)
    task = _task(given)
    if task.epochs and task.calibration_labels is None:
        raise ConfigError("--finetune needs --calibration and --calibration-labels: data to train on")
    failed = sweep(task, points, given["output"], console, jobs=given["jobs"], scheduler=given["scheduler"])
    console.print(
        f"{len(points)} designs in {given['output']}, {failed} of them with an error. "
        f"`fpgaq report DIR --html --sweep {given['output']}` plots them.",
        highlight=False,
    )
    return int(failed > 0)


def _task(given: dict[str, Any]) -> Task:
    target: Path = given["target"]
    options = {name: given[name] for name in _OPTIONS}
    model, inputs, labels = target, given["inputs"], given["labels"]
    if target.is_dir():
        config = load_design(target)
        model, inputs, labels = config.model, inputs or config.inputs, labels or config.labels
        options = {name: getattr(config, name) for name in _OPTIONS}
    if inputs is None or labels is None:
        raise ConfigError("a sweep measures accuracy: give --inputs and --labels")
    calibration = given["calibration"] or inputs
    files = [model, inputs, labels, calibration, given["calibration_labels"]]
    for path in files:
        if path is not None and not path.is_file():
            raise ConfigError(f"{path} does not exist")
    model, inputs, labels, calibration, classes = (path and path.resolve() for path in files)
    return Task(model, inputs, labels, calibration, options, given["finetune"], classes)
