"""Plain integers in two's complement."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats.base import WeightFormat

MAX_BITS = 16


@dataclass(frozen=True)
class Integer(WeightFormat):
    """Integers of 1 to 16 bits.

    Parameters
    ----------
    width : int
        Bits of a code.
    signed : bool
    symmetric : bool
        Without the most negative number.
    """

    width: int
    signed: bool = True
    symmetric: bool = False
    name = "int"

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_BITS:
            raise ConfigError(f"an integer format has 1 to {MAX_BITS} bits, not {self.width}")
        if self.symmetric and self.signed and self.width == 1:
            raise ConfigError("a symmetric signed integer of 1 bit has no value but 0; use the binary format")

    @property
    def bits(self) -> int:
        return self.width

    def table(self) -> dict[int, int]:
        half = 1 << (self.width - 1)
        if not self.signed:
            return {code: code for code in range(2 * half)}
        least = -half + self.symmetric
        return {value & (2 * half - 1): value for value in range(least, half)}
