"""What QKeras quantizers mean as integers: codes of parameters, casts of activations.

Quantizers are evaluated by QKeras itself; this module only states the grid that the result lies on, so that rounding
errors of the float32 arithmetic around it can be taken out. Source: the ``__call__`` methods of qkeras.quantizers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.stored_formats import stored_as
from fpgaq.ir.types import FixedType, Overflow, Rounding
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers import FormatQuantizer

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class QuantizedParameter:
    """A parameter after its quantizer: ``value = codes * scale``, the codes exact.

    Parameters
    ----------
    codes : float array
        Dyadic numbers.
    scale : float array, shape (n_out,), or None
        A float factor per output channel that is not a power of two (alpha='auto'); None when there is none.
    format : WeightFormat or None
        Number set of the codes, where one describes them.
    unit : float array, shape (n_out,)
        ``codes`` are integers of the format times this dyadic number.
    """

    codes: Floats
    scale: Floats | None
    format: WeightFormat | None
    unit: Floats


@dataclass(frozen=True)
class Cast:
    """An activation quantizer that is a cast, after a rectifier or not."""

    rectify: bool
    type: FixedType
    rounding: Rounding
    overflow: Overflow

    def __str__(self) -> str:
        return f"{str(self.type)[:-1]},{self.rounding.value},{self.overflow.value}>"


@dataclass(frozen=True)
class Staircase:
    """An activation quantizer with few levels.

    Parameters
    ----------
    thresholds : tuple of (float, bool)
        Value of each threshold, ascending; true when the level changes only above it, false when already at it.
    levels : tuple of float
        One more than thresholds.
    """

    thresholds: tuple[tuple[float, bool], ...]
    levels: tuple[float, ...]


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
        return QuantizedParameter(integers * unit, None, own_format, np.full(integers.shape[-1], unit))
    name = quantizer_name(quantizer)
    grid = _PARAMETER_GRIDS.get(name)
    if grid is None:
        raise ModelError(
            f"layer {layer!r}: {what} quantizer {name!r} is not supported; use one of "
            f"{', '.join(sorted(_PARAMETER_GRIDS))}, or a quantizer of fpgaq.quantize.quantizers"
        )
    if getattr(quantizer, "use_stochastic_rounding", False) or name.startswith("stochastic"):
        raise ModelError(
            f"layer {layer!r}: {what} quantizer {name!r} rounds at random; use its deterministic form for export"
        )
    result = np.asarray(quantizer(values), dtype=np.float64)
    scale: Floats | None = None
    if getattr(quantizer, "alpha", None) == "auto":
        scale = np.broadcast_to(np.asarray(quantizer.scale, np.float64).reshape(-1), result.shape[-1:]).copy()
        result = result / np.where(scale == 0, 1.0, scale)
    codes = _on_grid(layer, what, name, result, grid(quantizer))
    try:
        format, units = stored_as(name, quantizer, codes)
    except ConfigError as problem:
        raise ModelError(f"layer {layer!r}: {what} quantizer {name!r}: {problem}") from None
    return QuantizedParameter(codes, scale, format, units)


def _on_grid(layer: str, what: str, name: str, values: Floats, step: float | None) -> Floats:
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
            f"layer {layer!r}: the values of {what} quantizer {name!r} are not on a power-of-two grid (off by "
            f"{error:.2g}); "
            "use alpha=1, 'auto' or 'auto_po2'"
        )
    return codes


def _alpha_step(quantizer: Any) -> float:
    """Return the largest power of two that divides every alpha."""
    alpha = getattr(quantizer, "alpha", None)
    if alpha is None or alpha == "auto":
        return 1.0
    scale = np.asarray(quantizer.scale if alpha == "auto_po2" else alpha, dtype=np.float64)
    scale = np.abs(scale[scale != 0])
    if not scale.size:
        return 1.0
    mantissa, exponent = np.frexp(scale)
    # An alpha of 0.75 moves the grid to multiples of 0.25: the odd part of the mantissa stays in the codes.
    integers = np.ldexp(mantissa, 24).astype(np.int64)
    trailing = np.log2((integers & -integers).astype(np.float64))
    return float(np.exp2((exponent - 24 + trailing).min()))


def _fixed_step(quantizer: Any) -> float:
    """Step of quantized_bits and quantized_linear."""
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    unsigned = bits - int(bool(quantizer.keep_negative))
    if unsigned == 0:  # one bit: the sign; that of quantized_linear is worth half its range
        return _alpha_step(quantizer) * (2.0 ** (integer - 1) if quantizer_name(quantizer) == "quantized_linear" else 1)
    # With a scale, the scale already holds the 2^unsigned that normalises the codes.
    return 2.0 ** (integer - unsigned) * _alpha_step(quantizer)


_PARAMETER_GRIDS: dict[str, Callable[[Any], float | None]] = {
    "quantized_bits": _fixed_step,
    "quantized_linear": _fixed_step,
    "binary": lambda q: _alpha_step(q) * (0.5 if q.use_01 and q.alpha is not None else 1.0),
    "ternary": _alpha_step,
    "stochastic_binary": _alpha_step,
    "stochastic_ternary": _alpha_step,
    "quantized_po2": lambda q: None,
    "quantized_relu_po2": lambda q: None,
}


def activation_meaning(layer: str, quantizer: Any) -> Cast | Staircase:
    """Return the integer meaning of an activation quantizer.

    Raises
    ------
    ModelError
        If the quantizer, or an option of it, has no exact integer form.
    """
    name = quantizer_name(quantizer)
    reader = _ACTIVATIONS.get(name)
    if reader is None:
        raise ModelError(
            f"layer {layer!r}: activation quantizer {name!r} is not supported; use one of "
            f"{', '.join(sorted(_ACTIVATIONS))}"
        )
    if getattr(quantizer, "use_stochastic_rounding", False):
        raise _refuse(layer, name, "use_stochastic_rounding=True", "switch it off for export")
    if float(np.asarray(getattr(quantizer, "qnoise_factor", 1.0))) != 1.0:
        raise _refuse(layer, name, f"qnoise_factor={quantizer.qnoise_factor}", "set it to 1 for export")
    return reader(layer, quantizer)


def _refuse(layer: str, name: str, option: str, way_out: str) -> ModelError:
    return ModelError(f"layer {layer!r}: {name} with {option} has no exact integer form here; {way_out}")


def _fixed_alpha(layer: str, quantizer: Any) -> float:
    """Return the numeric alpha of an activation quantizer, 1 when there is none."""
    alpha = quantizer.alpha
    if isinstance(alpha, str):
        raise _refuse(
            layer, quantizer_name(quantizer), f"alpha={alpha!r}", "its scale depends on the data: use alpha=1"
        )
    return 1.0 if alpha is None else float(np.asarray(alpha).reshape(-1)[0])


def _bits_activation(layer: str, quantizer: Any) -> Cast | Staircase:
    if _fixed_alpha(layer, quantizer) != 1.0:
        raise _refuse(layer, quantizer_name(quantizer), f"alpha={quantizer.alpha}", "use alpha=1")
    bits, integer, signed = int(quantizer.bits), int(quantizer.integer), bool(quantizer.keep_negative)
    if bits - signed == 0:
        return _sign(0.0, strict=False, low=-1.0)
    overflow = Overflow.SAT_SYM if quantizer.symmetric and signed else Overflow.SAT
    return Cast(False, FixedType(bits, bits - signed - integer, signed), Rounding.RND_CONV, overflow)


def _relu_activation(layer: str, quantizer: Any) -> Cast:
    name = quantizer_name(quantizer)
    if quantizer.negative_slope:
        raise _refuse(layer, name, f"negative_slope={quantizer.negative_slope}", "use negative_slope=0")
    if quantizer.use_sigmoid:
        raise _refuse(layer, name, "use_sigmoid=1", "use use_sigmoid=0")
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    if quantizer.relu_upper_bound is not None and not quantizer.is_quantized_clip:
        raise _refuse(
            layer, name, f"relu_upper_bound={quantizer.relu_upper_bound}", "choose `integer` so that the type saturates"
        )
    return Cast(True, FixedType(bits, bits - integer, False), Rounding.RND_CONV, Overflow.SAT)


def _tanh_activation(layer: str, quantizer: Any) -> Cast:
    # The hard tanh clip(x, -1, 1) is what the saturating cast does anyway.
    if quantizer.use_real_tanh:
        raise _refuse(layer, "quantized_tanh", "use_real_tanh=True", "use the hard form")
    bits = int(quantizer.bits)
    overflow = Overflow.SAT_SYM if quantizer.symmetric else Overflow.SAT
    return Cast(False, FixedType(bits, bits - 1, True), Rounding.RND_CONV, overflow)


def _binary_activation(layer: str, quantizer: Any) -> Staircase:
    alpha = _fixed_alpha(layer, quantizer)
    return _sign(0.0, strict=False, low=0.0 if quantizer.use_01 else -alpha, high=alpha)


def _ternary_activation(layer: str, quantizer: Any) -> Staircase:
    alpha = _fixed_alpha(layer, quantizer)
    threshold = quantizer.threshold if quantizer.threshold is not None else quantizer.default_threshold
    value = float(np.float32(threshold))  # QKeras compares in float32
    if value < 0:
        raise _refuse(layer, "ternary", f"threshold={threshold}", "use a threshold that is not negative")
    if value == 0:  # 1[|x| >= 0] * sign(x)
        return Staircase(((0.0, False), (0.0, True)), (-alpha, 0.0, alpha))
    return Staircase(((-value, True), (value, False)), (-alpha, 0.0, alpha))


def _sign(threshold: float, *, strict: bool, low: float = -1.0, high: float = 1.0) -> Staircase:
    return Staircase(((threshold, strict),), (low, high))


_ACTIVATIONS: dict[str, Callable[[str, Any], Cast | Staircase]] = {
    "quantized_bits": _bits_activation,
    "quantized_relu": _relu_activation,
    "quantized_tanh": _tanh_activation,
    "binary": _binary_activation,
    "ternary": _ternary_activation,
    # QKeras: 2 * round(clip(x/2 + 1/2, 0, 1)) - 1 with half to even, so that 0 becomes -1.
    "binary_tanh": lambda layer, quantizer: _sign(0.0, strict=True),
}
