"""Averages whose windows have different numbers of elements: the kinds of rows and columns, and what they divide by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpgaq.ir.ops import WindowAverage


@dataclass(frozen=True)
class Tags:
    """The kinds of rows and columns of a frame, as bits.

    Parameters
    ----------
    rows, cols : tuple of int
        Kind of every row and of every column.
    row_bits, col_bits : int
        Bits of each; a tag is the kind of the row above that of the column.
    divisors : tuple of int
        What windows with each tag are divided by; 1 where there are none.
    """

    rows: tuple[int, ...]
    cols: tuple[int, ...]
    row_bits: int
    col_bits: int
    divisors: tuple[int, ...]

    @property
    def bits(self) -> int:
        """Bits of a tag."""
        return self.row_bits + self.col_bits


def divisor_tags(node: WindowAverage) -> Tags | None:
    """Return what tells the divisors of an average apart, None where they are all the same.

    Raises
    ------
    ModelError
        If a divisor is no product of a factor of its row and one of its column.
    """
    table = node.divisors.reshape(-1, node.divisors.shape[-1]) if node.divisors.ndim else node.divisors.reshape(1, 1)
    if np.all(table == table[0, 0]):
        return None
    if np.any(np.outer(table[:, 0], table[0]) != table * table[0, 0]):
        raise node.fail("hardware for an average whose divisors are no products of rows and columns is not available")
    row_kinds, rows = np.unique(table[:, 0], return_inverse=True)
    col_kinds, cols = np.unique(table[0], return_inverse=True)
    row_bits, col_bits = ((len(kinds) - 1).bit_length() for kinds in (row_kinds, col_kinds))
    divisors = np.ones(1 << (row_bits + col_bits), np.int64)
    divisors[(rows[:, None] << col_bits) + cols] = table
    return Tags(tuple(rows.tolist()), tuple(cols.tolist()), row_bits, col_bits, tuple(divisors.tolist()))
