"""hls4ml's stable table softmax: exponentials and reciprocals from tables, everything else exact integers.

``d = max(x) - x`` is cut to a table index, ``e = exp(-d)`` comes from a table, the sum of all e is cut to a second
index whose table holds the reciprocals, and the product of both is rounded to the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds, frozen_array
from fpgaq.ir.types import FixedType, IntArray, Overflow, Rounding, cast, shift_round

#: Index of the exponential table: distances below 16 in steps of 1/64; farther ones read its last entry.
NORM_TYPE = FixedType(10, 6, False)
#: Entries of both tables, and the result.
TABLE_TYPE = FixedType(17, 16, False)
_INDEX_BITS = 10


def index_type(n: int) -> FixedType:
    """Return the type to which a sum of `n` exponentials, each at most 1, is cut."""
    return FixedType(_INDEX_BITS, _INDEX_BITS - n.bit_length(), False)


def exp_table() -> IntArray:
    """Return exp(-d) for every index; hls4ml's C++ computes it in float32 and rounds half up."""
    d = np.arange(1 << NORM_TYPE.width, dtype=np.float32) * np.float32(NORM_TYPE.step)
    return _rounded(np.exp(-d.astype(np.float64)).astype(np.float32))


def inverse_table(n: int) -> IntArray:
    """Return 1/s for every index of a sum of `n` exponentials; entry 0 is infinite and saturates."""
    s = np.arange(1 << _INDEX_BITS, dtype=np.float32) * np.float32(index_type(n).step)
    with np.errstate(divide="ignore"):
        return _rounded(np.float32(1) / s)


def _rounded(values: np.ndarray) -> IntArray:
    scaled = np.minimum(values.astype(np.float64), 2.0) * 2.0 ** (TABLE_TYPE.frac + 1)
    return np.clip(shift_round(np.floor(scaled).astype(np.int64), 1, Rounding.RND), 0, TABLE_TYPE.max)


@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Node):
    """Softmax of a vector by tables.

    Parameters
    ----------
    source_frac : int
        Fraction bits of the input.
    exponentials, inverses : int array, shape (1024,)
        Table entries, codes of `TABLE_TYPE`.
    """

    source_frac: int
    exponentials: IntArray
    inverses: IntArray
    op = "softmax"

    def __post_init__(self) -> None:
        object.__setattr__(self, "exponentials", frozen_array(self.exponentials))
        object.__setattr__(self, "inverses", frozen_array(self.inverses))

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if len(x.shape) != 1 or not 2 <= x.shape[0] < 1 << _INDEX_BITS:
            raise self.fail(
                f"softmax needs a vector of 2 to {(1 << _INDEX_BITS) - 1} elements, not shape {list(x.shape)}"
            )
        if x.type.frac != self.source_frac:
            raise self.fail(f"expects {self.source_frac} fraction bits, its input has {x.type.frac}")
        if self.type != TABLE_TYPE:
            raise self.fail(f"a table softmax has results of type {TABLE_TYPE}, not {self.type}")
        # The largest exponential is 1, so that the sum is at least 1 and no quotient exceeds 1.
        return checked_bounds(self, np.zeros(x.shape, np.int64), np.full(x.shape, 1 << TABLE_TYPE.frac))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        (x,) = values
        distance = x.max(axis=1, keepdims=True) - x
        index = cast(distance, self.source_frac, NORM_TYPE, Rounding.TRN, Overflow.SAT)
        e = self.exponentials[index]
        total = cast(e.sum(axis=1), TABLE_TYPE.frac, index_type(x.shape[1]), Rounding.TRN, Overflow.SAT)
        product = e * self.inverses[total][:, None]
        return cast(product, 2 * TABLE_TYPE.frac, TABLE_TYPE, Rounding.RND_CONV, Overflow.SAT)
