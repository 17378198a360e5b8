"""Quantizers that take the nearest of a fixed set of levels."""

from __future__ import annotations

from typing import Any

import numpy as np

from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import FormatQuantizer, fitted_unit, nearest, registered


class LevelQuantizer(FormatQuantizer):
    """Nearest level in the linear domain, the scale a power of two fitted to the tensor.

    Parameters
    ----------
    format : WeightFormat
    config : dict
        Arguments that rebuild the quantizer.
    """

    def __init__(self, format: WeightFormat, config: dict[str, Any]) -> None:
        super().__init__()
        self.format = format
        self._config = config

    @property
    def bits(self) -> int:
        return self.format.bits

    def project(self, x: Any) -> tuple[Any, Any]:
        unit = fitted_unit(x, self.format.levels)
        return unit * nearest(x / unit, self.format.levels), unit

    def format_of(self, x: Any, integers: np.ndarray) -> WeightFormat:
        return self.format

    def get_config(self) -> dict[str, Any]:
        return dict(self._config)


@registered
class PowerOfTwo(LevelQuantizer):
    """Zero and powers of two; `bits` is 2 to 5."""

    def __init__(self, bits: int = 4) -> None:
        super().__init__(formats.PowerOfTwo(bits), {"bits": bits})


@registered
class AdditivePowerOfTwo(LevelQuantizer):
    """Sums of two or three powers of two (APoT); `bits` is 3 to 7."""

    def __init__(self, bits: int = 4) -> None:
        super().__init__(formats.AdditivePowerOfTwo(bits), {"bits": bits})


@registered
class Tapered(LevelQuantizer):
    """Fine levels near zero, wide ones at the ends (DyBit-like); `bits` is 3 to 7."""

    def __init__(self, bits: int = 4) -> None:
        super().__init__(formats.Tapered(bits), {"bits": bits})


@registered
class PiecewiseLinear(LevelQuantizer):
    """Fine steps in the centre, coarse ones in the tails (PWLQ, unified form).

    Parameters
    ----------
    bits : int
        Bits of a region's code; a region bit comes on top.
    shift : int
        Steps of the tails are ``2**shift`` times those of the centre.
    breakpoint : int, optional
        Where the tails start, in steps of the centre; default: where the centre ends.
    """

    def __init__(self, bits: int = 4, shift: int = 2, breakpoint: int | None = None) -> None:
        start = 1 << (bits - 1) if breakpoint is None else breakpoint
        config = {"bits": bits, "shift": shift, "breakpoint": breakpoint}
        super().__init__(formats.PiecewiseLinear(bits, start, shift), config)
