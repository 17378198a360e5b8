"""A tapered format: fine near zero, wide at the ends (DyBit-like; the encoding is our reading of arXiv 2302.12510)."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats.base import WeightFormat


@dataclass(frozen=True)
class Tapered(WeightFormat):
    """Sign and magnitude; leading ones of the magnitude code are an exponent, the bits after them a fraction.

    Parameters
    ----------
    width : int
        Bits of a code, 3 to 7, the sign included.
    """

    width: int
    name = "tapered"

    def __post_init__(self) -> None:
        if not 3 <= self.width <= 7:
            raise ConfigError(f"tapered weights have 3 to 7 bits, not {self.width}")

    @property
    def bits(self) -> int:
        return self.width

    def table(self) -> dict[int, int]:
        n = self.width - 1
        sign = 1 << n
        table = {code: _magnitude(code, n) for code in range(1 << n)}
        return table | {sign | code: -value for code, value in table.items() if value}


def _magnitude(code: int, n: int) -> int:
    """Return the integer of a magnitude code of `n` bits, in units of the smallest level."""
    ones = 0
    while ones < n and code >> (n - 1 - ones) & 1:
        ones += 1
    if ones == 0:
        return code
    if ones == n:
        return 1 << (2 * (n - 1))
    fraction_bits = n - 1 - ones
    fraction = code & ((1 << fraction_bits) - 1)
    # 2^(ones-1) * (1 + fraction / 2^fraction_bits), in units of 2^-(n-1); exact since ones + fraction_bits = n - 1.
    return ((1 << fraction_bits) + fraction) << (ones - 1 + n - 1 - fraction_bits)
