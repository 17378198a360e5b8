"""Convolutions and margins of an hls4ml graph as integer operations.

A convolution is a margin of zeros, windows, and a matrix on every window. hls4ml's C++ sums in the same accumulator, in
which no order matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaq.errors import ModelError
from fpgaq.frontend.dyadic import Dyadic
from fpgaq.frontend.spatial import AXES, ENDS, Geometry
from fpgaq.hls.derive_matrix import lower_matrix
from fpgaq.ir import ops
from fpgaq.ir.node import Node
from fpgaq.ir.types import IntArray

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver


def emit_windows(deriver: Deriver, layer: Any, geometry: Geometry) -> Node:
    """Append the windows over the input of a layer, with zeros in their margin.

    Raises
    ------
    ModelError
        If a window is larger than the padded input.
    """
    source = layer.inputs[0]
    x = deriver.operands[source]
    lengths = zip(x.shape[:-1], geometry.before, geometry.after, strict=True)
    padded = [n + b + a for n, b, a in lengths]
    reach = [(n - 1) * d + 1 for n, d in zip(geometry.size, geometry.dilation, strict=True)]
    if any(r > n for r, n in zip(reach, padded, strict=True)):
        raise ModelError(
            f"layer {layer.name!r}: its window reaches over {'x'.join(map(str, reach))}, more than its input with "
            f"margins, {'x'.join(map(str, padded))}; use a smaller kernel or padding='same'"
        )
    if geometry.padded:
        source = f"{layer.name}_margin"
        deriver.emit(_pad(source, layer, geometry, x.type, 0))
    return deriver.emit(
        ops.Windows(
            name=f"{layer.name}_windows",
            inputs=(source,),
            type=x.type,
            layer=layer.name,
            size=geometry.size,
            stride=geometry.stride,
            dilation=geometry.dilation,
        )
    )


def _pad(name: str, layer: Any, geometry: Geometry, type_: Any, value: int) -> ops.Pad:
    return ops.Pad(
        name=name,
        inputs=(layer.inputs[0],),
        type=type_,
        layer=layer.name,
        before=geometry.before,
        after=geometry.after,
        value=value,
    )


def lower_convolution(deriver: Deriver, layer: Any) -> None:
    """Lower a convolution of all channels."""
    geometry = Geometry.of_layer(layer, "filt", len(layer.get_input_variable().shape) - 1)
    windows = emit_windows(deriver, layer, geometry)
    filters = int(layer.get_attr("n_filt"))
    valid = layer.model.config.backend.get_valid_reuse_factors

    def legal(n_in: int, n_out: int) -> list[int]:
        # Beyond that hls4ml's C++ for Vitis reads weights and data behind the end of their arrays.
        return [r for r in valid(n_in, n_out) if r <= n_in]

    lower_matrix(deriver, layer, windows.name, lambda codes: codes.reshape(-1, filters), legal)


def lower_depthwise(deriver: Deriver, layer: Any) -> None:
    """Lower a convolution of every channel with a filter of its own: a matrix with zeros between the channels."""
    geometry = Geometry.of_layer(layer, "filt", len(layer.get_input_variable().shape) - 1)
    windows = emit_windows(deriver, layer, geometry)
    channels = int(layer.get_attr("n_chan"))

    def as_matrix(codes: IntArray) -> IntArray:
        filters = codes.reshape(-1, channels, 1)
        return (filters * np.eye(channels, dtype=np.int64)).reshape(-1, channels)

    # hls4ml's C++ for arrays has no other reuse factor.
    lower_matrix(deriver, layer, windows.name, as_matrix, lambda n_in, n_out: [1])


def lower_zero_padding(deriver: Deriver, layer: Any) -> None:
    """Lower zeros around an image or a series."""
    x = deriver.operands[layer.inputs[0]]
    deriver.finish(layer, _pad(layer.name, layer, _margins(layer), x.type, 0), None)


def lower_margin(deriver: Deriver, layer: Any) -> None:
    """Lower the margin of a maximum: the least value of the type, which no maximum takes over a value of the input."""
    x = deriver.operands[layer.inputs[0]]
    least = Dyadic(np.array([x.type.min]), x.type.frac)
    deriver.set_weights(layer, "value", least, "m")
    deriver.finish(layer, _pad(layer.name, layer, _margins(layer), x.type, x.type.min), None)


def _margins(layer: Any) -> Geometry:
    axes = len(layer.get_input_variable().shape) - 1
    before, after = (tuple(int(layer.get_attr(f"pad_{names[k]}")) for names in ENDS[-axes:]) for k in (0, 1))
    ones = (1,) * len(AXES[-axes:])
    return Geometry(ones, ones, ones, before, after)
