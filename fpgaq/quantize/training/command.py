"""``fpgaq train``: files in, accuracy before and after, a model with fixed quantizers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from fpgaq.errors import ConfigError
from fpgaq.explore.points import numbers
from fpgaq.frontend.flatten import flattened
from fpgaq.quantize.layer_bits import read_layer_bits
from fpgaq.quantize.model_files import check_output, save
from fpgaq.quantize.requantize import unquantized
from fpgaq.quantize.training.gating import gates, refusals
from fpgaq.quantize.training.loss import Objective, objective_of
from fpgaq.quantize.training.registry import weight_system
from fpgaq.quantize.training.trainer import Settings
from fpgaq.stimuli import load_array

_SETTINGS = (
    "method", "bits", "activation_method", "epochs", "batch", "rate", "progressive", "distill", "gradient_l1",
    "gate", "gate_target", "seed",
)  # fmt: skip


def train_file(given: Mapping[str, Any], console: Console) -> int:
    """Train a model file into another.

    Raises
    ------
    FpgaqError
        If arguments, files or the model do not fit.
    """
    settings = Settings(
        activations=given["activations"] or None,
        rates=_rates(given["rate_of"] or ()),
        layer_bits={} if given["layer_bits"] is None else read_layer_bits(given["layer_bits"]),
        **{name: given[name] for name in _SETTINGS},
    )
    others = _others(given["more_bits"], settings)
    output = given["output"]
    for path in (output, *(_with_bits(output, bits) for bits in others)):
        check_output(path)
    if (given["test_inputs"] is None) != (given["test_targets"] is None):
        raise ConfigError("--test-inputs and --test-targets belong together; give both, or none")
    x, y = _array(given["inputs"]), _array(given["targets"])
    tested = (x, y) if given["test_inputs"] is None else (_array(given["test_inputs"]), _array(given["test_targets"]))
    on = "training data" if given["test_inputs"] is None else "test data"

    from fpgaq.frontend.load import load_model
    from fpgaq.quantize.freeze import freeze
    from fpgaq.quantize.training.checks import check_trainable, checked
    from fpgaq.quantize.training.switching import at_bits
    from fpgaq.quantize.training.trainer import train

    model = load_model(given["model"], given["weights"])
    flat = flattened(model)
    check_trainable(flat)
    test_x, test_y = checked(flat, *tested)
    objective = objective_of(flat, test_y)
    _require_alike(objective, objective_of(flat, checked(flat, x, y)[1]))
    for name, why in unquantized(flat).items():
        console.print(f"layer {name!r}: {why}", highlight=False)
    before = objective.figure(model, test_x, test_y)
    console.print(f"{objective.measure} on {len(test_x)} {on}: {before:.4f} before", highlight=False)
    trained = train(model, x, y, settings)
    losses = trained.history["loss"]
    console.print(f"loss {losses[0]:.4g} in the first epoch, {losses[-1]:.4g} in the last one", highlight=False)
    if trained.diverged:
        console.print(f"warning: {trained.diverged}; use a lower --rate", highlight=False)
    _tell_gates(model, trained.model, test_x, settings, on, console)
    exports = {output: trained.model}
    for bits in others:
        switched = at_bits(model, trained.model, x, settings, bits)
        exports[_with_bits(output, bits)] = switched
    for path, export in exports.items():
        frozen = freeze(export)
        after = objective.figure(frozen, test_x, test_y)
        of = "" if path == output else f", {path.name}"
        console.print(f"{objective.measure} on {len(test_x)} {on}: {after:.4f} after{of}", highlight=False)
        save(frozen, path)
        console.print(f"wrote {path}", highlight=False)
    return 0


def _with_bits(output: Path, bits: int) -> Path:
    """Return the name of a further export."""
    return output.with_stem(f"{output.stem}_{bits}bit")


def _others(given: str | None, settings: Settings) -> list[int]:
    """Return the bits of further exports."""
    if given is None:
        return []
    if settings.gate is not None:
        raise ConfigError("--more-bits: gated layers keep the bits that they are trained with; leave --gate out")
    found = numbers(given, "--more-bits")
    for bits in found:
        weight_system(settings.method).check(bits)
    if settings.bits in found:
        raise ConfigError(f"--more-bits {given} has the {settings.bits} of --bits; name only others")
    return found


def _require_alike(tested: Objective, trained: Objective) -> None:
    """Refuse test targets that are of another kind than those of training."""
    if tested.kind != trained.kind:
        raise ConfigError(
            f"--test-targets are {tested.kind}, --targets are {trained.kind}; give class numbers in both, or values"
        )


def _rates(given: Sequence[str]) -> dict[str, float]:
    """Return factors of the rate by parameter."""
    found = {}
    for text in given:
        name, _, factor = text.partition("=")
        try:
            found[name] = float(factor)
        except ValueError:
            raise ConfigError(f"--rate-of {text} is not NAME=FACTOR, such as clip=0.5") from None
    return found


def _tell_gates(given: Any, trained: Any, x: np.ndarray, settings: Settings, on: str, console: Console) -> None:
    """Print how many gates stay closed, and which layers have none."""
    if settings.gate is None:
        return
    for gate in gates(trained, x):
        console.print(
            f"layer {gate.layer!r}: {100 * gate.closed:.1f} % of the gates closed on {len(x)} {on}: {gate.work:.2f} of "
            "the bits of its inputs are multiplied",
            highlight=False,
        )
    for name, why in refusals(flattened(given)).items():
        console.print(f"layer {name!r} is not gated: {why}", highlight=False)


def _array(path: Path) -> np.ndarray:
    found = load_array(path)
    if isinstance(found, dict):
        raise ConfigError(f"{path}: the model has one input and one output; give a .npy file")
    return np.asarray(found)
