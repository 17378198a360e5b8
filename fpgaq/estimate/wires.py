"""Which bits of a datapath are wires of others: only what is computed anew can need a register or a LUT.

A shift, a cast that only drops bits, and the low bits of a sum in which one operand lives alone are wires. The
synthesis tool sees that two registers hold the same and keeps one, so that registers must be counted by wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fpgaq.cmvm import Adder
from fpgaq.ir.types import Rounding
from fpgaq.rtl.datapath import Cast, Constant, Datapath, Limit, Ref, Sum, interval_width
from fpgaq.rtl.emit_adder import passed_low_bits

#: A bit that is known; other bits are numbered from 0.
KNOWN = -1

Bits = list[int]


@dataclass(frozen=True)
class Wires:
    """The bits of every value of a datapath.

    Parameters
    ----------
    path : Datapath
    bits : list of list of int
        Number of every bit of every node, the lowest first; equal numbers are one wire.
    made_by : list of int
        Node that computes each bit.
    """

    path: Datapath
    bits: list[Bits]
    made_by: list[int]

    @classmethod
    def of(cls, path: Datapath) -> Wires:
        """Return the bits of a datapath."""
        wires = cls(path, [], [])
        for node in range(len(path.ops)):
            wires.bits.append(wires._of_node(node))
        return wires

    def range(self, ref: Ref, low: int, high: int) -> Bits:
        """Return bits ``[low, high)`` of a shifted value, its sign repeated above it."""
        bits = self.bits[ref.node]
        above = bits[-1] if self.path.signed(ref.node) else KNOWN
        first, last = low - ref.shift, high - ref.shift
        below = max(min(-first, high - low), 0)
        inner = bits[max(first, 0) : max(last, 0)]
        return [KNOWN] * below + inner + [above] * (high - low - below - len(inner))

    def whole(self, ref: Ref) -> Bits:
        """Return all bits of a shifted value."""
        return self.range(ref, 0, interval_width(*self.path.ref_bounds(ref)))

    def _of_node(self, node: int) -> Bits:
        op, width = self.path.ops[node], self.path.width(node)
        wired: Bits = []
        if isinstance(op, Constant):
            return [KNOWN] * width
        if isinstance(op, Sum):
            wired = self._of_sum(op.adder, width)
        elif isinstance(op, Limit):
            lo, hi = self.path.ref_bounds(op.x)
            if op.least <= lo and op.most >= hi:
                wired = self.range(op.x, 0, width)
        elif isinstance(op, Cast) and not self.rounds_by_adding(op) and op.zero_outside is None:
            wired = [] if clamps(op) else self.range(op.x, op.shift, op.shift + width)
            if wired and op.rounding is Rounding.RND_CONV and op.shift:
                wired[0] = self._new(node)
        return wired + [self._new(node) for _ in range(width - len(wired))]

    def rounds_by_adding(self, op: Cast) -> bool:
        """Whether a cast has an adder of its own: cutting does not, nor does cutting towards zero what is positive."""
        cuts = op.rounding is Rounding.TRN or (op.rounding is Rounding.TRN_ZERO and not self.path.signed(op.x.node))
        return op.shift > 0 and not op.biased and not cuts

    def _of_sum(self, adder: Adder, width: int) -> Bits:
        """Return the low bits of a sum that are wires; of a term whose sign is inverted all but that one."""
        if adder.lifts:
            (term,) = adder.terms
            return self.range(Ref(term.node, term.shift), 0, min(width, term.shift + len(self.bits[term.node]) - 1))
        through = passed_low_bits(adder, width)
        first = min(adder.terms, key=lambda t: t.shift)
        if through <= first.shift:
            return [KNOWN] * through
        return self.range(Ref(first.node, first.shift), 0, through)

    def _new(self, node: int) -> int:
        self.made_by.append(node)
        return len(self.made_by) - 1


def clamps(op: Cast) -> bool:
    """Whether a cast can meet an end of its range."""
    return op.least is not None or op.most is not None


def known(bits: Iterable[int]) -> Bits:
    """Return the bits that are no constants."""
    return [b for b in bits if b != KNOWN]


def both_live(operands: Sequence[Bits]) -> list[int]:
    """Return how many of the operands have a bit that is no constant, at every place."""
    return [sum(b != KNOWN for b in column) for column in zip(*operands, strict=True)]
