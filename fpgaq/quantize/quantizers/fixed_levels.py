"""The quantizer of weights that are chosen already."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import FormatQuantizer, nearest, registered


@registered
class FixedLevels(FormatQuantizer):
    """The nearest number of a format, in a given unit.

    Parameters
    ----------
    format : WeightFormat or dict
        As an object or as `WeightFormat.to_json` describes it.
    unit : float
        A power of two.
    """

    def __init__(self, format: WeightFormat | dict[str, Any], unit: float) -> None:
        super().__init__()
        self.format = formats.from_json(format) if isinstance(format, dict) else format
        if unit <= 0 or float(np.frexp(unit)[0]) != 0.5:
            raise ConfigError(f"{type(self).__name__}: unit {unit} is not a power of two")
        self.unit = float(unit)

    @property
    def bits(self) -> int:
        return self.format.bits

    def project(self, x: Any) -> tuple[Any, Any]:
        return self.unit * nearest(x / self.unit, self.format.levels), ops.convert_to_tensor(self.unit)

    def format_of(self, x: Any, integers: np.ndarray) -> WeightFormat:
        return self.format

    def get_config(self) -> dict[str, Any]:
        return {"format": self.format.to_json(), "unit": self.unit}
