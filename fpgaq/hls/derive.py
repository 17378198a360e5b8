"""From an hls4ml graph to the integer graph, and exact types back to the hls4ml graph.

Both happen in one walk: the integer operations of a layer are built, their exact bounds give the types, and the same
types are written into the hls4ml layer. Golden model, C++ and RTL then cannot differ in a type.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hls4ml.model.types import NamedType, UnspecifiedPrecisionType

from fpgaq.config import Options
from fpgaq.errors import ConfigError, ModelError
from fpgaq.estimate.schedule_choice import cheapest_reuse
from fpgaq.frontend import dyadic
from fpgaq.frontend.dyadic import Dyadic
from fpgaq.hls import derive_activations as activations
from fpgaq.hls.derive_gated import lower_gated_dense
from fpgaq.hls.freeze import Decision, covering_type, freeze_parameter, to_hls, user_precision
from fpgaq.ir import ops
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Bounds, Node, Operand
from fpgaq.ir.types import FixedType, Overflow, Rounding
from fpgaq.quantize import formats
from fpgaq.rtl.delays import adder_inputs
from fpgaq.rtl.input_bits import known_levels

#: Type of a node while its exact bounds are computed.
_ANY = 64
_Cast = tuple[FixedType, Rounding, Overflow]


@dataclass
class Derivation:
    """What the walk found.

    Parameters
    ----------
    graph : Graph
        The integer graph, one or more nodes per hls4ml layer; the last one has the layer's name.
    parameters : dict
        Frozen arrays by layer and attribute ("weight", "bias", "scale").
    decisions : list of Decision
    casts : dict
        Casts that the conversion added to layers whose activation the model left in float.
    """

    graph: Graph
    parameters: dict[str, dict[str, Dyadic]] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    casts: dict[str, _Cast] = field(default_factory=dict)


class Deriver:
    """One walk over an hls4ml graph.

    Parameters
    ----------
    model : hls4ml.model.ModelGraph
    options : Options
        Bits for what the model leaves in float, and the schedules wanted.
    """

    def __init__(self, model: Any, options: Options) -> None:
        self.model = model
        self.options = options
        self.precision = options.precision
        self.nodes: list[Node] = []
        self.operands: dict[str, Operand] = {}
        self.result = Derivation(graph=None)  # type: ignore[arg-type]

    def run(self) -> Derivation:
        """Derive every layer in topological order."""
        for layer in self.model.get_layers():
            lower = _LOWERINGS.get(layer.class_name)
            if lower is None:
                raise ModelError(
                    f"layer {layer.name!r}: {layer.class_name} layers are not supported; "
                    f"supported are {', '.join(sorted(_LOWERINGS))}"
                )
            lower(self, layer)
            _settle_unused_types(layer)
        by_name = {node.name: node for node in self.nodes}
        inputs = [by_name.pop(name) for name in self.model.inputs]  # the model's order, not the walk's
        name, outputs = self.model.config.get_project_name(), tuple(self.model.outputs)
        self.result.graph = Graph(name, [*inputs, *by_name.values()], outputs)
        return self.result

    def emit(self, node: Node) -> Node:
        """Append a node after giving it the narrowest type that holds its exact result."""
        operands = [self.operands[i] for i in node.inputs]
        bounds = node.infer(operands)
        if node.type.width == _ANY:
            node = dataclasses.replace(node, type=FixedType.from_interval(*bounds.hull, node.type.frac))
        self.nodes.append(node)
        self.operands[node.name] = Operand(node.type, bounds)
        return node

    @staticmethod
    def any_type(frac: int) -> FixedType:
        """Return the type of a node whose width `emit` will find."""
        return FixedType(_ANY, frac, True)

    def finish(self, layer: Any, node: Node, cast: _Cast | None) -> None:
        """Append the last operation of a layer, with its cast if there is one, and give hls4ml the type."""
        wanted = user_precision(layer, "result")
        if wanted is not None and wanted != cast:
            self._note_user_result(layer, node, wanted)
            cast = wanted
        if cast is None:
            cast = self._cap(layer, node)
        rounding, overflow = Rounding.TRN, Overflow.WRAP
        if cast is not None:
            type_, rounding, overflow = cast
            inner = self.emit(dataclasses.replace(node, name=f"{layer.name}_exact"))
            node = ops.Requantize(
                name=layer.name,
                inputs=(inner.name,),
                type=type_,
                layer=layer.name,
                source_frac=inner.type.frac,
                rounding=rounding,
                overflow=overflow,
            )
        final = self.emit(node)
        layer.get_output_variable().type.precision = to_hls(final.type, rounding, overflow)

    def _note_user_result(self, layer: Any, node: Node, wanted: _Cast) -> None:
        operands = [self.operands[i] for i in node.inputs]
        hull = node.infer(operands).hull
        exact = FixedType.from_interval(*hull, node.type.frac)
        to, rounding, overflow = wanted
        if to.frac >= exact.frac and to.covers(hull[0] << (to.frac - exact.frac), hull[1] << (to.frac - exact.frac)):
            return
        reason = f"type given by the user ({rounding.value}, {overflow.value}); {exact} would be exact"
        self.result.decisions.append(Decision(layer.name, "result", str(to), reason, None))
        self.result.casts[layer.name] = wanted

    def _cap(self, layer: Any, node: Node) -> _Cast | None:
        """Limit the width of a result that has no quantizer and feeds a matrix."""
        if layer.class_name in ("Input", "Thresholds") or not _feeds_matrix(layer):
            return None
        bounds: Bounds = node.infer([self.operands[i] for i in node.inputs])
        capped = covering_type(*bounds.hull, node.type.frac, self.precision.activation)
        if capped.frac == node.type.frac:
            return None
        cast = (capped, Rounding.RND_CONV, Overflow.SAT)
        reason = f"no quantizer: its exact values do not fit {self.precision.activation} bits"
        self.result.decisions.append(Decision(layer.name, "activation", str(capped), reason, capped.step / 2))
        self.result.casts[layer.name] = cast
        return cast

    def freeze(self, layer: Any, what: str, exact: bool, bits: int) -> Dyadic:
        """Freeze one parameter of a layer."""
        frozen, decision = freeze_parameter(layer, what, layer.weights[what].data, exact, bits)
        if decision is not None:
            self.result.decisions.append(decision)
        self.result.parameters.setdefault(layer.name, {})[what] = frozen
        return frozen

    def set_weights(self, layer: Any, what: str, frozen: Dyadic, prefix: str) -> None:
        """Give hls4ml frozen values with the narrowest type that holds them."""
        layer.add_weights_variable(
            name=what,
            var_name=f"{prefix}{{index}}",
            type_name=f"{what}{{index}}_t",
            precision=to_hls(frozen.type),
            data=frozen.values,
        )


def _settle_unused_types(layer: Any) -> None:
    """Give the type of the result to what hls_config left 'auto' and no operation uses, as the parameter of a ReLU."""
    for type_ in layer.types.values():
        if isinstance(type_.precision, UnspecifiedPrecisionType):
            type_.precision = layer.get_output_variable().type.precision


def _feeds_matrix(layer: Any) -> bool:
    return any(
        consumer.class_name == "Dense" or (consumer.class_name == "Reshape" and _feeds_matrix(consumer))
        for consumer in layer.get_output_nodes()
    )


def _lower_input(deriver: Deriver, layer: Any) -> None:
    wanted = user_precision(layer, "result")
    if wanted is None:
        default = layer.model.config.model_precision.get("default", "auto")
        wanted = FixedType.parse(deriver.options.input_precision if str(default) == "auto" else str(default))
    shape = tuple(layer.get_output_variable().shape)
    node = ops.Input(name=layer.name, inputs=(), type=wanted[0], layer=layer.name, shape=shape)
    deriver.emit(node)
    layer.get_output_variable().type.precision = to_hls(wanted[0])


def _lower_dense(deriver: Deriver, layer: Any) -> None:
    x = deriver.operands[layer.inputs[0]]
    if len(x.shape) != 1:
        raise ModelError(f"layer {layer.name!r}: Dense on shape {list(x.shape)}; flatten its input first")
    bits = deriver.precision.weight
    weight = deriver.freeze(layer, "weight", bool(layer.get_attr("weight_exact")), bits)
    bias = deriver.freeze(layer, "bias", bool(layer.get_attr("bias_exact")), bits)
    frac = max(x.type.frac + weight.frac, bias.frac)
    node = ops.MatMul(
        name=layer.name,
        inputs=(layer.inputs[0],),
        type=deriver.any_type(frac),
        layer=layer.name,
        weight=weight.codes << (frac - x.type.frac - weight.frac),
        weight_frac=frac - x.type.frac,
        bias=bias.codes << (frac - bias.frac),
        **_stored_format(layer, weight, frac - x.type.frac),
    )
    node = dataclasses.replace(node, reuse=_reuse_factor(deriver, layer, node, x))
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


def _stored_format(layer: Any, weight: Dyadic, frac: int) -> dict[str, Any]:
    """Return format and unit of a matrix whose weights get `frac` fraction bits."""
    if not layer.get_attr("weight_format") or np.any(weight.values != layer.weights["weight"].data):
        return {}
    unit = dyadic.exact(layer.get_attr("weight_unit"))
    finer = max(unit.frac - frac, 0)
    codes = unit.codes << (frac + finer - unit.frac)
    return {"format": formats.from_json(layer.get_attr("weight_format")), "unit": codes, "unit_frac": finer}


def _accumulator_cast(layer: Any, exact: FixedType) -> _Cast | None:
    """Return the wrap that a user's narrower accumulator makes; refuse one that rounds or saturates every addition."""
    wanted = user_precision(layer, "accum")
    if wanted is None:
        return None
    type_, rounding, overflow = wanted
    lossless = type_.frac >= exact.frac and type_.integer_bits - type_.signed >= exact.integer_bits - exact.signed
    if lossless and (type_.signed or not exact.signed):
        return None
    if overflow is not Overflow.WRAP or type_.frac < exact.frac:
        raise ConfigError(
            f"layer {layer.name!r}: accumulator {type_} ({rounding.value}, {overflow.value}) rounds or saturates at "
            "every "
            f"addition, so that the sum depends on their order; {exact} is exact, and wrapping types with "
            f"{exact.frac} fraction bits are reproduced"
        )
    return type_, Rounding.TRN, Overflow.WRAP


