"""Resources, latency and throughput of a design before any tool has seen it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fpgaq.estimate.block_counts import count_blocks, count_connections, count_module
from fpgaq.estimate.coefficients import Coefficients, coefficients
from fpgaq.estimate.counts import DEVICES, Counts
from fpgaq.estimate.predicted import PredictedHardware
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


def estimate(hardware: Hardware, *, fast: bool = False) -> Estimate:
    """Return what a design will take of its FPGA family.

    Parameters
    ----------
    hardware : Hardware
    fast : bool
        Whether adders of unrolled matrices are told from a few figures of these, and not searched. The errors are
        larger, and latencies are no longer exact.

    Raises
    ------
    FpgaqError
        If the family has no estimate, or a module has none.
    """
    if fast:
        hardware = PredictedHardware(hardware.graph, hardware.clock_period, hardware.family)
    fitted, device = coefficients(hardware.family), DEVICES[hardware.family]
    blocks = hardware.flow.blocks
    modules = [
        ModuleEstimate(
            block.hardware.name,
            block.layer,
            _resources(fitted, count_module(block.hardware, device)),
            block.hardware.latency,
            block.hardware.ii,
        )
        for block in blocks
    ]
    parts = [*count_blocks(hardware.flow, device), *count_connections(hardware.flow, device)]
    total = _resources(fitted, parts, whole=True)
    return Estimate(hardware.family, modules, total, hardware.latency, hardware.ii)


def _resources(fitted: Coefficients, parts: Sequence[Counts], *, whole: bool = False) -> Resources:
    """Return the sums; errors of whole designs are less than those of their modules together."""
    fits = [fitted[part.kind] for part in parts]
    luts = [fit.lut(part) for fit, part in zip(fits, parts, strict=True)]
    errors = [fit.total_error if whole else fit.error for fit in fits]
    return Resources(
        Figure(sum(luts), sum(lut * error for lut, error in zip(luts, errors, strict=True))),
        Figure(sum(part.ff for part in parts), sum(p.ff * fit.ff_error for p, fit in zip(parts, fits, strict=True))),
        *(Figure(sum(getattr(part, name) for part in parts)) for name in ("dsp", "bram18", "lutram")),
    )


def _added(parts: Sequence[Resources]) -> Resources:
    names = vars(parts[0])
    sums = {name: [getattr(part, name) for part in parts] for name in names}
    return Resources(**{name: Figure(sum(f.value for f in fs), sum(f.error for f in fs)) for name, fs in sums.items()})
