"""Cropping, upsampling and permuting in an hls4ml graph as integer operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fpgaq.hls.freeze import to_hls
from fpgaq.ir import ops
from fpgaq.ir.node import Node

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver


def lower_arrange(deriver: Deriver, layer: Any) -> None:
    """Lower what moves values."""
    x, shape = deriver.operands[layer.inputs[0]], tuple(layer.get_output_variable().shape)
    operation, parameters = layer.get_attr("operation"), tuple(layer.get_attr("parameters"))
    common: dict[str, Any] = {"name": layer.name, "inputs": (layer.inputs[0],), "type": x.type, "layer": layer.name}
    node: Node
    if operation == "crop":
        after = tuple(n - b - kept for n, b, kept in zip(x.shape, parameters, shape[:-1], strict=False))
        node = ops.Crop(**common, before=parameters, after=after)
    elif operation == "repeat":
        node = ops.Repeat(**common, times=parameters)
    else:
        node = ops.Permute(**common, axes=parameters)
    final = deriver.emit(node)
    layer.get_output_variable().type.precision = to_hls(final.type)
