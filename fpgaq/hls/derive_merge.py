"""Merging layers of an hls4ml graph as integer operations.

hls4ml's C++ for two tensors computes every result in full before it is cast, and halves a sum of two exactly; ours for
several does the same in a type that holds every intermediate result.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from hls4ml.model.types import NamedType

from fpgaq.hls.freeze import Decision, to_hls
from fpgaq.ir import ops
from fpgaq.ir.ops import Function
from fpgaq.ir.types import FixedType

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver


def lower_merge(deriver: Deriver, layer: Any) -> None:
    """Lower what makes one element of one element of each tensor, or puts tensors behind each other."""
    function = layer.get_attr("function") or layer.get_attr("op").lower()
    if function.startswith("concatenate"):
        _lower_concatenate(deriver, layer)
        return
    node = ops.Merge(
        name=layer.name,
        inputs=tuple(layer.inputs),
        type=deriver.any_type(0),
        layer=layer.name,
        function=Function(function),
        source_fracs=tuple(deriver.operands[i].type.frac for i in layer.inputs),
    )
    frac = _average_frac(deriver, layer, node) if node.function is Function.AVERAGE else node.frac
    node = dataclasses.replace(node, type=deriver.any_type(frac))
    operands = [deriver.operands[i] for i in layer.inputs]
    node.infer(operands)  # an error is of the layer, and comes before that of a type
    most = node.largest_partial_result([x.bounds for x in operands])
    _set_exact(layer, FixedType.from_interval(-most, most, frac))
    deriver.finish(layer, node, None)


def _set_exact(layer: Any, type_: FixedType) -> None:
    if layer.class_name == "MergeMany":
        layer.set_attr("exact_t", NamedType(f"layer{layer.index}_exact_t", to_hls(type_)))


def _average_frac(deriver: Deriver, layer: Any, node: ops.Merge) -> int:
    """Return the fraction bits of an average: those that make it exact, else as many as an activation has."""
    count = len(node.inputs)
    if count & (count - 1) == 0:
        return node.frac + count.bit_length() - 1
    hulls = [deriver.operands[i].bounds.hull for i in node.inputs]
    lows, highs = zip(
        *([end << shift for end in hull] for hull, shift in zip(hulls, node.shifts, strict=True)), strict=True
    )
    width = FixedType.from_interval(min(lows), max(highs), node.frac).width
    gained = max(deriver.precision.activation - width, 0)
    type_ = FixedType.from_interval(min(lows) << gained, max(highs) << gained, node.frac + gained)
    reason = f"divided by {count}: cut towards zero"
    deriver.result.decisions.append(Decision(layer.name, "average", str(type_), reason, type_.step))
    return type_.frac


def _lower_concatenate(deriver: Deriver, layer: Any) -> None:
    axis, rank = int(layer.get_attr("axis")), len(layer.get_output_variable().shape)
    if layer.class_name == "Concatenate":  # hls4ml's counts the batch
        axis = axis - 1 if axis > 0 else axis + rank
    fracs = tuple(deriver.operands[i].type.frac for i in layer.inputs)
    node = ops.Concatenate(
        name=layer.name,
        inputs=tuple(layer.inputs),
        type=deriver.any_type(max(fracs)),
        layer=layer.name,
        axis=axis,
        source_fracs=fracs,
    )
    deriver.finish(layer, node, None)
    _set_exact(layer, deriver.operands[layer.name].type)
