"""Weights shared through a small table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fpgaq.errors import ConfigError
from fpgaq.quantize import formats
from fpgaq.quantize.quantizers.base import registered
from fpgaq.quantize.quantizers.fixed_levels import FixedLevels

_LLOYD_ROUNDS = 100


@registered
class Codebook(FixedLevels):
    """The nearest entry of a table; entry 0 is zero.

    Parameters
    ----------
    entries : sequence of int
        Table in units; the first entry is 0, all are distinct.
    unit : float
        A power of two.
    bits : int
        Bits of an index.
    """

    def __init__(self, entries: Sequence[int], unit: float, bits: int) -> None:
        self.table = formats.Codebook(tuple(entries), bits)
        super().__init__(self.table, unit)

    @classmethod
    def from_weights(cls, weights: np.ndarray, bits: int, entry_bits: int = 8) -> Codebook:
        """Return the quantizer whose table clusters trained weights (k-means with one centre held at zero).

        Parameters
        ----------
        weights : float array
        bits : int
            Bits of an index; the table has up to ``2**bits`` entries.
        entry_bits : int
            Bits of a table entry, the sign included.

        Raises
        ------
        ConfigError
            There are fewer distinct weights than entries, or a weight is not finite.
        """
        w = np.asarray(weights, np.float64).reshape(-1)
        if not np.isfinite(w).all():
            raise ConfigError("Codebook: weights contain NaN or infinity")
        distinct = len(np.unique(w))
        if distinct < 1 << bits:
            raise ConfigError(
                f"Codebook: {1 << bits} entries for {distinct} distinct weights; use at most "
                f"{distinct.bit_length() - 1} bits"
            )
        centres = clustered(w, 1 << bits)
        unit = 2.0 ** (int(np.frexp(np.abs(centres).max())[1]) - entry_bits + 1)
        # Half to even, saturating; centres that fall together are one entry.
        entries = np.clip(np.rint(centres / unit), 1 - (1 << (entry_bits - 1)), (1 << (entry_bits - 1)) - 1).astype(int)
        return cls((0, *sorted(set(entries.tolist()) - {0})), unit, bits)

    def get_config(self) -> dict[str, Any]:
        return {"entries": list(self.table.entries), "unit": self.unit, "bits": self.bits}


def clustered(w: np.ndarray, count: int) -> np.ndarray:
    """Return centres of numbers: Lloyd's algorithm from quantiles, the centre nearest to zero held there."""
    centres = np.quantile(w, (np.arange(count) + 0.5) / count)
    centres[np.abs(centres).argmin()] = 0.0
    for _ in range(_LLOYD_ROUNDS):
        member = np.abs(w[:, None] - centres).argmin(1)
        sums, sizes = np.bincount(member, w, count), np.bincount(member, minlength=count)
        moved = np.where((sizes > 0) & (centres != 0), sums / np.maximum(sizes, 1), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres
