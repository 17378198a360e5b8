"""Freezing: every parameter becomes dyadic, and every rounding that this takes is written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend import dyadic
from fpgaq.frontend.dyadic import Dyadic
from fpgaq.ir.types import FixedType, Overflow, Rounding, cast


@dataclass(frozen=True)
class Decision:
    """Something the model left open and the conversion fixed: a row of the report.

    Parameters
    ----------
    layer : str
    what : str
        What was rounded, for example "bias" or "activation".
    type : str
        The type it got.
    reason : str
    max_error : float or None
        Largest absolute difference made, in the unit of the values; None where it depends on the data.
    """

    layer: str
    what: str
    type: str
    reason: str
    max_error: float | None


def user_precision(node: Any, what: str) -> tuple[FixedType, Rounding, Overflow] | None:
    """Return the type that hls_config states for one variable of one layer (by name or class), None if it does not.

    The default of the whole model is no statement about a layer: hls4ml always sets one.
    """
    config = node.model.config
    name, kind = node.name.lower(), node.class_name.lower()
    for table, key in ((config.layer_name_precision, name), (config.layer_type_precision, kind)):
        for variable in (what, "default"):
            text = table.get(f"{key}_{variable}")
            if text is not None and str(text) != "auto":
                try:
                    return FixedType.parse(str(text))
                except ConfigError as error:
                    raise ConfigError(f"layer {node.name!r}: precision of {what}: {error}") from None
    return None


def freeze_parameter(node: Any, what: str, data: Any, exact: bool, bits: int) -> tuple[Dyadic, Decision | None]:
    """Make one parameter array dyadic.

    Parameters
    ----------
    node : hls4ml layer
    what : str
        "weight", "bias" or "scale".
    data : float array
    exact : bool
        Whether the model defines the values exactly, so that nothing may be rounded.
    bits : int
        Precision of values that the model leaves in float.
    """
    values = np.asarray(data, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ModelError(f"layer {node.name!r}: {what} contains NaN or infinity; retrain or repair the model")
    wanted = user_precision(node, what)
    if wanted is not None:
        return _to_user_type(node, what, values, exact, wanted)
    if exact:
        try:
            return dyadic.exact(values), None
        except ModelError as problem:
            raise ModelError(f"layer {node.name!r}: {what}: {problem}") from None
    frozen = dyadic.rounded(values, bits)
    error = float(np.abs(frozen.values - values).max(initial=0.0))
    if error == 0.0:
        return frozen, None
    reason = f"no quantizer: rounded to {bits} bits"
    return frozen, Decision(node.name, what, str(frozen.type), reason, error)


def _to_user_type(
    node: Any, what: str, values: Any, exact: bool, wanted: tuple[FixedType, Rounding, Overflow]
) -> tuple[Dyadic, Decision | None]:
    to, _, _ = wanted
    codes = np.rint(np.ldexp(values, to.frac))
    frozen = Dyadic(np.clip(codes, to.min, to.max).astype(np.int64), to.frac)
    error = float(np.abs(frozen.values - values).max(initial=0.0))
    if error == 0.0:
        return dyadic.exact(values), None  # bits of a wider type that are always zero would only widen the sums
    if exact:
        needed = dyadic.exact(values).type
        raise ConfigError(
            f"layer {node.name!r}: precision {to} of {what} loses bits of the quantized values; {needed} holds them"
        )
    return frozen, Decision(node.name, what, str(to), "type given by the user", error)


def covering_type(lo: int, hi: int, frac: int, bits: int) -> FixedType:
    """Return a type of at most `bits` bits whose range covers ``[lo, hi] * 2^-frac``, with the finest step."""
    exact = FixedType.from_interval(lo, hi, frac)
    if exact.width <= bits:
        return exact
    return FixedType(bits, frac - (exact.width - bits), exact.signed)


def to_hls(type_: FixedType, rounding: Rounding = Rounding.TRN, overflow: Overflow = Overflow.WRAP) -> Any:
    """Return the type as hls4ml's."""
    from hls4ml.model.types import FixedPrecisionType

    return FixedPrecisionType(type_.width, type_.integer_bits, type_.signed, rounding.value, overflow.value)


def quantize_input(values: Any, type_: FixedType) -> Any:
    """Round real inputs to the grid of the input type (half to even, saturating) and return codes."""
    array = np.asarray(values, dtype=np.float64)
    scaled = np.clip(np.ldexp(array, type_.frac + 1), -(2.0**61), 2.0**61)
    # One extra bit keeps the tie information for the integer cast.
    doubled = np.floor(scaled).astype(np.int64) * 2 + (scaled != np.floor(scaled))
    return cast(doubled, type_.frac + 2, type_, Rounding.RND_CONV, Overflow.SAT)
