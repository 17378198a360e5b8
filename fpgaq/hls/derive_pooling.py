"""Pooling layers of an hls4ml graph as integer operations.

hls4ml's C++ takes a maximum in the type of the data, and an average in its accumulator: the sum, then an integer
division that cuts towards zero at the accumulator's last bit. The accumulator gets as many fraction bits as make that
exact, or, where a divisor is no power of two, as an activation without quantizer has.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from hls4ml.model.types import NamedType

from fpgaq.errors import ConfigError
from fpgaq.frontend.spatial import Geometry
from fpgaq.hls.derive_conv import emit_windows
from fpgaq.hls.derive_matrix import holds
from fpgaq.hls.freeze import Decision, to_hls, user_precision
from fpgaq.ir import ops
from fpgaq.ir.node import Node, Operand
from fpgaq.ir.types import FixedType, IntArray

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver


def lower_pooling(deriver: Deriver, layer: Any) -> None:
    """Lower the maximum or average of windows."""
    geometry = Geometry.of_layer(layer, "pool", len(layer.get_input_variable().shape) - 1)
    windows = emit_windows(deriver, layer, geometry)
    divisors = _divisors(deriver.operands[layer.inputs[0]].shape[:-1], geometry)
    _lower_reduction(deriver, layer, windows, math.prod(geometry.size), divisors)


def lower_global_pooling(deriver: Deriver, layer: Any) -> None:
    """Lower the maximum or average of everything: one window, which is the flat tensor."""
    x = deriver.operands[layer.inputs[0]]
    name, source = f"{layer.name}_window", (layer.inputs[0],)
    window = deriver.emit(
        ops.Reshape(name=name, inputs=source, type=x.type, layer=layer.name, shape=(math.prod(x.shape),))
    )
    positions = math.prod(x.shape[:-1])
    _lower_reduction(deriver, layer, window, positions, np.array(positions))


def _lower_reduction(deriver: Deriver, layer: Any, windows: Node, positions: int, divisors: IntArray) -> None:
    """Lower what is made of every window, and give hls4ml its accumulator."""
    x = deriver.operands[windows.name]
    common: dict[str, Any] = {"name": layer.name, "inputs": (windows.name,), "layer": layer.name}
    if layer.get_attr("pool_op") == "Max":
        _set_accumulator(layer, _user_accumulator(layer, x.type) or x.type)
        node: Node = ops.WindowMax(**common, type=deriver.any_type(x.type.frac), positions=positions)
    else:
        frac = _average_frac(deriver, layer, x, positions, divisors)
        _set_accumulator(layer, _sums(x, positions, frac))
        common |= {"positions": positions, "divisors": divisors, "source_frac": x.type.frac}
        node = ops.WindowAverage(**common, type=deriver.any_type(frac))
    deriver.finish(layer, node, None)


def _sums(x: Operand, positions: int, frac: int) -> FixedType:
    """Return the type that holds the sum of any part of a window."""
    lo, hi = (positions * bound << (frac - x.type.frac) for bound in x.bounds.hull)
    return FixedType.from_interval(min(lo, 0), max(hi, 0), frac)


def _set_accumulator(layer: Any, type_: FixedType) -> None:
    layer.set_attr("accum_t", NamedType(f"layer{layer.index}_accum_t", to_hls(type_)))


def _divisors(image: tuple[int, ...], geometry: Geometry) -> IntArray:
    """Return how many positions of every window do not lie in the margin."""
    inside = np.ones((*image, 1), np.int64)
    type_ = FixedType(1, 0, False)
    margin = ops.Pad(name="", inputs=(), type=type_, layer="", before=geometry.before, after=geometry.after)
    size, stride, dilation = geometry.size, geometry.stride, geometry.dilation
    windows = ops.Windows(name="", inputs=(), type=type_, layer="", size=size, stride=stride, dilation=dilation)
    return windows.evaluate([margin.evaluate([inside[None]])])[0].sum(axis=-1)


def _average_frac(deriver: Deriver, layer: Any, x: Operand, positions: int, divisors: IntArray) -> int:
    """Return the fraction bits of an average."""
    most = int(divisors.max())
    wanted = _user_accumulator(layer, _sums(x, positions, x.type.frac))
    exact = bool(np.all(divisors & (divisors - 1) == 0))
    if wanted is None and exact:
        return x.type.frac + most.bit_length() - 1
    if wanted is None:
        average = FixedType.from_interval(*x.bounds.hull, x.type.frac)
        frac = x.type.frac + max(deriver.precision.activation - average.width, 0)
        reason = f"divided by {', '.join(map(str, np.unique(divisors)))}: cut towards zero"
    else:
        frac = wanted.frac
        reason = f"divided with the accumulator {wanted} given by the user: cut towards zero"
        if exact and frac >= x.type.frac + most.bit_length() - 1:
            return frac
    lo, hi = (bound << (frac - x.type.frac) for bound in x.bounds.hull)
    type_ = FixedType.from_interval(lo, hi, frac)
    deriver.result.decisions.append(Decision(layer.name, "average", str(type_), reason, type_.step))
    return frac


def _user_accumulator(layer: Any, exact: FixedType) -> FixedType | None:
    """Return the accumulator that the user wants, after checking that it loses nothing of the sums."""
    wanted = user_precision(layer, "accum")
    if wanted is None:
        return None
    type_, rounding, overflow = wanted
    if not holds(type_, exact):
        raise ConfigError(
            f"layer {layer.name!r}: accumulator {type_} ({rounding.value}, {overflow.value}) does not hold the sums of "
            f"a window; {exact} does, and more fraction bits make an average finer"
        )
    return type_
