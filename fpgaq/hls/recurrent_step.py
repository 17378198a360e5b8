"""The graph of one step of a recurrent layer while it is made, and the types that its C++ takes from it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from hls4ml.model.types import NamedType

from fpgaq.errors import ConfigError
from fpgaq.frontend import dyadic
from fpgaq.frontend.curves import bounded_type
from fpgaq.frontend.dyadic import Dyadic
from fpgaq.hls.derive_activations import lower_activation, lower_clip, lower_thresholds
from fpgaq.hls.derive_curves import lower_curve
from fpgaq.hls.emitter import Emitter
from fpgaq.hls.freeze import Decision, covering_type, to_hls, user_precision
from fpgaq.hls.recurrent_matrix import RecurrentMatrix
from fpgaq.ir import ops
from fpgaq.ir.node import Bounds, Node, Operand
from fpgaq.ir.ops import Function
from fpgaq.ir.types import FixedType, Overflow, Rounding

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver

_Cast = tuple[FixedType, Rounding, Overflow]
_LOWERINGS = {
    "Activation": lower_activation,
    "Clip": lower_clip,
    "Curve": lower_curve,
    "Thresholds": lower_thresholds,
}


class RecurrentStep(Emitter):
    """Builds the step of a layer.

    Nodes of the step, and tables and types of the C++, are called after its parts: update_gate, candidate and so on.

    Parameters
    ----------
    deriver : Deriver
    layer : hls4ml layer
    weights : RecurrentMatrix
        What the hidden state is multiplied with.
    """

    def __init__(self, deriver: Deriver, layer: Any, weights: RecurrentMatrix) -> None:
        super().__init__()
        self.layer, self.weights = layer, weights
        self.options, self.precision, self.result = deriver.options, deriver.precision, deriver.result
        self.output = ""
        self.sum_type = FixedType(1, 0, False)
        self._states: dict[str, FixedType] = {}
        self._after: dict[str, tuple[str, int]] = {}

    def begin(self, kernel: Node) -> None:
        """Take what a step reads of the series: the result of a node."""
        self.x = self._input("x", kernel.type, int(self.layer.get_attr("gates")) * self.units)

    @property
    def units(self) -> int:
        """Elements of a state."""
        return int(self.layer.get_attr("units"))

    @property
    def following(self) -> list[str]:
        """The states of the next step, in the order of those of this one."""
        return [self._after[state][0] for state in self._states]

    @property
    def initial(self) -> list[int]:
        """Codes of the states in the first step."""
        return [self._after[state][1] for state in self._states]

    def name(self, what: str) -> str:
        """Return the name of a node."""
        return f"{self.layer.name}_{what}"

    def _input(self, what: str, kind: FixedType, size: int) -> str:
        node = ops.Input(name=self.name(what), inputs=(), type=kind, layer=self.layer.name, shape=(size,))
        return self.emit(node).name

    def state(self, what: str) -> str:
        """Append a state that the step reads."""
        self._states[what] = self.state_type(what)
        return self._input(what.replace("_state", "_before"), self._states[what], self.units)

    def state_type(self, what: str) -> FixedType:
        """Return the type of a state: that of its quantizer, of a short exact value, or the one that is stated."""
        quantizer = self.layer.get_attr("state_quantizer")
        if quantizer is not None:
            found = _reached_type(quantizer, self.precision.curve)
            assert found is not None, quantizer
            return found
        stated, *_ = self._stated()
        exact = self._short_type(what)
        return exact if exact is not None and exact.width <= stated.width else stated

    def _stated(self) -> _Cast:
        """Return the type of states that have no quantizer."""
        wanted = user_precision(self.layer, "state") or FixedType.parse(self.options.state_precision)
        if wanted[2] not in (Overflow.SAT, Overflow.SAT_SYM):
            raise ConfigError(
                f"layer {self.layer.name!r}: a state of {wanted[0]} must saturate, as small errors would become large "
                f"ones; write {str(wanted[0])[:-1]},{wanted[1].value},SAT>"
            )
        return wanted

    def _short_type(self, what: str) -> FixedType | None:
        """Return the type of a state that is a bounded function, or a product of two; None of one that may grow."""
        activations, cell = self.layer.get_attr("activations"), self.layer.get_attr("cell")
        if what == "cell_state" or cell == "gru":
            return None
        parts = ("output",) if cell == "simple_rnn" else ("output_gate", "output")
        types = [_reached_type(activations[part], self.precision.curve) for part in parts]
        if None in types:
            return None
        lo, hi, frac = 1, 1, 0
        for kind in types:
            assert kind is not None
            corners = [a * b for a in (lo, hi) for b in (kind.min, kind.max)]
            lo, hi, frac = min(corners), max(corners), frac + kind.frac
        return FixedType.from_interval(lo, hi, frac)

    def matrix(self, what: str, source: str, first: int, gates: int) -> str:
        """Append the product with the columns of some gates of the recurrent matrix."""
        columns = slice(first * self.units, (first + gates) * self.units)
        node = self.weights.emit(self, self.name(what), source, columns, self.operands[self.x].type.frac)
        self.sum_type = _covering(self.sum_type, node.type)
        return node.name

    def part(self, what: str, source: str, first: int, gates: int = 1) -> str:
        """Append the elements of some gates."""
        start, stop = first * self.units, (first + gates) * self.units
        kind = self.operands[source].type
        node = ops.Slice(
            name=self.name(f"{what}_sum"), inputs=(source,), type=kind, layer=self.layer.name, start=start, stop=stop
        )
        return self.emit(node).name

    def merge(self, what: str, function: Function, *sources: str) -> str:
        """Append an operation of two vectors; its type is one of the C++, too."""
        fracs = tuple(self.operands[source].type.frac for source in sources)
        node = ops.Merge(
            name=self.name(what),
            inputs=sources,
            type=self.any_type(0),
            layer=self.layer.name,
            function=function,
            source_fracs=fracs,
        )
        final = self.emit(dataclasses.replace(node, type=self.any_type(node.frac)))
        self.set_type(what, to_hls(final.type))
        return final.name

    def activation(self, part: str, source: str) -> str:
        """Append the activation of a part."""
        return self._applied(part, source, self.layer.get_attr("activations")[part])

    def finish_state(self, what: str, source: str, *, is_result: bool = False) -> str:
        """Append a state of the next step; return the value without the quantizer of states."""
        quantizer, kind, x = self.layer.get_attr("state_quantizer"), self._states[what], self.operands[source]
        value, first, modes = source, 0, (Rounding.TRN, Overflow.WRAP)
        if quantizer is None:
            modes = self._stated()[1:]
            self._note_rounding(what, x, (kind, *modes))
            value = after = self._cast(what, source, (kind, *modes)).name
            self._applied(what, after, None)
        else:
            after, first = self._quantized(what, source, quantizer)
        self.set_type(what.replace("_state", ""), to_hls(self.operands[value].type, *modes))
        self._after[what] = (after, first)
        if is_result:
            self.output = value
        return value

    def _quantized(self, what: str, source: str, quantizer: dict[str, Any]) -> tuple[str, int]:
        """Append the quantizer of a state; return the state of the next step, and its code in the first step."""
        x, count, kind = self.operands[source], len(self.nodes), self._states[what]
        # QKeras quantizes the zeros of the first step, too.
        reach = Bounds(np.minimum(x.bounds.lo, 0), np.maximum(x.bounds.hi, 0))
        self.operands[source] = Operand(x.type, reach)
        after = self._applied(what, source, quantizer)
        if self.operands[after].type != kind:
            after = self._cast(f"{what}_code", after, (kind, Rounding.TRN, Overflow.SAT)).name
        self.operands[source] = x
        code = np.zeros((1, self.units), np.int64)
        for node in self.nodes[count:]:
            code = node.evaluate([code])
        return after, int(code[0, 0])

    def _cast(self, what: str, source: str, cast: _Cast) -> Node:
        to, rounding, overflow = cast
        return self.emit(
            ops.Requantize(
                name=self.name(what),
                inputs=(source,),
                type=to,
                layer=self.layer.name,
                source_frac=self.operands[source].type.frac,
                rounding=rounding,
                overflow=overflow,
            )
        )

    def _note_rounding(self, what: str, x: Operand, cast: _Cast) -> None:
        """Write down that a state is rounded or limited, if it can be."""
        to, gained = cast[0], cast[0].frac - x.type.frac
        lo, hi = x.bounds.hull
        if gained >= 0 and to.covers(lo << gained, hi << gained):
            return
        reason = f"no quantizer: rounded in every step ({cast[1].value}, {cast[2].value})"
        self.result.decisions.append(Decision(self.layer.name, what, str(to), reason, None))
        self.result.casts[self.name(what)] = cast

    def _applied(self, part: str, source: str, description: dict[str, Any] | None) -> str:
        """Append an activation or quantizer, and give the C++ its types."""
        if description is not None and description["class_name"] == "Curve":
            source = self._shortened(part, source)
        else:
            self.set_type(f"{part}_in", to_hls(self.operands[source].type))
        self.layer.set_attr(f"{part}_kind", "linear" if description is None else _kind(description))
        if description is None:
            self.set_type(part, to_hls(self.operands[source].type))
            return source
        pseudo = _Part(self, part, source, description)
        _LOWERINGS[description["class_name"]](self, pseudo)  # type: ignore[arg-type]
        self.set_type(part, pseudo.get_output_variable().type.precision)
        return pseudo.name

    def _shortened(self, part: str, source: str) -> str:
        """Limit the width of what a curve reads: its steps on a very fine grid would not be sure."""
        x = self.operands[source]
        capped = covering_type(*x.bounds.hull, x.type.frac, self.precision.activation)
        cast = (capped, Rounding.RND_CONV, Overflow.SAT)
        if capped.frac == x.type.frac:
            self.set_type(f"{part}_in", to_hls(x.type))
            return source
        reason = f"no quantizer: its exact values do not fit {self.precision.activation} bits"
        decision = Decision(self.layer.name, f"input of {part}", str(capped), reason, capped.step / 2)
        self.result.decisions.append(decision)
        self.result.casts[self.name(f"{part}_in")] = cast
        self.set_type(f"{part}_in", to_hls(*cast))
        return self._cast(f"{part}_in", source, cast).name

    def set_type(self, what: str, precision: Any) -> None:
        """Give the C++ a type."""
        self.layer.set_attr(f"{what}_t", NamedType(f"layer{self.layer.index}_{what}_t", precision))

    # What the lowering of an activation asks a deriver for.

    def finish(self, part: _Part, node: Node, cast: _Cast | None) -> None:
        """Append the last operation of an activation, with its cast if there is one."""
        rounding, overflow = Rounding.TRN, Overflow.WRAP
        if cast is not None:
            kind, rounding, overflow = cast
            inner = self.emit(dataclasses.replace(node, name=f"{part.name}_exact"))
            node = self._cast(part.what, inner.name, (kind, rounding, overflow))
        else:
            node = self.emit(node)
        part.get_output_variable().type.precision = to_hls(node.type, rounding, overflow)

    def set_weights(self, part: _Part, what: str, frozen: Dyadic, prefix: str) -> None:
        """Give the C++ a table."""
        self.layer.add_weights_variable(
            name=f"{part.what}_{what}",
            var_name=f"{part.what}_{prefix}{{index}}",
            type_name=f"{part.what}_{what}{{index}}_t",
            precision=to_hls(frozen.type),
            data=frozen.values,
        )


class _Part:
    """An activation of a step, as the lowering of an activation sees a layer."""

    def __init__(self, step: RecurrentStep, what: str, source: str, description: dict[str, Any]) -> None:
        self.what = what
        self.name = step.name(what)
        self.inputs = [source]
        self.model, self.class_name = step.layer.model, description["class_name"]
        self._attributes = dict(description)
        self._output = SimpleNamespace(type=SimpleNamespace(precision=None))

    def get_attr(self, name: str) -> Any:
        return self._attributes.get(name)

    def set_attr(self, name: str, value: Any) -> None:
        self._attributes[name] = value

    def get_output_variable(self) -> Any:
        return self._output


def _kind(description: dict[str, Any]) -> str:
    """Return what the C++ of an activation is."""
    kinds = {"Clip": "clip", "Curve": "staircase", "Thresholds": "staircase"}
    return kinds.get(description["class_name"]) or str(description["activation"])


def _reached_type(description: dict[str, Any] | None, curve_bits: int) -> FixedType | None:
    """Return a type that holds all results of an activation exactly, None where they have no limits."""
    if description is None:
        return None
    if description.get("exact_cast"):
        return FixedType.parse(description["exact_cast"])[0]
    if description["class_name"] == "Thresholds":
        return dyadic.exact(description["levels"]).type
    return bounded_type(description["function"], curve_bits) if description["class_name"] == "Curve" else None


def _covering(a: FixedType, b: FixedType) -> FixedType:
    """Return a type that holds the numbers of two."""
    frac, signed = max(a.frac, b.frac), a.signed or b.signed
    whole = max(kind.integer_bits + (signed and not kind.signed) for kind in (a, b))
    return FixedType(whole + frac, frac, signed)