def _reuse_factor(deriver: Deriver, layer: Any, matrix: ops.MatMul, source: Operand) -> int:
    """Return the reuse factor of a layer after checking hls4ml's legality rule; with strategy auto the cheapest one."""
    config = layer.model.config
    reuse = config.get_reuse_factor(layer)
    own = deriver.options.layers.get(layer.name)
    strategy = (own.strategy if own is not None else None) or deriver.options.strategy
    legal = config.backend.get_valid_reuse_factors(matrix.n_in, matrix.n_out)
    if strategy == "auto":
        levels = known_levels({node.name: node for node in deriver.nodes}, matrix.inputs[0])
        operands = adder_inputs(deriver.options.family)
        chosen = cheapest_reuse(matrix, source, reuse, legal, adder_inputs=operands, levels=levels)
    else:
        chosen = _required_reuse(layer.name, strategy, reuse, legal, matrix)
    config.layer_name_rf[layer.name.lower()] = chosen
    config.layer_name_strategy[layer.name.lower()] = "resource" if chosen > 1 else "latency"
    return chosen


def _required_reuse(name: str, strategy: str | None, reuse: int, legal: list[int], matrix: ops.MatMul) -> int:
    if reuse not in legal:
        below = [r for r in legal if r < reuse][-2:]
        above = [r for r in legal if r > reuse][:2]
        raise ConfigError(
            f"layer {name!r}: reuse factor {reuse} does not divide its {matrix.n_in}x{matrix.n_out} matrix; "
            f"legal neighbours are {', '.join(map(str, below + above))}"
        )
    if strategy == "unrolled" and reuse > 1:
        raise ConfigError(f"layer {name!r}: unrolled means reuse factor 1, not {reuse}; use strategy folded or auto")
    if strategy == "folded" and reuse == 1:
        smallest = next((r for r in legal if r > 1), None)
        if smallest is None:
            raise ConfigError(f"layer {name!r}: its 1x1 matrix cannot be folded; use strategy unrolled for it")
        raise ConfigError(f"layer {name!r}: folded needs a reuse factor above 1; the smallest legal one is {smallest}")
    return reuse


