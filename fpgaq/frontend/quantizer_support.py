"""Which configurations of quantizers are exact in every gate, and which are refused: one table for tests and manual.

The front end does not read it. A test runs every row: exact rows through the gates, refused rows until they raise an
error that names the layer and the row's reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Options = Mapping[str, tuple[Any, ...]]
Role = Literal["activation", "parameter"]


@dataclass(frozen=True)
class Support:
    """What becomes of some configurations of one quantizer in one role.

    Parameters
    ----------
    quantizer : str
        Class or function of qkeras.quantizers, or class of fpgaq.quantize.quantizers.
    role : "activation" or "parameter"
    exact : bool
        False where it is refused.
    how : str
        Its integer form; of a refused one the reason and the way out.
    options : mapping of tuples
        Values of every option; all combinations are meant.
    named : str
        Of a refused one: what the error names besides the layer.
    """

    quantizer: str
    role: Role
    exact: bool
    how: str
    options: Options = field(default_factory=dict)
    named: str = ""

    def configurations(self) -> Iterator[dict[str, Any]]:
        """Return the arguments of every configuration."""
        for values in itertools.product(*self.options.values()):
            yield dict(zip(self.options, values, strict=True))


def _exact(quantizer: str, role: Role, how: str, /, **options: tuple[Any, ...]) -> Support:
    return Support(quantizer, role, True, how, options)


def _refused(quantizer: str, role: Role, named: str, how: str, /, **options: tuple[Any, ...]) -> Support:
    return Support(quantizer, role, False, how, options, named)


CAST = "cast, half to even, saturating"
RECTIFIED = "rectifier and cast"
STAIRS = "staircase"
WEIGHTS = "integers times a power of two"
SCALED = "integers, and a factor per output channel after the matrix"
_DATA = "the scale depends on the data; use a number"
_LONG = "levels are no short dyadic numbers; use alpha=1 or a power of two"
_LEVELS = "more than 256 levels; use at most 8 bits"
_RANGE = "the levels span more than 40 bits; use fewer bits"
_RANDOM = "QKeras cannot evaluate it, or only at random; switch it off"
_ONE_LEVEL = "one level only; leave the layer out"
_NEGATIVE = "levels descend; use a positive alpha"
_DIP = "not monotone: falls below zero and rises again; use quantized_relu"
_NOISE = "only partly quantized; set it to 1"
_BOUND = "the bound is a level, and no short dyadic number; use one"
_LOGARITHMS = "the levels are logarithms; use at most 2 bits"
_NO_ZERO = "zero is never reached; use one that is not negative"
_SAMPLED = "random even at inference; use binary(use_01=1)"
_AXIS = "not one scale per output channel; leave scale_axis out"

_BITS = tuple(range(1, 9))
_BOTH = (False, True)
_SLOPES = (0.125, 0.25, 0.5, 1.0)

_FIXED_POINT_ACTIVATIONS = (
    *(
        _exact(
            "quantized_bits", "activation", CAST,
            bits=_BITS, integer=(-1, 0, 2), symmetric=_BOTH, keep_negative=_BOTH, alpha=(alpha,),
        )
        for alpha in (None, 1)
    ),
    _exact("quantized_bits", "activation", STAIRS, bits=_BITS, integer=(0, 2), keep_negative=_BOTH, alpha=(0.75, 2)),
    _exact("quantized_bits", "activation", CAST, bits=(4,), alpha=(1,), use_stochastic_rounding=(True,)),
    _refused("quantized_bits", "activation", "alpha", _DATA, bits=(4,), alpha=("auto", "auto_po2")),
    _refused("quantized_bits", "activation", "alpha=0.3", _LONG, bits=(4,), alpha=(0.3,)),
    _refused("quantized_bits", "activation", "alpha=-1", _NEGATIVE, bits=(4,), alpha=(-1,)),
    _refused("quantized_bits", "activation", "alpha=[1, 2]", "an activation has one scale", bits=(4,), alpha=([1, 2],)),
    _refused("quantized_bits", "activation", "bits=9", _LEVELS, bits=(9,), alpha=(2,)),
    _refused("quantized_bits", "activation", "qnoise_factor=0.5", _NOISE, bits=(4,), qnoise_factor=(0.5,)),
    _exact(
        "quantized_linear", "activation", CAST,
        bits=_BITS[1:], integer=(0, 2), symmetric=_BOTH, keep_negative=_BOTH, alpha=(None, 0.5, 2),
    ),
    _exact(
        "quantized_linear", "activation", STAIRS,
        bits=_BITS[1:], integer=(0, 1), symmetric=_BOTH, keep_negative=_BOTH, alpha=(0.75,),
    ),
    _exact("quantized_linear", "activation", STAIRS, bits=(1,), integer=(0, 1), alpha=(None, 0.5)),
    _refused("quantized_linear", "activation", "alpha", _DATA, bits=(4,), alpha=("auto", "auto_po2")),
    _refused("quantized_linear", "activation", "alpha=0.3", _LONG, bits=(4,), alpha=(0.3,)),
    _exact("quantized_relu", "activation", RECTIFIED, bits=_BITS, integer=(0, 1, 2, 3)),
    _exact(
        "quantized_relu", "activation", RECTIFIED, bits=(4, 8), integer=(2,), relu_upper_bound=(1.3,),
        is_quantized_clip=(True,),
    ),
    _exact(
        "quantized_relu", "activation", STAIRS, bits=_BITS, integer=(2,), relu_upper_bound=(0.5, 1.5),
        is_quantized_clip=(False,),
    ),
    _refused(
        "quantized_relu", "activation", "relu_upper_bound=1.3", _BOUND, bits=(4,), integer=(2,),
        relu_upper_bound=(1.3,), is_quantized_clip=(False,),
    ),
    _exact("quantized_relu", "activation", STAIRS, bits=_BITS[1:], integer=(0, 2), negative_slope=_SLOPES),
    _exact("quantized_relu", "activation", STAIRS, bits=_BITS, integer=(0, 2), use_sigmoid=(1,)),
    _refused("quantized_relu", "activation", "bits=9", _LEVELS, bits=(9,), negative_slope=(1.0,)),
)  # fmt: skip

_CURVED_ACTIVATIONS = (
    _exact("quantized_tanh", "activation", CAST, bits=_BITS[1:], symmetric=_BOTH),
    _exact("quantized_tanh", "activation", STAIRS, bits=_BITS[1:], symmetric=_BOTH, use_real_tanh=(True,)),
    _exact("quantized_tanh", "activation", STAIRS, bits=(1,), use_real_tanh=_BOTH),
    _refused("quantized_tanh", "activation", "bits=1", _ONE_LEVEL, bits=(1,), symmetric=(True,)),
    _refused("quantized_tanh", "activation", "bits=9", _LEVELS, bits=(9,), use_real_tanh=(True,)),
    _exact("quantized_sigmoid", "activation", STAIRS, bits=_BITS, use_real_sigmoid=_BOTH),
    _exact(
        "quantized_sigmoid", "activation", STAIRS, bits=_BITS[1:], symmetric=(True,), use_real_sigmoid=_BOTH,
    ),
    _refused("quantized_sigmoid", "activation", "bits=1", _ONE_LEVEL, bits=(1,), symmetric=(True,)),
    _refused("quantized_sigmoid", "activation", "bits=9", _LEVELS, bits=(9,), use_real_sigmoid=_BOTH),
    _exact("quantized_ulaw", "activation", STAIRS, bits=(1, 2), integer=(0, 1)),
    _refused("quantized_ulaw", "activation", "no dyadic number", _LOGARITHMS, bits=_BITS[2:], integer=(0, 1)),
    _refused("quantized_hswish", "activation", "not monotone", _DIP, bits=(4, 8)),
    _exact("binary_tanh", "activation", STAIRS),
    _exact("binary_sigmoid", "activation", STAIRS),
    _refused("hard_sigmoid", "activation", "hard_sigmoid", "not quantized; use quantized_sigmoid"),
    _refused("hard_tanh", "activation", "hard_tanh", "not quantized; use quantized_tanh"),
)  # fmt: skip

_FEW_LEVEL_ACTIVATIONS = (
    _exact("quantized_po2", "activation", STAIRS, bits=(2, 3, 4, 5, 6), max_value=(None, 0.5, 1, 2, 3)),
    _exact("quantized_po2", "activation", STAIRS, bits=(3, 4), log2_rounding=("floor",)),
    _refused("quantized_po2", "activation", "bits", _RANGE, bits=(7, 8)),
    _refused(
        "quantized_po2", "activation", "quadratic_approximation", "not monotone near zero; leave it out", bits=(4,),
        quadratic_approximation=(True,),
    ),
    _exact("quantized_relu_po2", "activation", STAIRS, bits=(1, 2, 3, 4, 5), max_value=(None, 0.5, 1, 2, 3)),
    _exact("quantized_relu_po2", "activation", STAIRS, bits=(2, 3, 4), negative_slope=(0.25, 0.5)),
    _refused("quantized_relu_po2", "activation", "bits", _RANGE, bits=(6, 7, 8)),
    _exact("binary", "activation", STAIRS, use_01=_BOTH, alpha=(None, 1, 2, 0.5, 0.75)),
    _refused("binary", "activation", "alpha=0.3", _LONG, alpha=(0.3,)),
    _refused("binary", "activation", "alpha", _DATA, alpha=("auto", "auto_po2")),
    _refused("binary", "activation", "use_stochastic_rounding", _RANDOM, alpha=(1,), use_stochastic_rounding=(True,)),
    _exact("stochastic_binary", "activation", STAIRS, alpha=(None, 1, 0.5)),
    _refused("stochastic_binary", "activation", "alpha", _DATA, alpha=("auto", "auto_po2")),
    _exact(
        "ternary", "activation", STAIRS, alpha=(None, 1, 2, 0.5, 0.75), threshold=(None, 0, 0.25, 0.33, 0.5, 0.7, 1),
    ),
    _refused("ternary", "activation", "threshold=-0.5", _NO_ZERO, threshold=(-0.5,)),
    _refused("ternary", "activation", "alpha=0.3", _LONG, alpha=(0.3,)),
    _refused("ternary", "activation", "alpha", _DATA, alpha=("auto", "auto_po2")),
    _refused("ternary", "activation", "use_stochastic_rounding", _RANDOM, alpha=(1,), use_stochastic_rounding=(True,)),
    _exact("stochastic_ternary", "activation", STAIRS, alpha=(None, 1, 0.5), threshold=(None, 0.25)),
    _refused("stochastic_ternary", "activation", "alpha", _DATA, alpha=("auto", "auto_po2")),
    _refused("bernoulli", "activation", "random even at inference", _SAMPLED, alpha=(None, 1)),
    _exact(
        "ThresholdLevels", "activation", STAIRS, thresholds=([-0.3, 0.1, 0.7],), levels=([-1.0, 0.0, 0.25, 2.0],),
    ),
    _refused(
        "ThresholdLevels", "activation", "no dyadic number", "levels are no short dyadic numbers; use such",
        thresholds=([0.0],), levels=([0.0, 0.1],),
    ),
)  # fmt: skip

_PER_CHANNEL = [0.5, 1, 2, 0.25, 0.75]
_UNEVEN = [0.5, 1, 2, 0.25, 0.3]
_FIXED_POINT: tuple[str, str] = ("quantized_bits", "quantized_linear")

_PARAMETERS = (
    *(
        _exact(
            name, "parameter", WEIGHTS,
            bits=_BITS, integer=(0, 2), symmetric=_BOTH, keep_negative=_BOTH, alpha=(1, 0.75, 2, "auto_po2"),
        )
        for name in _FIXED_POINT
    ),
    *(_exact(name, "parameter", WEIGHTS, bits=_BITS, alpha=(None,)) for name in _FIXED_POINT),
    *(
        _exact(name, "parameter", SCALED, bits=_BITS[1:], keep_negative=_BOTH, alpha=("auto", 0.3))
        for name in _FIXED_POINT
    ),
    # QKeras itself builds no layer with alphas per channel in its other quantizers.
    _exact("quantized_bits", "parameter", WEIGHTS, bits=_BITS, alpha=(_PER_CHANNEL,)),
    _exact("quantized_bits", "parameter", SCALED, bits=_BITS, alpha=(_UNEVEN,)),
    _exact("quantized_linear", "parameter", SCALED, bits=(1,), alpha=("auto", 0.3)),
    _refused("quantized_bits", "parameter", "bits=1, alpha='auto'", "NaN; use alpha=1", bits=(1,), alpha=("auto",)),
    *(
        _exact(name, "parameter", WEIGHTS, bits=(4,), alpha=(1,), use_stochastic_rounding=(True,))
        for name in _FIXED_POINT
    ),
    *(_exact(name, "parameter", SCALED, bits=(4,), alpha=("auto",), scale_axis=(1,)) for name in _FIXED_POINT),
    *(
        _refused(name, "parameter", "scale_axis=0", _AXIS, bits=(4,), alpha=("auto", "auto_po2"), scale_axis=(0,))
        for name in _FIXED_POINT
    ),
    _refused(
        "quantized_bits", "parameter", "elements_per_scale=2", _AXIS, bits=(4,), alpha=("auto_po2",), scale_axis=(0,),
        elements_per_scale=(2,),
    ),
    _exact("binary", "parameter", WEIGHTS, use_01=_BOTH, alpha=(None, 1, 0.75, "auto_po2")),
    _exact("binary", "parameter", SCALED, use_01=_BOTH, alpha=("auto", 0.3)),
    _refused("binary", "parameter", "scale_axis=0", _AXIS, alpha=("auto", "auto_po2"), scale_axis=(0,)),
    _exact("stochastic_binary", "parameter", WEIGHTS, alpha=(None, 1, 0.75, "auto_po2")),
    _exact("stochastic_binary", "parameter", SCALED, alpha=("auto", 0.3)),
    _exact("ternary", "parameter", WEIGHTS, alpha=(None, 1, 0.75, "auto_po2")),
    _exact("ternary", "parameter", WEIGHTS, alpha=(1,), threshold=(0.25, 0.5)),
    _exact("ternary", "parameter", SCALED, alpha=("auto", 0.3)),
    _exact("ternary", "parameter", SCALED, alpha=("auto",), use_stochastic_rounding=(True,)),
    _exact("stochastic_ternary", "parameter", WEIGHTS, alpha=(None, 1, "auto_po2")),
    _exact("stochastic_ternary", "parameter", SCALED, alpha=("auto", 0.3)),
    _exact("quantized_po2", "parameter", WEIGHTS, bits=(2, 3, 4), max_value=(None, 2, 3)),
    _exact("quantized_relu_po2", "parameter", WEIGHTS, bits=(1, 2, 3, 4), max_value=(None, 2, 3)),
    _refused("quantized_po2", "parameter", "levels", "more levels than codes", bits=(3, 4), max_value=(1,)),
    _refused("quantized_relu_po2", "parameter", "levels", "more levels than codes", bits=(3, 4), max_value=(1,)),
    *(
        _refused(name, "parameter", name, "not for parameters; use quantized_bits")
        for name in (
            "bernoulli", "quantized_hswish", "quantized_relu", "quantized_sigmoid", "quantized_tanh", "quantized_ulaw",
        )
    ),
)  # fmt: skip

TABLE = (*_FIXED_POINT_ACTIVATIONS, *_CURVED_ACTIVATIONS, *_FEW_LEVEL_ACTIVATIONS, *_PARAMETERS)
