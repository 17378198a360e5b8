"""The quantizer of weights that are chosen already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import FormatQuantizer, nearest, registered


@registered
class FixedLevels(FormatQuantizer):
    """The nearest number of a format, in a given unit, or one for every output channel.

    Parameters
    ----------
    format : WeightFormat or dict
        As an object or as `WeightFormat.to_json` describes it.
    unit : float or nested list of float
        A power of two; or one for every output channel, shaped like the last axis of a kernel, of a depthwise one like
        its last two.
    """

    def __init__(self, format: WeightFormat | dict[str, Any], unit: float | Sequence[Any]) -> None:
        super().__init__()
        self.format = formats.from_json(format) if isinstance(format, dict) else format
        units = np.asarray(unit, np.float64)
        wrong = units[(units <= 0) | (np.frexp(units)[0] != 0.5)]
        if wrong.size:
            raise ConfigError(f"{type(self).__name__}: unit {wrong[0]:g} is not a power of two")
        self.unit = units.tolist()

    @property
    def bits(self) -> int:
        return self.format.bits

    def project(self, x: Any) -> tuple[Any, Any]:
        shape = np.shape(self.unit)
        if shape and tuple(x.shape[-len(shape) :]) != shape:
            raise ConfigError(
                f"{type(self).__name__}: units of shape {list(shape)} do not fit the last axes of a kernel of shape "
                f"{list(x.shape)}; give one for every output channel, or one number"
            )
        unit = ops.convert_to_tensor(self.unit, "float32")
        return unit * nearest(x / unit, self.format.levels), unit

    def format_of(self, x: Any, integers: np.ndarray) -> WeightFormat:
        return self.format

    def get_config(self) -> dict[str, Any]:
        return {"format": self.format.to_json(), "unit": self.unit}
