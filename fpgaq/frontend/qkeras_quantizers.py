"""What QKeras quantizers of parameters mean as integers.

Quantizers are evaluated by QKeras itself; this module only states the grid that the result lies on, so that rounding
errors of the float32 arithmetic around it can be taken out. Source: the ``__call__`` methods of qkeras.quantizers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.stored_formats import stored_as
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers import FormatQuantizer

Floats = NDArray[np.float64]

#: Numbers for alpha of at most so many significant bits become part of the weights.
_ALPHA_BITS = 8


@dataclass(frozen=True, eq=False)
class QuantizedParameter:
    """A parameter after its quantizer: ``value = codes * scale``, the codes exact.

    Parameters
    ----------
    codes : float array
        Dyadic numbers.
    scale : float array, shape (n_out,), or None
        A float factor per output channel that is not a short dyadic number (alpha='auto' or 0.3); None when there is
        none.
    format : WeightFormat or None
        Number set of the codes, where one describes them.
    unit : float array, shape (n_out,)
        ``codes`` are integers of the format times this dyadic number.
    """

    codes: Floats
    scale: Floats | None
    format: WeightFormat | None
    unit: Floats


def quantizer_name(quantizer: object) -> str:
    """Return the class name of a quantizer object, or the name of a function."""
    return getattr(quantizer, "__name__", type(quantizer).__name__)


def quantize_parameter(layer: str, what: str, quantizer: Any, values: Any) -> QuantizedParameter:
    """Evaluate a parameter quantizer and take its result apart into exact codes and a scale.

    Raises
    ------
    ModelError
        If the quantizer is not known, or its result does not lie on its grid.
    """
    if isinstance(quantizer, FormatQuantizer):
        integers, unit, own_format = quantizer.stored(values)
        # Units by channel have the last axis of a kernel, those of a depthwise one its last two.
        units = np.broadcast_to(unit, integers.shape[-max(1, unit.ndim) :]).reshape(-1)
        return QuantizedParameter(integers * unit, None, own_format, units)
    name = quantizer_name(quantizer)
    grid = _PARAMETER_GRIDS.get(name)
    if grid is None:
        raise ModelError(
            f"layer {layer!r}: {what} quantizer {name!r} is not supported; use one of "
            f"{', '.join(sorted(_PARAMETER_GRIDS))}, or a quantizer of fpgaq.quantize.quantizers"
        )
    about = f"layer {layer!r}: {what} quantizer {name!r}"
    result = _evaluated(about, quantizer, values)
    scale = _scale(about, quantizer, result.shape[-1])
    divided = _is_float_scale(quantizer, scale)
    if divided:
        result = result / np.where(scale == 0, 1.0, scale)
    units = np.ones_like(scale) if divided else scale
    codes = _on_grid(about, result, grid(quantizer, units))
    try:
        format, units = stored_as(name, quantizer, codes, units)
    except ConfigError as problem:
        raise ModelError(f"{about}: {problem}") from None
    return QuantizedParameter(codes, scale if divided else None, format, units)


def without_stochastic_rounding(quantizer: Any) -> Any:
    """Return a copy of a quantizer that rounds to the nearest."""
    twin = copy.copy(quantizer)
    for option in ("use_stochastic_rounding", "_use_stochastic_rounding"):  # quantized_linear hides it
        if option in vars(twin):
            vars(twin)[option] = False
    return twin


def _evaluated(about: str, quantizer: Any, values: Any) -> Floats:
    """Return what QKeras makes of a parameter when the model does not train: stochastic quantizers are fixed then."""
    try:
        result = np.asarray(quantizer(values), dtype=np.float64)
    except Exception as problem:  # Keras raises whatever its back end raises
        options = ", ".join(f"{key}={value}" for key, value in quantizer.get_config().items() if value is not None)
        raise ModelError(
            f"{about} with {options}: QKeras cannot evaluate it ({type(problem).__name__}); use other options"
        ) from problem
    if getattr(quantizer, "use_stochastic_rounding", False):
        nearest = np.asarray(without_stochastic_rounding(quantizer)(values), dtype=np.float64)
        if not np.array_equal(result, nearest):
            raise ModelError(f"{about} rounds at random with use_stochastic_rounding=True; switch it off for export")
    if not np.isfinite(result).all() and np.isfinite(np.asarray(values)).all():
        raise ModelError(
            f"{about} with bits={quantizer.bits}, alpha={getattr(quantizer, 'alpha', None)!r} gives NaN or infinity; "
            "use more bits, or alpha=1"
        )
    return result


def _scale(about: str, quantizer: Any, n_out: int) -> Floats:
    """Return the factor of every output channel, ones where the quantizer has none."""
    alpha = getattr(quantizer, "alpha", None)
    if alpha is None:
        return np.ones(n_out)
    # QKeras computes in float32, so that this is the precision of an alpha.
    scale = np.asarray(quantizer.scale if isinstance(alpha, str) else alpha, np.float32).astype(np.float64)
    if scale.size != 1 and (scale.size != n_out or scale.shape[-1] != n_out):
        raise ModelError(
            f"{about} has scales of shape {list(scale.shape)} (scale_axis={getattr(quantizer, 'scale_axis', None)}, "
            f"elements_per_scale={getattr(quantizer, 'elements_per_scale', None)}), not one per output channel; "
            "leave scale_axis out"
        )
    return np.broadcast_to(scale.reshape(-1), (n_out,)).copy()


def _is_float_scale(quantizer: Any, scale: Floats) -> bool:
    """Return whether a scale goes into a factor after the matrix, and not into the weights."""
    alpha = getattr(quantizer, "alpha", None)
    if isinstance(alpha, str):
        return alpha == "auto"
    mantissa, _ = np.frexp(scale)
    return bool(np.any(np.ldexp(mantissa, _ALPHA_BITS) % 1))


def _on_grid(about: str, values: Floats, step: float | None) -> Floats:
    """Snap to multiples of `step`, or to powers of two when there is none."""
    if step is None:
        magnitude = np.abs(values)
        codes = np.where(
            values == 0, 0.0, np.sign(values) * np.exp2(np.rint(np.log2(np.where(values == 0, 1.0, magnitude))))
        )
    else:
        codes = np.rint(values / step) * step
    error = float(np.abs(values - codes).max()) if values.size else 0.0
    if error > 1e-5 * max(1.0, float(np.abs(values).max(initial=0.0))):
        raise ModelError(
            f"{about}: its values are not on a power-of-two grid (off by {error:.2g}); use alpha=1, 'auto' or "
            "'auto_po2', and qnoise_factor=1"
        )
    return codes


def _common_step(scale: Floats) -> float:
    """Return the largest power of two that divides every factor."""
    scale = np.abs(scale[scale != 0])
    if not scale.size:
        return 1.0
    mantissa, exponent = np.frexp(scale)
    # An alpha of 0.75 moves the grid to multiples of 0.25: the odd part of the mantissa stays in the codes.
    integers = np.ldexp(mantissa, 24).astype(np.int64)
    trailing = np.log2((integers & -integers).astype(np.float64))
    return float(np.exp2((exponent - 24 + trailing).min()))


def _fixed_step(quantizer: Any, scale: Floats) -> float:
    """Step of quantized_bits and quantized_linear."""
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    unsigned = bits - int(bool(quantizer.keep_negative))
    if unsigned == 0:  # one bit: the sign; that of quantized_linear is worth half its range
        return _common_step(scale) * (2.0 ** (integer - 1) if quantizer_name(quantizer) == "quantized_linear" else 1)
    # With a scale, the scale already holds the 2^unsigned that normalises the codes.
    return 2.0 ** (integer - unsigned) * _common_step(scale)


def _binary_step(quantizer: Any, scale: Floats) -> float:
    return _common_step(scale) * (0.5 if getattr(quantizer, "use_01", False) and quantizer.alpha is not None else 1.0)


def _sign_step(quantizer: Any, scale: Floats) -> float:
    return _common_step(scale)


#: The step of the codes, given the quantizer and the factors that stay in them; none where they are powers of two.
_PARAMETER_GRIDS: dict[str, Callable[[Any, Floats], float | None]] = {
    "binary": _binary_step,
    "quantized_bits": _fixed_step,
    "quantized_linear": _fixed_step,
    "quantized_po2": lambda quantizer, scale: None,
    "quantized_relu_po2": lambda quantizer, scale: None,
    "stochastic_binary": _sign_step,
    "stochastic_ternary": _sign_step,
    "ternary": _sign_step,
}
