"""One bit a weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpgaq.quantize.formats.base import IntArray, Planes, WeightFormat


@dataclass(frozen=True)
class Binary(WeightFormat):
    """-1 and +1 (code 0 and 1), or 0 and 1.

    Parameters
    ----------
    zero_one : bool
        The values are 0 and 1.
    """

    zero_one: bool = False
    name = "binary"

    @property
    def bits(self) -> int:
        return 1

    def table(self) -> dict[int, int]:
        return {0: 0 if self.zero_one else -1, 1: 1}

    def planes(self, values: IntArray) -> Planes | None:
        """Twice the sum of the inputs with weight +1, minus the sum of all inputs, which all outputs share."""
        if self.zero_one:
            return None
        plus = (values > 0).astype(np.int64)
        return Planes("shared sum", np.array([2, -1]), np.stack([plus, np.ones_like(plus)]))
