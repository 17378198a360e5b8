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
from fpgaq.ir.types import FixedType, Overflow, Rounding

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver


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


def lower_rectifier_layer(deriver: Deriver, layer: Any) -> None:
    """Lower ``ReLU()``, which hls4ml's parser hands over as a rectifier with threshold 0."""
    threshold = float(layer.get_attr("activ_param", 0.0))
    if threshold != 0.0:
        raise ModelError(f"layer {layer.name!r}: ReLU with threshold={threshold} is not supported; use threshold=0")
    source = layer.inputs[0]
    frac = deriver.operands[source].type.frac
    node = ops.Relu(name=layer.name, inputs=(source,), type=deriver.any_type(frac), layer=layer.name)
    deriver.finish(layer, node, None)


def lower_thresholds(deriver: Deriver, layer: Any) -> None:
    x = deriver.operands[layer.inputs[0]]
    given: list[tuple[float, bool]] = layer.get_attr("thresholds")
    levels = dyadic.exact(layer.get_attr("levels"))
    # A level between two thresholds that fall on the same integer is never reached.
    steps: dict[int, int] = {}
    for (value, strict), level in zip(given, levels.codes[1:], strict=True):
        scaled = Fraction(value) * Fraction(2) ** x.type.frac
        steps[math.floor(scaled) + 1 if strict else math.ceil(scaled)] = int(level)
    node = ops.Thresholds(
        name=layer.name,
        inputs=(layer.inputs[0],),
        type=deriver.any_type(levels.frac),
        layer=layer.name,
        thresholds=np.array(list(steps)),
        codes=np.array([int(levels.codes[0]), *steps.values()]),
    )
    layer.set_attr("thresholds", list(steps))
    deriver.set_weights(layer, "threshold", Dyadic(node.thresholds, x.type.frac), "t")
    deriver.set_weights(layer, "level", Dyadic(node.codes, levels.frac), "l")
    deriver.finish(layer, node, None)


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
