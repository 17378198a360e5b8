"""What QKeras activation quantizers mean as integers: casts where the definition says so, staircases otherwise.

Source of the casts: the ``__call__`` methods of qkeras.quantizers. Staircases are read off the quantizer's own float32
evaluation, see `fpgaq.frontend.staircase`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.qkeras_quantizers import quantizer_name, without_stochastic_rounding
from fpgaq.frontend.staircase import Evaluate, Single, Staircase, Threshold, check_levels, find_staircase, rounded_down
from fpgaq.ir.types import FixedType, Overflow, Rounding

#: Vector units of every width divide this: Keras evaluates the rest of an array with other instructions.
_VECTOR = 64


@dataclass(frozen=True)
class Cast:
    """An activation quantizer that is a cast, after a rectifier or not."""

    rectify: bool
    type: FixedType
    rounding: Rounding
    overflow: Overflow

    def __str__(self) -> str:
        return f"{str(self.type)[:-1]},{self.rounding.value},{self.overflow.value}>"


def activation_meaning(layer: str, quantizer: Any) -> Cast | Staircase:
    """Return the integer meaning of an activation quantizer.

    Raises
    ------
    ModelError
        If the quantizer, or an option of it, has no exact integer form.
    """
    name = quantizer_name(quantizer)
    if name in _REFUSED:
        raise ModelError(f"layer {layer!r}: activation quantizer {name!r} {_REFUSED[name]}")
    reader = _ACTIVATIONS.get(name)
    if reader is None:
        raise ModelError(
            f"layer {layer!r}: activation quantizer {name!r} is not supported; use one of "
            f"{', '.join(sorted(_ACTIVATIONS))}"
        )
    if float(np.asarray(getattr(quantizer, "qnoise_factor", 1.0))) != 1.0:
        raise _refuse(layer, name, f"qnoise_factor={quantizer.qnoise_factor}", "set it to 1 for export")
    if getattr(quantizer, "use_stochastic_rounding", False):
        _require_deterministic(layer, quantizer)
    return reader(layer, quantizer)


def evaluation(quantizer: Any) -> Evaluate:
    """Return a quantizer as a function of float32 numbers whose results do not depend on their place in the array.

    Its straight-through term ``x + (q - x)`` is left out, which is `q` but for the rounding errors of float32.
    """
    import keras

    quiet = quantizer
    if hasattr(quantizer, "use_ste"):
        quiet = copy.copy(quantizer)
        quiet.use_ste = False

    def evaluate(x: Single) -> Single:
        flat = np.zeros(-(-max(x.size, 1) // _VECTOR) * _VECTOR, np.float32)
        flat[: x.size] = x.reshape(-1)
        tensor = keras.ops.convert_to_tensor(flat)
        if quantizer_name(quiet) == "quantized_linear":  # has no switch for the straight-through term
            scale = quiet.quantization_scale
            result = quiet._scale_clip_and_round(tensor, scale) * scale
        else:
            result = quiet(tensor)
        return np.asarray(keras.ops.convert_to_numpy(result), np.float32)[: x.size].reshape(x.shape)

    return evaluate


def evaluation_on_steps(quantizer: Any, staircase: Staircase) -> Callable[[NDArray[np.floating]], Single]:
    """Return a quantizer as a function of real numbers: its own results, taken at the next float32 number below.

    Where its straight-through term cannot be left out, its results are moved to the level that they are next to.
    """
    evaluate = evaluation(quantizer)
    if hasattr(quantizer, "use_ste") or quantizer_name(quantizer) not in _ALWAYS_STRAIGHT_THROUGH:
        return lambda x: evaluate(rounded_down(x))
    levels = np.array(staircase.levels, np.float32)
    reach = 2 * max(*(abs(t.value) for t in staircase.thresholds), *map(abs, staircase.levels))
    tolerance = reach * 2.0**-20

    def snapped(x: NDArray[np.floating]) -> Single:
        # Beyond the thresholds nothing changes but the rounding errors.
        found = evaluate(rounded_down(np.clip(x, -reach, reach)))
        right = np.clip(np.searchsorted(levels, found), 1, levels.size - 1)
        near = np.where(found - levels[right - 1] < levels[right] - found, levels[right - 1], levels[right])
        return np.where(np.abs(found - near) <= tolerance, near, found)

    return snapped


def _require_deterministic(layer: str, quantizer: Any) -> None:
    """Refuse stochastic rounding unless it makes no difference when the model does not train."""
    twin = without_stochastic_rounding(quantizer)
    x = np.random.default_rng(0).normal(0, 2, 4096).astype(np.float32)
    try:
        same = np.array_equal(evaluation(quantizer)(x), evaluation(twin)(x))
    except Exception:  # TensorFlow's own errors, of binary and ternary
        same = False
    if not same:
        raise _refuse(layer, quantizer_name(quantizer), "use_stochastic_rounding=True", "switch it off for export")


def _refuse(layer: str, name: str, option: str, way_out: str) -> ModelError:
    return ModelError(f"layer {layer!r}: {name} with {option} has no exact integer form here; {way_out}")


_known: WeakKeyDictionary[Any, tuple[str, Staircase]] = WeakKeyDictionary()


def _searched(layer: str, quantizer: Any) -> Staircase:
    """Find the staircase of a quantizer; the front end and the frozen model ask for the same one."""
    from qkeras import quantizers

    options = sorted((k, v) for k, v in vars(quantizer).items() if k not in ("built", "scale"))
    state = repr((options, quantizers._sigmoid))  # which sigmoid is meant is a setting of the whole process
    known = _known.get(quantizer)
    if known is not None and known[0] == state:
        return known[1]
    try:
        staircase = find_staircase(evaluation(quantizer))
    except ConfigError as problem:
        raise _refuse(layer, quantizer_name(quantizer), _options(quantizer), str(problem)) from None
    _known[quantizer] = (state, staircase)
    return staircase


def _options(quantizer: Any) -> str:
    """Return the options of a quantizer as the user wrote them, those without a value left out."""
    config = quantizer.get_config().items()
    return ", ".join(f"{key}={value}" for key, value in config if value is not None and value is not False)


def _fixed_alpha(layer: str, quantizer: Any) -> float:
    """Return the numeric alpha of an activation quantizer, 1 when there is none."""
    alpha, name = quantizer.alpha, quantizer_name(quantizer)
    if isinstance(alpha, str):
        raise _refuse(layer, name, f"alpha={alpha!r}", "its scale depends on the data: use alpha=1")
    if np.size(alpha) > 1:
        raise _refuse(layer, name, f"alpha={alpha}", "an activation has one scale: use a number")
    value = 1.0 if alpha is None else float(np.asarray(alpha, np.float32).reshape(-1)[0])
    if value <= 0:
        raise _refuse(layer, name, f"alpha={alpha}", "use a positive alpha")
    return value


def _bits_activation(layer: str, quantizer: Any) -> Cast | Staircase:
    bits, integer, signed = int(quantizer.bits), int(quantizer.integer), bool(quantizer.keep_negative)
    if _fixed_alpha(layer, quantizer) != 1.0:
        return _searched(layer, quantizer)
    if bits - signed == 0:
        return Staircase((Threshold(0.0),), (-1.0, 1.0))
    overflow = Overflow.SAT_SYM if quantizer.symmetric and signed else Overflow.SAT
    return Cast(False, FixedType(bits, bits - signed - integer, signed), Rounding.RND_CONV, overflow)


def _linear_activation(layer: str, quantizer: Any) -> Cast | Staircase:
    bits, integer, signed = int(quantizer.bits), int(quantizer.integer), bool(quantizer.keep_negative)
    mantissa, exponent = np.frexp(_fixed_alpha(layer, quantizer))
    if bits - signed == 0 or mantissa != 0.5:
        return _searched(layer, quantizer)
    overflow = Overflow.SAT_SYM if quantizer.symmetric and signed else Overflow.SAT
    frac = bits - signed - integer - (int(exponent) - 1)  # unlike quantized_bits it divides by alpha first
    return Cast(False, FixedType(bits, frac, signed), Rounding.RND_CONV, overflow)


def _relu_activation(layer: str, quantizer: Any) -> Cast | Staircase:
    bounded = quantizer.relu_upper_bound is not None and not quantizer.is_quantized_clip
    if quantizer.negative_slope or quantizer.use_sigmoid or bounded:
        return _searched(layer, quantizer)
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    return Cast(True, FixedType(bits, bits - integer, False), Rounding.RND_CONV, Overflow.SAT)


def _tanh_activation(layer: str, quantizer: Any) -> Cast | Staircase:
    from qkeras import quantizers

    bits = int(quantizer.bits)
    if quantizer.use_real_tanh or quantizers._sigmoid is not quantizers.hard_sigmoid or bits == 1:
        return _searched(layer, quantizer)
    # The hard tanh clip(x, -1, 1) is what the saturating cast does anyway.
    overflow = Overflow.SAT_SYM if quantizer.symmetric else Overflow.SAT
    return Cast(False, FixedType(bits, bits - 1, True), Rounding.RND_CONV, overflow)


def _binary_activation(layer: str, quantizer: Any) -> Staircase:
    alpha = _fixed_alpha(layer, quantizer)
    low = 0.0 if quantizer.use_01 else -alpha
    _require_levels(layer, quantizer, [low, alpha])
    return Staircase((Threshold(0.0),), (low, alpha))


def _ternary_activation(layer: str, quantizer: Any) -> Staircase:
    alpha = _fixed_alpha(layer, quantizer)
    _require_levels(layer, quantizer, [-alpha, 0.0, alpha])
    threshold = quantizer.threshold if quantizer.threshold is not None else quantizer.default_threshold
    value = float(np.float32(threshold))  # QKeras compares in float32
    if value < 0:
        raise _refuse(layer, quantizer_name(quantizer), f"threshold={threshold}", "use one that is not negative")
    if value == 0:  # 1[|x| >= 0] * sign(x)
        return Staircase((Threshold(0.0), Threshold(0.0, strict=True)), (-alpha, 0.0, alpha))
    return Staircase((Threshold(-value, strict=True), Threshold(value)), (-alpha, 0.0, alpha))


def _own_thresholds(layer: str, quantizer: Any) -> Staircase:
    values = np.array(quantizer.thresholds, np.float32).tolist()  # it compares in float32
    levels = np.array(quantizer.levels, np.float32).tolist()
    _require_levels(layer, quantizer, levels)
    if len(levels) > 256:
        raise _refuse(layer, "ThresholdLevels", f"{len(levels)} levels", "use at most 256")
    return Staircase(tuple(map(Threshold, values)), tuple(levels))


def _require_levels(layer: str, quantizer: Any, levels: list[float]) -> None:
    try:
        check_levels(levels)
    except ConfigError as problem:
        raise _refuse(layer, quantizer_name(quantizer), _options(quantizer), str(problem)) from None


_ACTIVATIONS: dict[str, Callable[[str, Any], Cast | Staircase]] = {
    "ThresholdLevels": _own_thresholds,
    "binary": _binary_activation,
    "binary_sigmoid": _searched,
    "binary_tanh": _searched,
    "quantized_bits": _bits_activation,
    "quantized_linear": _linear_activation,
    "quantized_po2": _searched,
    "quantized_relu": _relu_activation,
    "quantized_relu_po2": _searched,
    "quantized_sigmoid": _searched,
    "quantized_tanh": _tanh_activation,
    "quantized_ulaw": _searched,
    # Random in training only: QKeras layers call their quantizers without saying that they train.
    "stochastic_binary": _binary_activation,
    "stochastic_ternary": _ternary_activation,
    "ternary": _ternary_activation,
}
#: Quantizers whose results carry the rounding errors of ``x + (q - x)``.
_ALWAYS_STRAIGHT_THROUGH = ("binary", "stochastic_binary", "stochastic_ternary", "ternary")
_REFUSED = {
    "bernoulli": "is random even at inference; use binary(use_01=1)",
    "quantized_hswish": "is not monotone: it falls below zero and rises again, which no staircase does; "
    "use quantized_relu",
}
