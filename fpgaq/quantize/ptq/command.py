"""``fpgaq quantize``, and the same in front of ``fpgaq convert``: files in, a table on the way, a model out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from fpgaq.errors import ConfigError
from fpgaq.quantize.layer_bits import read_layer_bits
from fpgaq.quantize.model_files import check_output, save
from fpgaq.quantize.ptq.blocks import TunedBlock
from fpgaq.quantize.ptq.policy import Chosen, Policy
from fpgaq.quantize.ptq.post_training import RoundedLayer, quantized
from fpgaq.quantize.ptq.settings import Settings
from fpgaq.quantize.requantize import rectifies
from fpgaq.stimuli import load_array


def settings_of(given: Mapping[str, Any], method: str) -> tuple[Settings, Policy | None]:
    """Return the settings among the arguments of a command, and the policy that chooses bits, if there is one.

    Raises
    ------
    ConfigError
        If one is wrong, or the file of bits is.
    """
    layer_bits = {} if given["layer_bits"] is None else read_layer_bits(given["layer_bits"])
    bits, policy = given["bits"], None
    if bits is not None and not math.isfinite(bits):
        raise ConfigError(f"--bits {bits} is no number of bits; use 2 to 16")
    if given["policy"] is not None:
        if layer_bits:
            raise ConfigError("--policy chooses the bits of every layer; leave --layer-bits out")
        policy, bits = Policy(given["policy"], bits, given["budget"] or ""), None
    elif given["budget"] is not None:
        raise ConfigError("--budget belongs to --policy NAME; give both, or none")
    elif bits is None and not layer_bits:
        raise ConfigError("quantization needs bits of weights: give --bits, --layer-bits FILE, or both")
    settings = Settings(
        method=method,
        bits=int(bits) if bits is not None and bits == int(bits) else bits,
        layer_bits=layer_bits,
        activations=given["activations"] or None,
        ranges=given["ranges"],
        bias_correction=given["bias_correction"],
        seed=given["seed"],
        reconstruct=given["reconstruct"],
        format=given["format"],
        bit_price=given["bit_price"],
        scales=given["scales"],
    )
    return settings, policy


def quantize_loaded(model: Any, calibration: Path, settings: Settings, policy: Policy | None, console: Console) -> Any:
    """Return the quantized model; print what rounding did to every layer."""
    data = load_array(calibration)
    if isinstance(data, dict):
        raise ConfigError(f"{calibration}: the model has one input; give a .npy file")
    layers: list[RoundedLayer] = []

    def tell(choice: Chosen) -> None:
        bits = ", ".join(f"{name} {bits}" for name, bits in choice.bits.items())
        console.print(f"bits: {bits}; {choice.average:.3g} on average, {choice.status}", highlight=False)

    blocks: list[TunedBlock] = []
    found = quantized(
        model,
        data,
        settings,
        layers.append,
        policy=policy,
        told=tell,
        tuned_block=blocks.append,
        where=str(calibration),
    )
    _print(layers, settings, console)
    for block in blocks:
        share = f" ({block.after / block.before:.2f} of it)" if block.before else ""
        errors = f"squared error {block.before:.3g} behind the layers, {block.after:.3g} behind the block{share}"
        console.print(f"block {', '.join(block.names)}: {errors}", highlight=False)
    if settings.activations is not None:
        rounded = [layer.name for layer in found.layers if rectifies(layer)]
        console.print(f"rectifiers of {settings.activations} bits: {', '.join(rounded) or 'none'}", highlight=False)
    return found


def quantize_file(model: Path, weights: Path | None, output: Path, given: Mapping[str, Any], console: Console) -> int:
    """Quantize a model file into another."""
    settings, policy = settings_of(given, given["method"])
    check_output(output)
    from fpgaq.frontend.load import load_model

    save(quantize_loaded(load_model(model, weights), given["calibration"], settings, policy, console), output)
    console.print(f"wrote {output}", highlight=False)
    return 0


def _print(layers: list[RoundedLayer], settings: Settings, console: Console) -> None:
    table = Table("layer", "format", "unit", "zeros, %", "error, %", "of nearest, %", "ratio")
    for layer in layers:
        share = 100 / layer.power if layer.power else 0.0
        ratio = f"{layer.error / layer.nearest:.2f}" if layer.nearest else ""
        table.add_row(
            layer.name,
            f"{settings.fit.name} {layer.grid.bits}",
            _unit(layer.grid.unit),
            f"{100 * layer.zeros:.0f}",
            f"{layer.error * share:.3g}",
            f"{layer.nearest * share:.3g}",
            ratio,
        )
    console.print(f"{settings.method}, squared errors of the outputs on the calibration data:", highlight=False)
    console.print(table)


def _unit(unit: float | NDArray[np.float64]) -> str:
    """Return the unit of a layer, or from which to which those of its channels are."""
    least, most = float(np.min(unit)), float(np.max(unit))
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"
