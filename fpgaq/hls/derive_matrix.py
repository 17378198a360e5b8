"""Matrices of an hls4ml graph as integer operations: exact accumulators, number formats, legal reuse factors.

A dense layer is a matrix on a vector; `fpgaq.hls.derive_conv` makes those of convolutions.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from hls4ml.model.types import NamedType

from fpgaq.errors import ConfigError, ModelError
from fpgaq.estimate.schedule_choice import cheapest_reuse
from fpgaq.frontend import dyadic
from fpgaq.frontend.dyadic import Dyadic
from fpgaq.hls.freeze import to_hls, user_precision
from fpgaq.ir import ops
from fpgaq.ir.node import Operand
from fpgaq.ir.types import FixedType, IntArray, Overflow, Rounding
from fpgaq.quantize import formats
from fpgaq.rtl.delays import adder_inputs
from fpgaq.rtl.input_bits import known_levels

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver

_Cast = tuple[FixedType, Rounding, Overflow]


def lower_dense(deriver: Deriver, layer: Any) -> None:
    """Lower a matrix on a vector."""
    x = deriver.operands[layer.inputs[0]]
    if len(x.shape) != 1:
        raise ModelError(f"layer {layer.name!r}: Dense on shape {list(x.shape)}; flatten its input first")
    legal = layer.model.config.backend.get_valid_reuse_factors
    lower_matrix(deriver, layer, layer.inputs[0], np.asarray, legal)


def lower_matrix(
    deriver: Deriver,
    layer: Any,
    source: str,
    as_matrix: Callable[[IntArray], IntArray],
    legal: Callable[[int, int], Sequence[int]],
) -> None:
    """Lower the matrix of a layer with weights and bias, and give hls4ml exact types for it.

    Parameters
    ----------
    deriver : Deriver
    layer : hls4ml layer
    source : str
        Node with the vectors that are multiplied.
    as_matrix : callable
        Brings an array shaped like the weights into the shape (inputs, outputs).
    legal : callable
        Reuse factors that the C++ of the layer has, for inputs and outputs of the matrix.
    """
    x = deriver.operands[source]
    bits = deriver.precision.weight
    weight = deriver.freeze(layer, "weight", bool(layer.get_attr("weight_exact")), bits)
    bias = deriver.freeze(layer, "bias", bool(layer.get_attr("bias_exact")), bits)
    frac = max(x.type.frac + weight.frac, bias.frac)
    node = ops.MatMul(
        name=layer.name,
        inputs=(source,),
        type=deriver.any_type(frac),
        layer=layer.name,
        weight=as_matrix(weight.codes << (frac - x.type.frac - weight.frac)),
        weight_frac=frac - x.type.frac,
        bias=bias.codes << (frac - bias.frac),
        present=_present(as_matrix(np.ones_like(weight.codes))),
    )
    node = dataclasses.replace(node, **stored_format(layer, "weight", weight, node.weight_frac, node.n_out))
    node = dataclasses.replace(node, reuse=_reuse_factor(deriver, layer, node, legal(node.n_in, node.n_out)))
    accumulator = FixedType.from_interval(*node.infer([x]).hull, frac)
    cast = _accumulator_cast(layer, accumulator)
    deriver.set_weights(layer, "weight", weight, "w")
    deriver.set_weights(layer, "bias", bias, "b")
    accum_type = NamedType(f"layer{layer.index}_accum_t", to_hls(cast[0] if cast else accumulator))
    layer.set_attr("accum_t", accum_type)
    if cast is not None:
        deriver.emit(dataclasses.replace(node, name=f"{layer.name}_sum"))
        wrapped = ops.Requantize(
            name=layer.name,
            inputs=(f"{layer.name}_sum",),
            type=cast[0],
            layer=layer.name,
            source_frac=frac,
            rounding=Rounding.TRN,
            overflow=Overflow.WRAP,
        )
        deriver.result.casts[layer.name] = cast
        deriver.finish(layer, wrapped, None)
        return
    deriver.finish(layer, node, None)


def _present(ones: IntArray) -> IntArray:
    """Return which elements of a matrix are weights, nothing where all are."""
    return np.ones(0, np.int64) if ones.all() else ones


def stored_format(layer: Any, what: str, weight: Dyadic, weight_frac: int, n_out: int) -> dict[str, Any]:
    """Return format and unit of a matrix as parameters of an operation, nothing where its weights have none.

    Parameters
    ----------
    layer : hls4ml layer
    what : str
        Name of its weights, which are not yet replaced by the frozen ones.
    weight : Dyadic
        The frozen ones.
    weight_frac : int
        Fraction bits of the weights of the operation.
    n_out : int
        Outputs of the matrix.
    """
    if not layer.get_attr(f"{what}_format") or np.any(weight.values != layer.weights[what].data):
        return {}
    unit = dyadic.exact(layer.get_attr(f"{what}_unit"))
    if unit.codes.size not in (1, n_out):
        raise ModelError(
            f"layer {layer.name!r}: its {what} has {unit.codes.size} units for {n_out} output channels; give one for "
            "every channel, or one for all"
        )
    finer = max(unit.frac - weight_frac, 0)
    codes = np.broadcast_to(unit.codes << (weight_frac + finer - unit.frac), n_out)  # a depthwise kernel has one
    return {"format": formats.from_json(layer.get_attr(f"{what}_format")), "unit": codes, "unit_frac": finer}


def _accumulator_cast(layer: Any, exact: FixedType) -> _Cast | None:
    """Return the wrap that a user's narrower accumulator makes; refuse one that rounds or saturates every addition."""
    wanted = user_precision(layer, "accum")
    if wanted is None:
        return None
    type_, rounding, overflow = wanted
    if holds(type_, exact):
        return None
    if overflow is not Overflow.WRAP or type_.frac < exact.frac:
        raise ConfigError(
            f"layer {layer.name!r}: accumulator {type_} ({rounding.value}, {overflow.value}) rounds or saturates at "
            f"every addition, so that the sum depends on their order; {exact} is exact, and wrapping types with "
            f"{exact.frac} fraction bits are reproduced"
        )
    return type_, Rounding.TRN, Overflow.WRAP


