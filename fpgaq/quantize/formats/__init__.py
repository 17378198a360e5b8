"""The registry of weight formats."""

from __future__ import annotations

from typing import Any

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats.base import Planes, WeightFormat
from fpgaq.quantize.formats.binary import Binary
from fpgaq.quantize.formats.codebook import Codebook
from fpgaq.quantize.formats.integer import Integer
from fpgaq.quantize.formats.multi_binary import MultiBinary
from fpgaq.quantize.formats.piecewise import PiecewiseLinear
from fpgaq.quantize.formats.power_of_two import AdditivePowerOfTwo, PowerOfTwo, PowerOfTwoNoZero
from fpgaq.quantize.formats.tapered import Tapered
from fpgaq.quantize.formats.ternary import Ternary, TwoScaleTernary

FORMATS: dict[str, type[WeightFormat]] = {
    cls.name: cls
    for cls in (
        Integer,
        Binary,
        Ternary,
        TwoScaleTernary,
        PowerOfTwo,
        PowerOfTwoNoZero,
        AdditivePowerOfTwo,
        Codebook,
        PiecewiseLinear,
        Tapered,
        MultiBinary,
    )
}
"""Format by its name in files."""

#: Formats that are known and not built, and why.
REFUSED = {"lns": "logarithmic weights with fractional exponents need a table per product; with g = 1 they are 'pot'"}


def from_json(document: dict[str, Any]) -> WeightFormat:
    """Return the format that `WeightFormat.to_json` described.

    Raises
    ------
    ConfigError
        Unknown name or illegal parameters.
    """
    parameters = dict(document)
    name = parameters.pop("format", None)
    if name in REFUSED:
        raise ConfigError(f"number format {name!r} is not available: {REFUSED[name]}")
    if name not in FORMATS:
        raise ConfigError(f"unknown number format {name!r}; known are {', '.join(FORMATS)}")
    try:
        return FORMATS[name](**{k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()})
    except TypeError as error:
        raise ConfigError(f"number format {name!r}: {error}") from None


__all__ = [
    "FORMATS",
    "AdditivePowerOfTwo",
    "Binary",
    "Codebook",
    "Integer",
    "MultiBinary",
    "PiecewiseLinear",
    "Planes",
    "PowerOfTwo",
    "PowerOfTwoNoZero",
    "Tapered",
    "Ternary",
    "TwoScaleTernary",
    "WeightFormat",
    "from_json",
]
