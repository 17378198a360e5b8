"""Resources, latency and throughput of a design before any tool has seen it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fpgaq.estimate.block_counts import count_block, count_blocks, count_connections
from fpgaq.estimate.coefficients import Coefficients, coefficients
from fpgaq.estimate.counts import DEVICES, Counts
from fpgaq.rtl.hardware import Hardware


@dataclass(frozen=True)
class Figure:
    """An estimated number.

    Parameters
    ----------
    value : float
    error : float
        Nine in ten designs that the estimate was not fitted to were at most so far off.
    """

    value: float
    error: float = 0.0

    def to_json(self) -> dict[str, float]:
        """Return value and error, rounded to whole ones."""
        return {"value": round(self.value), "error": math.ceil(self.error)}


@dataclass(frozen=True)
class Resources:
    """Estimated resources; named as in `fpgaq.synth.Resources`."""

    lut: Figure
    ff: Figure
    dsp: Figure
    bram18: Figure
    lutram: Figure

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return JSON-ready values."""
        return {name: figure.to_json() for name, figure in vars(self).items()}


@dataclass(frozen=True)
class ModuleEstimate:
    """One module.

    Parameters
    ----------
    name, layer : str
        Of the module, and of the layer of the model.
    resources : Resources
    latency, ii : int
        In cycles; exact.
    """

    name: str
    layer: str
    resources: Resources
    latency: int
    ii: int


@dataclass(frozen=True)
class Estimate:
    """A whole design.

    Parameters
    ----------
    family : str
    modules : sequence of ModuleEstimate
    total : Resources
        What lies between the modules included.
    latency, ii : int
        In cycles; exact, or bounds where they depend on the data.
    """

    family: str
    modules: Sequence[ModuleEstimate]
    total: Resources
    latency: int
    ii: int

    @property
    def layers(self) -> dict[str, Resources]:
        """Resources of every layer of the model."""
        by_layer: dict[str, list[Resources]] = {}
        for module in self.modules:
            by_layer.setdefault(module.layer, []).append(module.resources)
        return {layer: _added(parts) for layer, parts in by_layer.items()}

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "family": self.family,
            "total": self.total.to_json(),
            "layers": {layer: resources.to_json() for layer, resources in self.layers.items()},
            "modules": [
                {
                    "name": m.name,
                    "layer": m.layer,
                    "latency_cycles": m.latency,
                    "ii_cycles": m.ii,
                    "resources": m.resources.to_json(),
                }
                for m in self.modules
            ],
            "timing": {"latency_cycles": self.latency, "ii_cycles": self.ii},
        }


def estimate(hardware: Hardware) -> Estimate:
    """Return what a design will take of its FPGA family.

    Raises
    ------
    FpgaqError
        If the family has no estimate, or a module has none.
    """
    fitted, device = coefficients(hardware.family), DEVICES[hardware.family]
    blocks = hardware.flow.blocks
    modules = [
        ModuleEstimate(
            block.hardware.name,
            block.layer,
            _resources(fitted, [count_block(block.hardware, device)]),
            block.hardware.latency,
            block.hardware.ii,
        )
        for block in blocks
    ]
    parts = [*count_blocks(hardware.flow, device), *count_connections(hardware.flow, device)]
    total = _resources(fitted, parts)
    return Estimate(hardware.family, modules, _with_errors(total, fitted), hardware.latency, hardware.ii)


def _resources(fitted: Coefficients, parts: Sequence[Counts]) -> Resources:
    luts = [(fit.lut(part), fit.error) for part in parts for fit in [fitted[part.kind]]]
    ff = sum(part.ff for part in parts)
    return Resources(
        Figure(sum(lut for lut, _ in luts), sum(lut * error for lut, error in luts)),
        Figure(ff, ff * fitted.ff_error),
        *(Figure(sum(getattr(part, name) for part in parts)) for name in ("dsp", "bram18", "lutram")),
    )


def _added(parts: Sequence[Resources]) -> Resources:
    names = vars(parts[0])
    sums = {name: [getattr(part, name) for part in parts] for name in names}
    return Resources(**{name: Figure(sum(f.value for f in fs), sum(f.error for f in fs)) for name, fs in sums.items()})


def _with_errors(total: Resources, fitted: Coefficients) -> Resources:
    """Return the total with the errors that totals had, less than those of modules together."""
    lut, ff = total.lut.value, total.ff.value
    return Resources(
        Figure(lut, lut * fitted.total_error), Figure(ff, ff * fitted.ff_error), total.dsp, total.bram18, total.lutram
    )