def holds(type_: FixedType, exact: FixedType) -> bool:
    """Return whether a type represents every number of another."""
    lossless = type_.frac >= exact.frac and type_.integer_bits - type_.signed >= exact.integer_bits - exact.signed
    return lossless and (type_.signed or not exact.signed)


def _reuse_factor(deriver: Deriver, layer: Any, matrix: ops.MatMul, legal: Sequence[int]) -> int:
    """Return the reuse factor of a layer after checking hls4ml's legality rule; the cheapest one where it may choose.

    It may with the strategy auto, and under a wanted pace, if the layer has no reuse factor of its own. That of a
    separable convolution is for its matrix: the filters in front of it have no other schedule.
    """
    config = layer.model.config
    own = deriver.options.layers.get(layer.name)
    strategy = (own.strategy if own is not None else None) or deriver.options.strategy
    reuse = config.get_reuse_factor(layer)
    pace = deriver.options.wanted_ii
    if layer.get_attr("part_of") is not None:
        chosen = 1
    elif pace is not None and (own is None or own.reuse_factor is None):
        limit = affordable_cycles(deriver, layer, matrix, pace)
        if strategy == "folded":
            chosen = max(r for r in legal if r <= limit)
        else:
            chosen = 1 if strategy == "unrolled" else _cheapest_reuse(deriver, matrix, limit, legal)
    elif strategy == "auto":
        chosen = _cheapest_reuse(deriver, matrix, reuse, legal)
    else:
        size = f"{matrix.n_in}x{matrix.n_out}"
        chosen = required_reuse(layer, strategy, reuse, legal, size)
    config.layer_name_rf[layer.name.lower()] = chosen
    config.layer_name_strategy[layer.name.lower()] = "resource" if chosen > 1 else "latency"
    return chosen


def affordable_cycles(deriver: Deriver, layer: Any, matrix: ops.MatMul | ops.GatedMatMul, pace: int) -> int:
    """Return the cycles that a matrix may take for each of its vectors to be just fast enough."""
    positions = math.prod(deriver.operands[matrix.inputs[0]].shape[:-1])
    if pace < positions:
        raise ConfigError(
            f"layer {layer.name!r}: its matrix is applied at {positions} positions of a frame, one a cycle at best, "
            f"{positions - pace} more than the {pace} cycles that are wanted; ask for a slower pace or use strides"
        )
    return pace // positions


def _cheapest_reuse(deriver: Deriver, matrix: ops.MatMul, limit: int, legal: Sequence[int]) -> int:
    x = deriver.operands[matrix.inputs[0]]
    source = Operand(x.type, x.bounds.channels)  # one matrix for all positions
    levels = known_levels({node.name: node for node in deriver.nodes}, matrix.inputs[0])
    operands = adder_inputs(deriver.options.family)
    return cheapest_reuse(matrix, source, limit, legal, adder_inputs=operands, levels=levels)


def required_reuse(layer: Any, strategy: str | None, reuse: int, legal: Sequence[int], size: str) -> int:
    """Return a reuse factor after checking that a layer can have it; `size` is that of its matrix, for errors."""
    name = layer.name
    if reuse > legal[-1] and layer.class_name not in ("Dense", "Recurrent"):
        raise ConfigError(
            f"layer {name!r}: reuse factor {reuse} is more than the C++ of a {layer.class_name} with a {size} matrix "
            f"can do; the largest legal one is {legal[-1]}: give it that under `layers`, or use strategy auto"
        )
    if reuse not in legal:
        below = [r for r in legal if r < reuse][-2:]
        above = [r for r in legal if r > reuse][:2]
        raise ConfigError(
            f"layer {name!r}: reuse factor {reuse} does not divide its {size} matrix; "
            f"legal neighbours are {', '.join(map(str, below + above))}"
        )
    if strategy == "unrolled" and reuse > 1:
        raise ConfigError(f"layer {name!r}: unrolled means reuse factor 1, not {reuse}; use strategy folded or auto")
    if strategy == "folded" and reuse == 1:
        smallest = next((r for r in legal if r > 1), None)
        if smallest is None:
            raise ConfigError(f"layer {name!r}: its {size} matrix cannot be folded; use strategy unrolled for it")
        raise ConfigError(f"layer {name!r}: folded needs a reuse factor above 1; the smallest legal one is {smallest}")
    return reuse
