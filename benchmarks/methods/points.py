"""What is compared: a method at so many bits, on a network, with a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from fpgaq.quantize.ptq import registry as rounding
from fpgaq.quantize.ptq.fits import FITS
from fpgaq.quantize.training import registry as training

#: Bits of activations, but where weights have 8, too.
ACTIVATIONS = 4
#: The method that others are paired with, at equal bits.
BASELINE = "uniform"
#: Rounding with a unit for every output channel: what stands behind the method, which methods, and at what bits.
CHANNEL, _CHANNEL_METHODS, _CHANNEL_BITS = "-channel", ("nearest", "adaround", "attention-round"), (2, 3, 4)
#: Plain training with gates in the layers between rectifiers.
GATED, GATED_BITS = "uniform-gated", 4
#: Trained activations, with uniform weights.
_ACTIVATION_METHODS = [
    name
    for name, system in training.ACTIVATIONS.items()
    if name not in ("calibrated", "pact") and ACTIVATIONS in system.bits
]


def without_its_own(method: str) -> str | None:
    """Return the method that is the same but for what a method adds; None where that is `BASELINE`."""
    if method.startswith("fat"):
        return method.replace("fat", "clip")
    if method.endswith(CHANNEL):
        return method.removesuffix(CHANNEL)
    return "ptq-nearest" if method.startswith("ptq-") and method != "ptq-nearest" else None


@dataclass(frozen=True)
class Point:
    """One network quantized by one method.

    Parameters
    ----------
    network : str
    method : str
        ``float``; of training, of rounding behind ``ptq-`` (with units by channel in front of ``-channel``), or of
        activations behind ``uniform-``.
    bits : int
        Of weights; 32 of a float network.
    activations : int
    seed : int
        Of the split of the data, the first weights and the method.
    """

    network: str
    method: str
    bits: int
    activations: int
    seed: int

    def to_row(self) -> dict[str, str]:
        """Return the columns that name it."""
        return {field.name: str(getattr(self, field.name)) for field in dataclasses.fields(self)}


def methods(bits: int) -> list[str]:
    """Return what is compared at so many bits."""
    trained = [name for name, system in training.WEIGHTS.items() if bits in system.bits]
    if bits not in training.WEIGHTS[BASELINE].bits:
        return trained
    rounded = [
        f"ptq-{method.name}"
        for method in rounding.METHODS.values()
        if method.name != "stochastic" and bits >= FITS[method.format or "int"].least
    ]
    if bits in _CHANNEL_BITS:
        rounded += [f"ptq-{name}{CHANNEL}" for name in _CHANNEL_METHODS]
    activations = [f"{BASELINE}-{name}" for name in _ACTIVATION_METHODS]
    return [*trained, *rounded, *activations, *([GATED] if bits == GATED_BITS else [])]


def points(networks: Sequence[str], widths: Sequence[int], seeds: Sequence[int], only: Sequence[str]) -> list[Point]:
    """Return all points, seed by seed."""
    found = []
    for seed in seeds:
        for network in networks:
            found.append(Point(network, "float", 32, 32, seed))
            for bits in widths:
                # 8 bits for what is plain only.
                names = methods(bits) if bits < 8 else [BASELINE, "ptq-nearest"]
                activations = ACTIVATIONS if bits < 8 else 8
                found += [Point(network, name, bits, activations, seed) for name in names if not only or name in only]
    return found
