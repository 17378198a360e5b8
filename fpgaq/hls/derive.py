"""From an hls4ml graph to the integer graph, and exact types back to the hls4ml graph.

Both happen in one walk: the integer operations of a layer are built, their exact bounds give the types, and the same
types are written into the hls4ml layer. Golden model, C++ and RTL then cannot differ in a type.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hls4ml.model.types import UnspecifiedPrecisionType

from fpgaq.config import Options
from fpgaq.errors import ModelError
from fpgaq.frontend.dyadic import Dyadic
from fpgaq.hls import derive_activations as activations
from fpgaq.hls.derive_arrange import lower_arrange
from fpgaq.hls.derive_conv import lower_convolution, lower_depthwise, lower_margin, lower_zero_padding
from fpgaq.hls.derive_curves import lower_curve
from fpgaq.hls.derive_gated import lower_gated_convolution, lower_gated_dense
from fpgaq.hls.derive_matrix import lower_dense
from fpgaq.hls.derive_merge import lower_merge
from fpgaq.hls.derive_pooling import lower_global_pooling, lower_pooling
from fpgaq.hls.derive_recurrent import lower_recurrent
from fpgaq.hls.emitter import Emitter
from fpgaq.hls.freeze import Decision, covering_type, freeze_parameter, to_hls, user_precision
from fpgaq.ir import ops
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Bounds, Node
from fpgaq.ir.types import FixedType, Overflow, Rounding

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


class Deriver(Emitter):
    """One walk over an hls4ml graph.

    Parameters
    ----------
    model : hls4ml.model.ModelGraph
    options : Options
        Bits for what the model leaves in float, and the schedules wanted.
    """

    def __init__(self, model: Any, options: Options) -> None:
        super().__init__()
        self.model = model
        self.options = options
        self.precision = options.precision
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
        gained = to.frac - exact.frac
        symmetric = to.signed and overflow is Overflow.SAT_SYM  # which has no use for the least code
        if gained >= 0 and to.covers((hull[0] << gained) - symmetric, hull[1] << gained):
            return
        reason = f"type given by the user ({rounding.value}, {overflow.value}); {exact} would be exact"
        self.result.decisions.append(Decision(layer.name, "result", str(to), reason, None))
        self.result.casts[layer.name] = wanted

    def _cap(self, layer: Any, node: Node) -> _Cast | None:
        """Limit the width of a result that has no quantizer and feeds what wants short numbers."""
        if layer.class_name in ("Input", "Thresholds") or _only_moves_values(layer) or not _feeds_matrix(layer):
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
        _wants_short_input(consumer) or (_only_moves_values(consumer) and _feeds_matrix(consumer))
        for consumer in layer.get_output_nodes()
    )


def _wants_short_input(layer: Any) -> bool:
    """Whether a layer makes numbers much longer, or has to tell them apart: matrices, long slopes, and curves."""
    if layer.class_name == "Leaky":
        return activations.has_long_slopes(layer)
    if layer.class_name == "Curve":
        return True
    return _LOWERINGS.get(layer.class_name) in _MATRICES


def _only_moves_values(layer: Any) -> bool:
    return (
        layer.class_name in _MOVES
        or layer.get_attr("pool_op") == "Max"
        or (layer.class_name == "MergeMany" and layer.get_attr("function") == "concatenate")
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


def _lower_activation(deriver: Deriver, layer: Any) -> None:
    activations.widen_source(deriver, layer)
    activations.lower_activation(deriver, layer)


def _lower_reshape(deriver: Deriver, layer: Any) -> None:
    x = deriver.operands[layer.inputs[0]]
    shape = tuple(layer.get_output_variable().shape)
    node = ops.Reshape(name=layer.name, inputs=(layer.inputs[0],), type=x.type, layer=layer.name, shape=shape)
    deriver.emit(node)
    layer.get_output_variable().type.precision = layer.get_input_variable().type.precision


_LOWERINGS: dict[str, Callable[[Deriver, Any], None]] = {
    "Activation": _lower_activation,
    "ArgMax": activations.lower_argmax,
    "Arrange": lower_arrange,
    "BatchNormalization": _lower_batch_normalization,
    "Clip": activations.lower_clip,
    "Concatenate": lower_merge,
    "Conv1D": lower_convolution,
    "Conv2D": lower_convolution,
    "Curve": lower_curve,
    "Dense": lower_dense,
    "DepthwiseConv1D": lower_depthwise,
    "DepthwiseConv2D": lower_depthwise,
    "GatedConvolution": lower_gated_convolution,
    "GatedDense": lower_gated_dense,
    "GlobalPooling1D": lower_global_pooling,
    "GlobalPooling2D": lower_global_pooling,
    "Input": _lower_input,
    "Leaky": activations.lower_leaky,
    "Margin": lower_margin,
    "Merge": lower_merge,
    "MergeMany": lower_merge,
    "Pooling1D": lower_pooling,
    "Pooling2D": lower_pooling,
    "Recurrent": lower_recurrent,
    "Reshape": _lower_reshape,
    "Softmax": activations.lower_softmax,
    "Thresholds": activations.lower_thresholds,
    "ZeroPadding1D": lower_zero_padding,
    "ZeroPadding2D": lower_zero_padding,
}
_MATRICES = (lower_convolution, lower_dense, lower_depthwise, lower_recurrent)
_MOVES = ("Arrange", "Concatenate", "Margin", "Reshape", "ZeroPadding1D", "ZeroPadding2D")
