"""``fpgaq search``: what was typed, checked before any work starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fpgaq.accuracy import read_labels
from fpgaq.config import Options, load_trained_design, make_options
from fpgaq.conversion import check_options
from fpgaq.errors import ConfigError
from fpgaq.explore.budget import parse_budget
from fpgaq.explore.network import Data, require_classifier
from fpgaq.explore.points import numbers
from fpgaq.explore.policies import LABELLED, POLICIES
from fpgaq.explore.search import Task
from fpgaq.explore.searches import SEARCHES
from fpgaq.explore.solvers import SOLVERS
from fpgaq.explore.solvers.clusters import CLUSTERED, CLUSTERS
from fpgaq.ir.ops import Input
from fpgaq.ir.types import FixedType
from fpgaq.quantize.requantize import Choice, widths
from fpgaq.stimuli import load_array, rounded_codes

_OPTIONS = ("input_precision", "family", "clock_period", "reuse_factor")


def search_task(given: dict[str, Any]) -> Task:
    """Return the task of the command's arguments.

    Raises
    ------
    FpgaqError
        If an argument or a file is wrong.
    """
    limits = parse_budget(given["budget"] or "", given["latency"])
    policy, solver = given["policy"], given["solver"]
    _require_known("policy", policy, list(POLICIES))
    _require_known("solver", solver, [*SOLVERS, CLUSTERS, *SEARCHES])
    if solver == CLUSTERS and policy != CLUSTERED:
        raise ConfigError(f"--solver {CLUSTERS} is the form of --policy {CLUSTERED}, not of {policy}")
    if solver == "dp" and len(limits) > 1:
        raise ConfigError(f"--solver dp takes one budget, not {', '.join(limits)}; use milp")
    if given["evaluations"] < 1 or given["finetune"] < 0:
        raise ConfigError("--evaluations is 1 or more, --finetune 0 or more")
    formats = [name.strip() for name in given["formats"].split(",")]
    layer_choices = choices(formats, numbers(given["weights"], "--weights"))
    activations = numbers(given["activations"], "--activations")
    every = [Choice(format_, bits, width) for width in activations for format_, bits in layer_choices]
    model_file, options = _target(given)
    check_options(options)
    calibration_file = given["calibration"] or options.inputs
    if calibration_file is None:
        raise ConfigError("a search needs data that activations are seen on: give --calibration, or --inputs")
    labels_file = given["calibration_labels"] if given["calibration"] else options.labels
    labelled = [f"--policy {policy}"] if policy in LABELLED else []
    labelled += ["--finetune"] if given["finetune"] else []
    if labelled and labels_file is None:
        needed = "--calibration-labels" if given["calibration"] else "--labels"
        raise ConfigError(f"{labelled[0]} needs the classes of the calibration data: give {needed}")
    if options.labels is not None and options.inputs is None:
        raise ConfigError("--labels need --inputs: give both, or none")
    from fpgaq.frontend.flatten import flattened
    from fpgaq.frontend.load import load_model

    model = flattened(load_model(model_file))
    require_classifier(model)
    calibration = _data(model, options, calibration_file, labels_file)
    test = None
    if options.inputs is not None and options.labels is not None:
        test = _data(model, options, options.inputs, options.labels)
    return Task(
        model,
        options,
        limits,
        every,
        policy,
        solver,
        calibration,
        test,
        given["evaluations"],
        given["finetune"],
        given["seed"],
        given["fast"],
    )


def choices(formats: Sequence[str], bits: Sequence[int]) -> list[tuple[str, int]]:
    """Return formats with bits, few bits first; a format takes those of the bits that it can have, or its only ones.

    Raises
    ------
    ConfigError
        If a format is unknown, or can have none of the bits.
    """
    found = []
    for format_ in dict.fromkeys(formats):
        allowed = widths(format_)
        wanted = [allowed[0]] if len(allowed) == 1 else [b for b in bits if b in allowed]
        if not wanted:
            raise ConfigError(f"--weights: format {format_} has {allowed[0]} to {allowed[-1]} bits, none of the range")
        found += [(format_, b) for b in wanted]
    return sorted(found, key=lambda pair: pair[1])


def _target(given: dict[str, Any]) -> tuple[Path, Options]:
    """Return the model file and the options of its conversion; data on the command line replace those of a folder."""
    target: Path = given["target"]
    data = {name: given[name] for name in ("inputs", "labels") if given[name] is not None}
    if target.is_dir():
        config = load_trained_design(target)
        if "inputs" in data:
            data.setdefault("labels", None)
        return config.model, config.options.model_copy(update={**data, "synth": True})
    return target, make_options({**{name: given[name] for name in _OPTIONS}, **data, "seed": given["seed"]})


def _data(model: Any, options: Options, path: Path, labels: Path | None) -> Data:
    """Read inputs, on the grid of the network's inputs, and their classes."""
    type_, *_ = FixedType.parse(options.input_precision)
    shape = tuple(model.inputs[0].shape[1:])
    node = Input(name=model.inputs[0].name, inputs=(), type=type_, layer="", shape=shape)
    values = load_array(path)
    if isinstance(values, dict):
        raise ConfigError(f"{path}: the model has one input; give a .npy file")
    codes = rounded_codes(node, values, str(path))
    classes = None
    if labels is not None:
        classes = read_labels(labels, len(codes))
        count = max(int(model.outputs[0].shape[-1]), 2)
        if classes.min() < 0 or classes.max() >= count:
            wrong = classes[(classes < 0) | (classes >= count)][0]
            raise ConfigError(f"{labels}: class {wrong} does not exist; the model has classes 0 to {count - 1}")
    return Data(np.ldexp(codes.astype(np.float64), -type_.frac).reshape(-1, *shape), classes)


def _require_known(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ConfigError(f"--{what}: {name!r} is unknown; known are {', '.join(known)}")
