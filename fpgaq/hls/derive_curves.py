"""Curves of an hls4ml graph, as tanh and sigmoid, as integer staircases of a stated type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.curves import curve_steps, curve_type, float64_function
from fpgaq.hls.derive_activations import staircase
from fpgaq.hls.freeze import Decision, to_hls, user_precision
from fpgaq.ir.types import FixedType, Overflow, Rounding

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver

#: Bits of a result: a staircase has a step for each code.
MOST_BITS = 10
_MODES = (Rounding.RND_CONV, Overflow.SAT)


def lower_curve(deriver: Deriver, layer: Any) -> None:
    """Lower a curve; its steps are found by Keras' own evaluation."""
    name, x = layer.get_attr("function"), deriver.operands[layer.inputs[0]]
    function = float64_function(name)
    lo, hi = map(int, x.bounds.hull)
    ends = function(np.ldexp(np.array([lo, hi], np.float64), -x.type.frac))
    try:
        to = _stated_type(layer) or curve_type(name, ends, deriver.precision.curve)
        thresholds, codes = curve_steps(function, x.type, lo, hi, to)
    except ConfigError as problem:
        raise ModelError(f"layer {layer.name!r}: {name} on inputs of type {x.type}: {problem}") from None
    reached = np.ldexp(codes[[0, -1]].astype(np.float64), -to.frac)
    error = max(to.step / 2, float(np.abs(reached - ends).max()))  # at the ends it may saturate
    reason = f"{name} without quantizer: float64 rounded half to even, saturating"
    deriver.result.decisions.append(Decision(layer.name, "activation", str(to), reason, error))
    deriver.result.casts[layer.name] = (to, *_MODES)
    final = deriver.emit(staircase(deriver, layer, thresholds, codes, to.frac))
    layer.get_output_variable().type.precision = to_hls(final.type)


def _stated_type(layer: Any) -> FixedType | None:
    """Return the type that the user wants for the result."""
    wanted = user_precision(layer, "result")
    if wanted is None:
        return None
    type_, *modes = wanted
    if tuple(modes) != _MODES:
        raise ConfigError(f"a curve is rounded half to even and saturates; write {str(type_)[:-1]},RND_CONV,SAT>")
    if type_.width > MOST_BITS:
        raise ConfigError(f"a result of {type_} has too many steps; use at most {MOST_BITS} bits")
    return type_
