"""The activations of an hls4ml graph as integer operations: rectifiers, casts, staircases, and heads."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from hls4ml.model.types import NamedType

from fpgaq.errors import ModelError
from fpgaq.frontend import dyadic
from fpgaq.frontend.dyadic import Dyadic
from fpgaq.hls.freeze import to_hls
from fpgaq.ir import ops
from fpgaq.ir.node import Node
from fpgaq.ir.ops import softmax
from fpgaq.ir.types import FixedType, IntArray, Overflow, Rounding

if TYPE_CHECKING:
    from fpgaq.frontend.staircase import Threshold
    from fpgaq.hls.derive import Deriver

#: Fraction bits of a slope in front of which nothing has to be rounded.
SHORT_SLOPE = 8


def lower_activation(deriver: Deriver, layer: Any) -> None:
    function = layer.get_attr("activation")
    source = layer.inputs[0]
    x = deriver.operands[source]
    cast = FixedType.parse(layer.get_attr("exact_cast")) if layer.get_attr("exact_cast") else None
    node: Node
    if function == "relu":
        node = ops.Relu(name=layer.name, inputs=(source,), type=deriver.any_type(x.type.frac), layer=layer.name)
    elif function == "linear":
        node = ops.Reshape(name=layer.name, inputs=(source,), type=x.type, layer=layer.name, shape=x.shape)
    else:
        raise ModelError(
            f"layer {layer.name!r}: activation {function!r} is not supported; use relu, linear, a final softmax, "
            "or a QKeras quantizer (quantized_relu, quantized_bits, quantized_tanh, binary, ternary)"
        )
    deriver.finish(layer, node, cast)


def widen_source(deriver: Deriver, layer: Any) -> None:
    """Give what an activation reads a bit for every one that its cast drops.

    The C++ of ap_types asks for the highest of those bits where it rounds, and stops if there is none, as in sums of
    weights that are all zero. Only numbers that nothing cuts may become wider.
    """
    if not layer.get_attr("exact_cast"):
        return
    to, rounding, _ = FixedType.parse(layer.get_attr("exact_cast"))
    source = deriver.operands[layer.inputs[0]].type
    dropped, exact = source.frac - to.frac, layer.get_input_node().class_name != "Input"
    if rounding is not Rounding.TRN and exact and source.width < dropped:
        written = layer.get_input_variable().type
        if written.precision == to_hls(source):
            written.precision = to_hls(FixedType(dropped, source.frac, source.signed))


def lower_clip(deriver: Deriver, layer: Any) -> None:
    """Lower a rectifier with an upper limit, and other clipping; the limits may be finer than the input."""
    source = layer.inputs[0]
    x = deriver.operands[source]
    below = -math.ldexp(1.0, int(x.bounds.hull[0]).bit_length() - x.type.frac)  # all inputs, where there is no limit
    limits = dyadic.exact([below if math.isinf(limit) else limit for limit in layer.get_attr("limits")])
    frac = max(x.type.frac, limits.frac)
    if frac > x.type.frac:
        lo, hi = (bound << (frac - x.type.frac) for bound in x.bounds.hull)
        widened = ops.Requantize(
            name=f"{layer.name}_fine",
            inputs=(source,),
            type=FixedType.from_interval(lo, hi, frac),
            layer=layer.name,
            source_frac=x.type.frac,
            rounding=Rounding.TRN,
            overflow=Overflow.WRAP,
        )
        source = deriver.emit(widened).name
    least, most = (int(code) << (frac - limits.frac) for code in limits.codes)
    node = ops.Clip(
        name=layer.name, inputs=(source,), type=deriver.any_type(frac), layer=layer.name, least=least, most=most
    )
    deriver.set_weights(layer, "limit", limits, "c")
    deriver.finish(layer, node, None)


def lower_leaky(deriver: Deriver, layer: Any) -> None:
    """Lower a rectifier with a slope for negative values, whose products keep all their bits."""
    x = deriver.operands[layer.inputs[0]]
    slope = deriver.freeze(layer, "slope", False, deriver.precision.scale)
    frac = max(slope.frac, 0)
    node = ops.LeakyRelu(
        name=layer.name,
        inputs=(layer.inputs[0],),
        type=deriver.any_type(x.type.frac + frac),
        layer=layer.name,
        slope=slope.codes << (frac - slope.frac),
        slope_frac=frac,
    )
    deriver.set_weights(layer, "slope", slope, "a")
    deriver.finish(layer, node, None)


def has_long_slopes(layer: Any) -> bool:
    """Whether products with the slopes of a rectifier need many bits."""
    return dyadic.trailing_fraction_bits(np.asarray(layer.get_attr("slope_data"), np.float64)) > SHORT_SLOPE


def lower_thresholds(deriver: Deriver, layer: Any) -> None:
    """Lower a staircase: its thresholds become integers on the grid of the input."""
    x = deriver.operands[layer.inputs[0]]
    levels = dyadic.exact(layer.get_attr("levels"))
    lo, hi = map(int, x.bounds.hull)
    base, steps = int(levels.codes[0]), dict[int, int]()
    for threshold, level in zip(layer.get_attr("thresholds"), levels.codes[1:].tolist(), strict=True):
        code = _first_code(layer.name, threshold, x.type, hi)
        if code <= lo:
            base = level
        elif code <= hi:  # a level between two thresholds that fall on the same integer is never reached
            steps[code] = level
    codes = np.array([base, *steps.values()])
    deriver.finish(layer, staircase(deriver, layer, np.array(list(steps)), codes, levels.frac), None)


def staircase(deriver: Deriver, layer: Any, thresholds: IntArray, codes: IntArray, frac: int) -> ops.Thresholds:
    """Return the operation of a staircase, and give hls4ml its tables; `frac` is that of the codes."""
    source = layer.inputs[0]
    x = deriver.operands[source]
    if not thresholds.size:  # a table needs a step
        thresholds, codes = np.array([x.bounds.hull[1] + 1]), np.repeat(codes, 2)
    layer.set_attr("thresholds", thresholds.tolist())
    deriver.set_weights(layer, "threshold", Dyadic(thresholds, x.type.frac), "t")
    deriver.set_weights(layer, "level", Dyadic(codes, frac), "l")
    return ops.Thresholds(
        name=layer.name,
        inputs=(source,),
        type=deriver.any_type(frac),
        layer=layer.name,
        thresholds=thresholds,
        codes=codes,
    )


def _first_code(layer: str, threshold: Threshold, type_: FixedType, most: int) -> int:
    """Return the least code at and above which a staircase has passed a threshold.

    Raises
    ------
    ModelError
        If it falls back at a higher code: the float32 evaluation in training is not monotone on this grid.
    """

    def at_or_above(value: float) -> int:
        return math.ceil(Fraction(value) * Fraction(2) ** type_.frac)

    if threshold.strict:
        return math.floor(Fraction(threshold.value) * Fraction(2) ** type_.frac) + 1
    first = at_or_above(threshold.value)
    for relapse in threshold.relapses:
        start, end = at_or_above(relapse), at_or_above(float(np.nextafter(np.float32(relapse), np.float32(np.inf))))
        if start >= end or start > most:  # no input lies there
            continue
        if first < start:
            raise ModelError(
                f"layer {layer!r}: its quantizer is not monotone on inputs of type {type_}: in float32 it passes a "
                f"threshold at {threshold.value:.9g} and is below it again at {relapse:.9g}; quantize its input to "
                "fewer fraction bits or use the hard form"
            )
        first = max(first, end)
    return first


def lower_argmax(deriver: Deriver, layer: Any) -> None:
    source = layer.inputs[0]
    node = ops.ArgMax(name=layer.name, inputs=(source,), type=deriver.any_type(0), layer=layer.name)
    deriver.finish(layer, node, None)


def lower_softmax(deriver: Deriver, layer: Any) -> None:
    source = layer.inputs[0]
    x = deriver.operands[source]
    n = int(x.bounds.lo.size)
    node = ops.Softmax(
        name=layer.name,
        inputs=(source,),
        type=softmax.TABLE_TYPE,
        layer=layer.name,
        source_frac=x.type.frac,
        exponentials=softmax.exp_table(),
        inverses=softmax.inverse_table(n),
    )
    entry = to_hls(softmax.TABLE_TYPE, Rounding.RND, Overflow.SAT)
    total = FixedType(softmax.TABLE_TYPE.width + n.bit_length(), softmax.TABLE_TYPE.frac, False)
    types = {
        "exp_table_t": entry,
        "inv_table_t": entry,
        "accum_t": to_hls(total),
        "inv_inp_t": to_hls(softmax.index_type(n), Rounding.TRN, Overflow.SAT),
        "inp_norm_t": to_hls(softmax.NORM_TYPE, Rounding.TRN, Overflow.SAT),
    }
    for name, precision in types.items():
        layer.set_attr(name, NamedType(f"layer{layer.index}_{name}", precision))
    layer.set_attr("implementation", "stable")
    layer.set_attr("table_size", 1 << softmax.NORM_TYPE.width)
    deriver.emit(node)
    layer.get_output_variable().type.precision = to_hls(softmax.TABLE_TYPE, Rounding.RND_CONV, Overflow.SAT)
