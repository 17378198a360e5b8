"""Quantizers that reproduce weights on a grid bit for bit, and layers that get them."""

from __future__ import annotations

import math
from typing import Any

from fpgaq.quantize.formats import Integer
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.patches import kind_of


def quantizer_of(grid: Grid) -> Any:
    """Return the quantizer whose values are those of a grid."""
    if isinstance(grid.format, Integer) and isinstance(grid.unit, float):
        from qkeras import quantized_bits

        return quantized_bits(grid.bits, round(math.log2(grid.unit)) + grid.bits - 1, alpha=1)
    from fpgaq.quantize.quantizers import FixedLevels

    if isinstance(grid.unit, float):
        return FixedLevels(grid.format, grid.unit)
    groups, _, outputs = grid.unit.shape
    # The last axes of a kernel: outputs, and in front of them channels where each has a filter of its own.
    return FixedLevels(grid.format, grid.unit.reshape((groups, outputs) if groups > 1 else (outputs,)).tolist())


def set_kernel_quantizer(layer: Any, quantizer: Any) -> None:
    """Give a QKeras layer another quantizer of its kernel."""
    _set(layer, "depthwise_quantizer" if kind_of(layer) == "DepthwiseConv2D" else "kernel_quantizer", quantizer, 0)


def set_bias_quantizer(layer: Any, quantizer: Any) -> None:
    """Give a QKeras layer another quantizer of its bias."""
    _set(layer, "bias_quantizer", quantizer, 1)


def _set(layer: Any, key: str, quantizer: Any, place: int) -> None:
    setattr(layer, key, quantizer)
    setattr(layer, f"{key}_internal", quantizer)
    layer.quantizers = [*layer.quantizers[:place], quantizer, *layer.quantizers[place + 1 :]]
