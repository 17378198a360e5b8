"""The datapath of a layer as a graph of scalar operations with exact bounds.

Every value is an integer of known interval, so that it has exactly the bits it needs, and logic for what cannot happen
is never built. The same objects give the text, the delays for pipelining and the golden value for tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fpgaq.cmvm import Adder
from fpgaq.ir.types import FixedType, IntArray, Overflow, Rounding, overflow_to, shift_round, signed_bits

Interval = tuple[int, int]


@dataclass(frozen=True)
class Ref:
    """A value of the datapath, shifted left: ``node << shift``."""

    node: int
    shift: int = 0


@dataclass(frozen=True)
class Source:
    """Element `index` of the input vector."""

    index: int


@dataclass(frozen=True)
class Constant:
    """A number."""

    value: int


@dataclass(frozen=True)
class Sum:
    """An adder of two or three operands, or a lifted term; its terms' nodes are nodes of the datapath."""

    adder: Adder


@dataclass(frozen=True)
class Max0:
    """``max(x, 0)``."""

    x: Ref


@dataclass(frozen=True)
class Limit:
    """``min(max(x, least), most)``."""

    x: Ref
    least: int
    most: int


@dataclass(frozen=True)
class Cast:
    """Drop `shift` bits with rounding, then bring into range.

    Parameters
    ----------
    x : Ref
    shift : int
        Bits to drop, at least 0.
    rounding : Rounding
    biased : bool
        The operand already contains the half of a round-to-nearest (added for free in an adder before).
    least, most : int or None
        Clamps that can be reached; None where the operand never leaves the range.
    wrap : FixedType or None
        Type to wrap to, when the result can leave it and wraps.
    zero_outside : FixedType or None
        Type outside of which the result becomes zero.
    """

    x: Ref
    shift: int
    rounding: Rounding
    biased: bool = False
    least: int | None = None
    most: int | None = None
    wrap: FixedType | None = None
    zero_outside: FixedType | None = None


@dataclass(frozen=True)
class Stair:
    """``codes[number of thresholds t with x >= t]``, by comparators or as a table of all x."""

    x: Ref
    thresholds: tuple[int, ...]
    codes: tuple[int, ...]
    table: bool = False


@dataclass(frozen=True)
class Probe:
    """A step of a binary search: whether ``x >= thresholds[bits]``.

    Parameters
    ----------
    x : Ref
    bits : tuple of Ref
        What the steps before found, the most significant bit first.
    thresholds : tuple of int
        One for every value of the bits.
    """

    x: Ref
    bits: tuple[Ref, ...]
    thresholds: tuple[int, ...]


@dataclass(frozen=True)
class Lookup:
    """``codes[bits]``, the most significant bit first."""

    bits: tuple[Ref, ...]
    codes: tuple[int, ...]


@dataclass(frozen=True)
class Masked:
    """``x`` where `gate` is 1, the number `closed` where it is 0."""

    x: Ref
    gate: Ref
    closed: int


@dataclass(frozen=True)
class Larger:
    """``max(x, y)``."""

    x: Ref
    y: Ref


@dataclass(frozen=True)
class Smaller:
    """``min(x, y)``."""

    x: Ref
    y: Ref


@dataclass(frozen=True)
class Product:
    """``x * y`` of two values that are not shifted."""

    x: Ref
    y: Ref


Op = Source | Constant | Sum | Max0 | Limit | Cast | Stair | Probe | Lookup | Masked | Larger | Smaller | Product


