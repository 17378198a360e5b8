"""Bits of every layer by a policy of `fpgaq.explore`, within an average number of bits or a budget of resources."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError
from fpgaq.quantize.ptq.exact import quantizer_of, set_kernel_quantizer
from fpgaq.quantize.ptq.fits import FITS
from fpgaq.quantize.ptq.patches import as_kernel, as_matrix
from fpgaq.quantize.ptq.settings import Settings
from fpgaq.quantize.requantize import Choice, matrices, requantized

Real = NDArray[np.float64]

#: Bits that are chosen from, where the format has them.
_FEWEST, _MOST = 2, 8
#: Samples that damages are measured on.
_SAMPLES = 1024


@dataclass(frozen=True)
class Policy:
    """How bits are chosen.

    Parameters
    ----------
    name : str
        One of `fpgaq.explore.policies.POLICIES` that needs no classes.
    average : float or None
        The most bits that a weight may have on average.
    budget : str
        Resources instead, as ``fpgaq search`` takes them.
    """

    name: str
    average: float | None
    budget: str = ""

    def __post_init__(self) -> None:
        from fpgaq.explore.budget import parse_budget
        from fpgaq.explore.policies import LABELLED, POLICIES

        if self.name not in POLICIES:
            raise ConfigError(f"--policy: {self.name!r} is unknown; known are {', '.join(POLICIES)}")
        if self.name in LABELLED:
            raise ConfigError(f"--policy {self.name} needs classes of the data; use kl, or `fpgaq search`")
        if (self.average is None) == (not self.budget):
            raise ConfigError("--policy needs either the average --bits of a weight, or a --budget")
        if self.budget:
            parse_budget(self.budget)


@dataclass(frozen=True)
class Chosen:
    """What a policy chose.

    Parameters
    ----------
    bits : mapping of int
        By layer.
    average : float
        Of a weight.
    status : str
        What the solver says.
    """

    bits: Mapping[str, int]
    average: float
    status: str


def chosen(model: Any, data: NDArray[np.floating[Any]], settings: Settings, policy: Policy) -> Chosen:
    """Return the bits of every layer: of the ten choices of least damage the one of least divergence.

    Damages are of plain rounding in the format of the settings.

    Parameters
    ----------
    model : keras.Model
        The float model, a classifier.
    data : float array, shape (samples, ...)
    settings : Settings
    policy : Policy

    Raises
    ------
    ConfigError
        If nothing is within the budget.
    """
    from fpgaq.explore.budget import nothing_fits, parse_budget, within
    from fpgaq.explore.network import require_classifier

    require_classifier(model)
    fit = settings.fit
    widths = list(range(max(_FEWEST, fit.least), min(_MOST, fit.most) + 1))
    if policy.average is not None and policy.average < widths[0]:
        raise ConfigError(
            f"weights of {policy.average:g} bits on average are fewer than format {fit.name} has; use {widths[0]} to "
            f"{widths[-1]}"
        )
    space = _space(model, data, settings, widths, estimated=bool(policy.budget))
    counts = {name: kernel.size for name, kernel in space.network.floats.items()}
    total = sum(counts.values())
    limits = parse_budget(policy.budget) if policy.average is None else {"size": math.floor(policy.average * total)}
    problem = space.free(limits)
    if not within(problem.smallest(), limits):
        raise nothing_fits([problem])
    _, solution = space.solved(space.tables(policy.name), limits, "milp", 0, settings.seed)
    if not solution.allocations:
        raise nothing_fits([problem])
    best = min(solution.allocations, key=space.loss)
    bits = {name: choice.weights for name, choice in space.layers(best).items()}
    return Chosen(bits, sum(counts[name] * bits[name] for name in bits) / total, solution.status)


def _space(
    model: Any, data: NDArray[np.floating[Any]], settings: Settings, widths: list[int], *, estimated: bool
) -> Any:
    """Return every layer rounded to every number of bits, and what that takes."""
    from fpgaq.config import make_options
    from fpgaq.explore.network import Data, Network, Rounded
    from fpgaq.explore.space import Space, measured_space

    # Choices know fewer formats than there are here; the policies read only their bits.
    choices = [Choice("int", width, settings.activations) for width in widths]
    calibration = Data(data[:_SAMPLES].astype(np.float64))
    if estimated:
        if settings.fit.name != "int":
            raise ConfigError(
                f"--budget estimates integers, not format {settings.fit.name}; give the average --bits, or use "
                "`fpgaq search`"
            )
        made = _by_channel if settings.scales == "channel" else requantized
        return measured_space(model, choices, calibration, make_options({}), fast=True, made=made)
    names = matrices(model)
    kernels = {
        ("int", width): {name: _rounded(model.get_layer(name), settings, width) for name in names} for width in widths
    }
    quantized = requantized(model, choices[-1], data, ranges=settings.range_rule)
    sizes = [np.array([kernels["int", widths[0]][name].size * width for width in widths], np.int64) for name in names]
    return Space(Network(model, Rounded(quantized, kernels, {}), choices, calibration), {"size": sizes})


def _by_channel(model: Any, choice: Choice, data: Real) -> Any:
    """Return a copy of a model with integers in units by channel."""
    found = requantized(model, choice, data)
    for name in matrices(found):
        layer = found.get_layer(name)
        grid = FITS["int"].by_channel(as_matrix(layer, layer.get_weights()[0]), choice.weights)
        set_kernel_quantizer(layer, quantizer_of(grid))
    return found


def _rounded(layer: Any, settings: Settings, bits: int) -> Real:
    """Return the kernel of a layer after plain rounding."""
    weights = as_matrix(layer, layer.get_weights()[0])
    grid = settings.grid(weights, bits)
    return as_kernel(layer, grid.values(grid.nearest(weights)))
