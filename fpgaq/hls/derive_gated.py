"""The gated matrix of an hls4ml graph as an integer operation: integer thresholds, and the types of both its sums."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from hls4ml.model.types import NamedType

from fpgaq.errors import ConfigError, ModelError
from fpgaq.estimate.gated_choice import cheapest_gated_reuse, engine_of
from fpgaq.frontend.dyadic import Dyadic
from fpgaq.frontend.spatial import Geometry
from fpgaq.hls.derive_conv import emit_windows
from fpgaq.hls.derive_matrix import affordable_cycles
from fpgaq.hls.freeze import to_hls
from fpgaq.ir import ops
from fpgaq.ir.node import Bounds, Operand
from fpgaq.ir.ops.gated import reach
from fpgaq.ir.types import FixedType, IntArray
from fpgaq.rtl.delays import adder_inputs
from fpgaq.rtl.gated_schedule import legal_reuse

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver


def lower_gated_dense(deriver: Deriver, layer: Any) -> None:
    """Lower a gated matrix on a vector, behind the cast that makes the codes of its input."""
    x = deriver.operands[layer.inputs[0]]
    if len(x.shape) != 1:
        raise ModelError(f"layer {layer.name!r}: GatedDense on shape {list(x.shape)}; flatten its input first")
    _require_no_negative_input(deriver, layer)
    _lower_matrix(deriver, layer, layer.inputs[0])


def lower_gated_convolution(deriver: Deriver, layer: Any) -> None:
    """Lower a gated convolution: a margin of zeros, windows, and a gated matrix on every window."""
    _require_no_negative_input(deriver, layer)
    geometry = Geometry.of_layer(layer, "filt", len(layer.get_input_variable().shape) - 1)
    _lower_matrix(deriver, layer, emit_windows(deriver, layer, geometry).name)


def _lower_matrix(deriver: Deriver, layer: Any, source: str) -> None:
    x = deriver.operands[source]
    weight = deriver.freeze(layer, "weight", True, deriver.precision.weight)
    frac, low_bits = x.type.frac + weight.frac, int(layer.get_attr("low_bits"))
    node = ops.GatedMatMul(
        name=layer.name,
        inputs=(source,),
        type=deriver.any_type(frac),
        layer=layer.name,
        weight=weight.codes,
        weight_frac=weight.frac,
        low_bits=low_bits,
        thresholds=np.zeros(weight.codes.shape[1], np.int64),
    )
    node.infer([x])  # refuses what does not fit before sums of it are taken
    high, low = (reach(node.weight, part) for part in node.parts(x.bounds.channels))
    thresholds = _thresholds(layer, frac - low_bits, high)
    node = dataclasses.replace(node, thresholds=thresholds, reuse=_reuse_factor(deriver, layer, node))
    deriver.set_weights(layer, "weight", weight, "w")
    deriver.set_weights(layer, "threshold", Dyadic(thresholds, frac - low_bits), "t")
    sums = {"high": (high, frac - low_bits), "low": (low, frac)}
    for name, (bounds, sum_frac) in sums.items():
        precision = to_hls(FixedType.from_interval(min(bounds.hull[0], 0), bounds.hull[1], sum_frac))
        layer.set_attr(f"{name}_t", NamedType(f"layer{layer.index}_{name}_t", precision))
    deriver.finish(layer, node, None)


def _require_no_negative_input(deriver: Deriver, layer: Any) -> None:
    codes = layer.get_input_node()
    source: Operand = deriver.operands[codes.inputs[0]]
    least = source.bounds.hull[0]
    if least < 0:
        raise ModelError(
            f"layer {layer.name!r}: its input reaches {least * source.type.step:g}; precision gating needs inputs that "
            "are never negative: put a ReLU or quantized_relu in front of it, or an unsigned input_precision"
        )


def _thresholds(layer: Any, frac: int, high: Bounds) -> IntArray:
    """Return the floor of every threshold with `frac` fraction bits, no further out than the sums can reach.

    For an integer sum ``h > t`` and ``h > floor(t)`` are the same.
    """
    values = np.asarray(layer.weights["threshold"].data, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ModelError(f"layer {layer.name!r}: threshold contains NaN or infinity; retrain or repair the model")
    floors = [math.floor(Fraction(value) * Fraction(2) ** frac) for value in values.tolist()]
    limits = zip(floors, high.lo.tolist(), high.hi.tolist(), strict=True)
    return np.array([min(max(floor, lo - 1), hi) for floor, lo, hi in limits], dtype=np.int64)


def _reuse_factor(deriver: Deriver, layer: Any, node: ops.GatedMatMul) -> int:
    """Return the reuse factor of a layer after checking that the engine has a schedule for it.

    Under a wanted pace, if the layer has no reuse factor of its own, and with the strategy auto it is chosen: the
    engine has to be fast enough when all gates are open.
    """
    config, x = layer.model.config, deriver.operands[node.inputs[0]]
    source = Operand(x.type, x.bounds.channels)  # one matrix for all positions
    own = deriver.options.layers.get(layer.name)
    strategy = (own.strategy if own is not None else None) or deriver.options.strategy
    reuse, legal = int(config.get_reuse_factor(layer)), legal_reuse(node.n_in, node.n_out)
    operands, pace = adder_inputs(deriver.options.family), deriver.options.wanted_ii
    if pace is not None and (own is None or own.reuse_factor is None):
        cycles = affordable_cycles(deriver, layer, node, pace)
        allowed = [r for r in legal if r == 1 or engine_of(node, source, r).ii <= cycles]
        if strategy in ("folded", "unrolled"):
            reuse = max(allowed) if strategy == "folded" else 1
        else:
            reuse = cheapest_gated_reuse(node, source, allowed, adder_inputs=operands)
    elif strategy == "auto":
        reuse = cheapest_gated_reuse(node, source, [r for r in legal if r <= reuse], adder_inputs=operands)
    else:
        _require_legal(layer, node, strategy, reuse, legal)
    config.layer_name_rf[layer.name.lower()] = reuse
    return reuse


def _require_legal(layer: Any, node: ops.GatedMatMul, strategy: str | None, reuse: int, legal: list[int]) -> None:
    if (strategy == "unrolled" and reuse > 1) or (strategy == "folded" and reuse == 1):
        raise ConfigError(
            f"layer {layer.name!r}: strategy {strategy} with reuse factor {reuse} is not available for a gated layer; "
            "give it the strategy unrolled with reuse_factor 1, or folded with a larger one, or auto"
        )
    if reuse not in legal:
        nearest = [r for r in legal if r < reuse][-2:] + [r for r in legal if r > reuse][:2]
        raise ConfigError(
            f"layer {layer.name!r}: reuse factor {reuse} does not divide its gated {node.n_in}x{node.n_out} matrix; "
            f"legal neighbours are {', '.join(map(str, nearest))}"
        )