@dataclass
class Datapath:
    """Scalar operations in topological order.

    Parameters
    ----------
    ops : list of Op
    bounds : list of (int, int)
        Exact or enclosing interval of every operation's result.
    outputs : list of Ref
        One per element of the output vector.
    forms : dict
        Estimated LUTs of every form that its matrix could have, the one that was built first.
    """

    ops: list[Op] = field(default_factory=list)
    bounds: list[Interval] = field(default_factory=list)
    outputs: list[Ref] = field(default_factory=list)
    forms: dict[str, int] = field(default_factory=dict)

    def add(self, op: Op, bounds: Interval) -> int:
        """Append an operation and return its node."""
        self.ops.append(op)
        self.bounds.append(bounds)
        return len(self.ops) - 1

    def width(self, node: int) -> int:
        """Bits of a node's result."""
        return interval_width(*self.bounds[node])

    def signed(self, node: int) -> bool:
        """Whether a node's result can be negative."""
        return self.bounds[node][0] < 0

    def ref_bounds(self, ref: Ref) -> Interval:
        """Interval of a shifted value."""
        lo, hi = self.bounds[ref.node]
        return lo << ref.shift, hi << ref.shift

    def operands(self, node: int) -> list[int]:
        """Nodes that a node reads."""
        op = self.ops[node]
        if isinstance(op, Sum):
            return [t.node for t in op.adder.terms]
        if isinstance(op, Masked):
            return [op.x.node, op.gate.node]
        if isinstance(op, (Larger, Product, Smaller)):
            return [op.x.node, op.y.node]
        if isinstance(op, Probe):
            return [op.x.node, *(bit.node for bit in op.bits)]
        if isinstance(op, Lookup):
            return [bit.node for bit in op.bits]
        return [] if isinstance(op, (Source, Constant)) else [op.x.node]

    def evaluate(self, x: IntArray) -> IntArray:
        """Compute the outputs for inputs of shape (samples, n_in), as integers."""
        values: dict[int, IntArray] = {}
        for n, op in enumerate(self.ops):
            values[n] = evaluate_op(op, x, values)
        return np.stack([values[r.node] << r.shift for r in self.outputs], axis=1)


def evaluate_op(op: Op, x: IntArray, values: Mapping[int, IntArray]) -> IntArray:
    """Compute one operation from the inputs (samples, n_in) and the values of earlier nodes."""
    if isinstance(op, Source):
        return x[:, op.index]
    if isinstance(op, Constant):
        return np.full(x.shape[0], op.value, dtype=np.int64)
    if isinstance(op, Sum):
        total = np.full(x.shape[0], op.adder.constant + op.adder.offset, dtype=np.int64)
        for t in op.adder.terms:
            total = total + (-1 if t.negative else 1) * (values[t.node] << t.shift)
        return total
    if isinstance(op, Lookup):
        return np.asarray(op.codes)[_index(op.bits, values)]
    v = values[op.x.node] << op.x.shift
    if isinstance(op, Probe):
        row = np.asarray(op.thresholds)
        return (v >= (row[_index(op.bits, values)] if op.bits else row[0])).astype(np.int64)
    if isinstance(op, Max0):
        return np.maximum(v, 0)
    if isinstance(op, Larger):
        return np.maximum(v, values[op.y.node] << op.y.shift)
    if isinstance(op, Smaller):
        return np.minimum(v, values[op.y.node] << op.y.shift)
    if isinstance(op, Product):
        return v * values[op.y.node]
    if isinstance(op, Limit):
        return np.clip(v, op.least, op.most)
    if isinstance(op, Masked):
        return np.where(values[op.gate.node] == 1, v, op.closed)
    if isinstance(op, Stair):
        return np.asarray(op.codes)[np.searchsorted(op.thresholds, v, side="right")]
    if op.biased:
        v = v - (1 << op.shift >> 1)
    rounded = shift_round(v, op.shift, op.rounding)
    if op.wrap is not None:
        return overflow_to(rounded, op.wrap, Overflow.WRAP)
    if op.zero_outside is not None:
        return overflow_to(rounded, op.zero_outside, Overflow.SAT_ZERO)
    if op.least is not None:
        rounded = np.maximum(rounded, op.least)
    return rounded if op.most is None else np.minimum(rounded, op.most)


def _index(bits: tuple[Ref, ...], values: Mapping[int, IntArray]) -> IntArray:
    index = np.zeros_like(values[bits[0].node])
    for bit in bits:
        index = 2 * index + values[bit.node]
    return index


def interval_width(lo: int, hi: int) -> int:
    """Return the bits that hold every integer of an interval; at least 1."""
    return max(signed_bits(lo), signed_bits(hi)) if lo < 0 else max(hi.bit_length(), 1)