def _lower_batch_normalization(deriver: Deriver, layer: Any) -> None:
    x = deriver.operands[layer.inputs[0]]
    scale = deriver.freeze(layer, "scale", False, deriver.precision.scale)
    bias = deriver.freeze(layer, "bias", bool(layer.get_attr("bias_exact")), deriver.precision.scale)
    frac = max(x.type.frac + scale.frac, bias.frac)
    node = ops.Affine(
        name=layer.name,
        inputs=(layer.inputs[0],),
        type=deriver.any_type(frac),
        layer=layer.name,
        scale=scale.codes.reshape(-1) << (frac - x.type.frac - scale.frac),
        scale_frac=frac - x.type.frac,
        bias=bias.codes.reshape(-1) << (frac - bias.frac),
    )
    deriver.set_weights(layer, "scale", scale, "s")
    deriver.set_weights(layer, "bias", bias, "b")
    deriver.finish(layer, node, None)


def _lower_reshape(deriver: Deriver, layer: Any) -> None:
    x = deriver.operands[layer.inputs[0]]
    shape = tuple(layer.get_output_variable().shape)
    node = ops.Reshape(name=layer.name, inputs=(layer.inputs[0],), type=x.type, layer=layer.name, shape=shape)
    deriver.emit(node)
    layer.get_output_variable().type.precision = layer.get_input_variable().type.precision


_LOWERINGS: dict[str, Callable[[Deriver, Any], None]] = {
    "Activation": activations.lower_activation,
    "ArgMax": activations.lower_argmax,
    "BatchNormalization": _lower_batch_normalization,
    "Clip": activations.lower_clip,
    "Dense": _lower_dense,
    "GatedDense": lower_gated_dense,
    "Input": _lower_input,
    "Reshape": _lower_reshape,
    "Softmax": activations.lower_softmax,
    "Thresholds": activations.lower_thresholds,
}
