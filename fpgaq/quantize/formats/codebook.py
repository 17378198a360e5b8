"""Weights as indices into a table of few values (DGMS, k-means sharing)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpgaq.errors import ConfigError
from fpgaq.quantize.formats.base import IntArray, Planes, WeightFormat

MAX_ENTRIES = 256


@dataclass(frozen=True)
class Codebook(WeightFormat):
    """Index and table; entry 0 is zero.

    Parameters
    ----------
    entries : tuple of int
        Distinct values, the first one 0.
    index_bits : int
        Bits of an index.
    """

    entries: tuple[int, ...]
    index_bits: int
    name = "codebook"

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", tuple(map(int, self.entries)))
        if not self.entries or self.entries[0] != 0:
            raise ConfigError(f"entry 0 of a codebook is 0, not {self.entries[0] if self.entries else 'missing'}")
        if len(set(self.entries)) != len(self.entries):
            raise ConfigError(f"codebook entries {list(self.entries)} are not distinct; merge equal ones")
        if len(self.entries) > min(1 << self.index_bits, MAX_ENTRIES):
            raise ConfigError(
                f"a codebook of {len(self.entries)} entries is larger than its index of {self.index_bits} bits"
                f" (at most {MAX_ENTRIES} entries)"
            )

    @property
    def bits(self) -> int:
        return self.index_bits

    @property
    def table_bits(self) -> int:
        return len(self.entries) * (max(map(abs, self.entries)).bit_length() + 1)

    def table(self) -> dict[int, int]:
        return dict(enumerate(self.entries))

    def planes(self, values: IntArray) -> Planes | None:
        """Accumulate, then multiply: one sum of inputs for each magnitude of the table."""
        magnitudes = sorted({abs(v) for v in self.entries if v} & set(np.abs(values).reshape(-1).tolist()))
        if not magnitudes:
            return None
        buckets = [np.sign(values) * (np.abs(values) == m) for m in magnitudes]
        return Planes("accumulate, then multiply", np.array(magnitudes), np.stack(buckets).astype(np.int64))
