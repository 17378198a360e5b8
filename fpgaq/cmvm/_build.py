"""Turns sums of many terms into legal adders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpgaq.cmvm._cost import Operand, added_bits, top_bit, trailing_zeros, width
from fpgaq.cmvm._system import Signed
from fpgaq.cmvm._trees import FIXED, FREE, FREE_CONSTANT, Operands, cheapest_tree
from fpgaq.cmvm.graph import MAX_NEGATIVE, Adder, AdderGraph, Term


class Builder:
    """Grows a list of adders, one for each distinct sum.

    The sign of an inner node is free, so it is chosen to give the fewer added bits and the fewer negations.

    Parameters
    ----------
    bounds : sequence of (int, int)
        Intervals of the inputs.
    adder_inputs : int
        2 or 3.
    free_offsets : bool
        Whether inner nodes get offsets that keep them from being negative.
    """

    def __init__(self, bounds: Sequence[tuple[int, int]], adder_inputs: int, free_offsets: bool) -> None:
        self.n_inputs = len(bounds)
        self.adder_inputs = adder_inputs
        self.free_offsets = free_offsets
        self.adders: list[Adder] = []
        self.bounds: list[tuple[int, int]] = list(bounds)
        self.depths = [0] * len(bounds)
        self._lo = np.array([lo for lo, _ in bounds], dtype=np.int64)
        self._hi = np.array([hi for _, hi in bounds], dtype=np.int64)
        self._forms: list[NDArray[np.int64]] = list(np.eye(len(bounds), dtype=np.int64))
        self._offsets = [0] * len(bounds)
        self._known: dict[tuple[tuple[Signed, ...], int, int], int] = {}

    def total(
        self, terms: Sequence[Signed], constant: int, *, positive: bool = False, levels: int | None = None
    ) -> Signed:
        """Add up one or more operands, at most `levels` deep where that is possible.

        `constant` is what the result is where all inputs are zero. Only a result that is `positive` keeps to it if
        offsets are free.
        """
        lifted = [self._lifted(term) for term in terms]
        rest = constant - self._constant(terms)
        small = len(terms) + (rest != 0) <= self.adder_inputs
        if not self.free_offsets or (positive and (small or self._never_negative(terms, rest))):
            return self._exact_total(terms, rest, positive, levels)
        if len(terms) == 1 and not positive:
            return terms[0]
        last = self._offset_sums(lifted, levels, closed=not positive)
        if positive:
            last = [self.add(last, constant - self._constant(last), positive=True)]
        return last[0]

    def _exact_total(self, terms: Sequence[Signed], constant: int, positive: bool, levels: int | None) -> Signed:
        operands: list[tuple[Signed, ...]] = [(term,) for term in terms]
        if constant:
            operands.append(())
        if len(operands) > 1:
            joins = self._joins(terms, constant, levels)
            for k, joined in enumerate(joins):
                parts = [operands[i] for i in joined if i >= 0]
                carried = constant if () in parts else 0
                root = positive and k == len(joins) - 1
                operands.append((self.add([term for part in parts for term in part], carried, positive=root),))
        (last,) = operands[-1]
        return self.negate(last) if positive and last[2] < 0 else last

    def _offset_sums(self, terms: Sequence[Signed], levels: int | None, *, closed: bool) -> list[Signed]:
        """Add up to one operand if `closed`, else to what an adder takes beside a constant."""
        operands = list(terms)
        joins = self._offset_joins(terms, levels, closed)
        for joined in joins if closed else joins[:-1]:
            operands.append(self._offset_add([operands[i] for i in joined if i >= 0]))
        return operands[-1:] if closed else [operands[i] for i in joins[-1] if i >= 0]

    def _constant(self, terms: Sequence[Signed]) -> int:
        """What the sum of the terms is where all inputs are zero."""
        return sum((sign * self._offsets[node]) << shift for node, shift, sign in terms)

    def _never_negative(self, terms: Sequence[Signed], rest: int) -> bool:
        return not rest and all(sign > 0 and self.bounds[node][0] >= 0 for node, _, sign in terms)

    def _lifted(self, term: Signed) -> Signed:
        """The term with its sign bit inverted, where it has one."""
        node, shift, sign = term
        lo, hi = self.bounds[node]
        if not self.free_offsets or lo >= 0:
            return term
        return (self._append(((node, 0, 1),), 0, 1 << (width(lo, hi) - 1)), shift, sign)

    def _offset_add(self, terms: Sequence[Signed]) -> Signed:
        """One adder with the offset that keeps it from being negative, and the cheaper sign."""
        base = min(shift for _, shift, _ in terms)
        best: tuple[tuple[bool, int, int], tuple[Signed, ...], int, int] | None = None
        straight = tuple(sorted((node, shift - base, sign) for node, shift, sign in terms))
        lo, hi = self._interval(*self._form(straight, 0))
        for turn, bounds in ((1, (lo, hi)), (-1, (-hi, -lo))):
            turned = tuple((node, shift, turn * sign) for node, shift, sign in straight)
            offset = self._offset_for(turned, *bounds)
            badness = self._cost(turned, 0, bounds[0] + offset, bounds[1] + offset)
            if best is None or badness < best[0]:
                best = badness, turned, offset, turn
        assert best is not None
        return (self._append(best[1], 0, best[2]), base, best[3])

    def _offset_for(self, terms: tuple[Signed, ...], lo: int, hi: int) -> int:
        tops = [top for node, shift, _ in terms if (top := top_bit(shift, *self.bounds[node])) is not None]
        if not tops:
            return 0
        offset = -(lo >> min(tops) << min(tops))
        return offset if width(lo + offset, hi + offset) <= width(lo, hi) else 0

    def negate(self, term: Signed) -> Signed:
        """The same value with the other sign; a lone negation if there is no adder to turn round."""
        node, shift, sign = term
        turned = self._turned(node)
        if turned is None:
            turned = self._append(((node, 0, -1),), 0)
        return (turned, shift, -sign)

    def add(self, terms: Sequence[Signed], constant: int, *, positive: bool = False) -> Signed:
        """One adder of two or three operands; the sign of the result is free unless `positive`."""
        base = min(shift for _, shift, _ in terms)
        if constant:
            base = min(base, trailing_zeros(constant))
        straight = tuple(sorted((node, shift - base, sign) for node, shift, sign in terms))
        constant >>= base
        if positive and len(straight) > MAX_NEGATIVE and not constant and all(sign < 0 for _, _, sign in straight):
            return (self._append(self._split(straight), 0), base, 1)
        flipped = tuple((node, shift, -sign) for node, shift, sign in straight)
        if positive or self._badness(straight, constant) <= self._badness(flipped, -constant):
            return (self._append(straight, constant), base, 1)
        return (self._append(flipped, -constant), base, -1)

    def graph(self, outputs: Sequence[Term | int]) -> AdderGraph:
        """The adders that the outputs need."""
        needed = {output.node for output in outputs if isinstance(output, Term)}
        for k in reversed(range(len(self.adders))):
            if self.n_inputs + k in needed:
                needed.update(term.node for term in self.adders[k].terms)
        place: dict[int, int] = {}
        adders: list[Adder] = []
        for node in range(len(self.bounds)):
            if node < self.n_inputs or node in needed:
                place[node] = len(place)
        for node in list(place)[self.n_inputs :]:
            adder = self.adders[node - self.n_inputs]
            adders.append(replace(adder, terms=tuple(replace(t, node=place[t.node]) for t in adder.terms)))
        moved = tuple(replace(o, node=place[o.node]) if isinstance(o, Term) else o for o in outputs)
        return AdderGraph(self.n_inputs, tuple(adders), moved, tuple(self.bounds[node] for node in place))

    def _turned(self, node: int) -> int | None:
        """A node of the same depth with the negative value, if a positive operand is left to it."""
        adder = self.adders[node - self.n_inputs] if node >= self.n_inputs else None
        if adder is None or adder.operands < 2:
            return None
        terms = tuple((t.node, t.shift, 1 if t.negative else -1) for t in adder.terms)
        if adder.constant or any(sign > 0 for _, _, sign in terms):
            return self._append(terms, -adder.constant, -adder.offset)
        for k, (operand, shift, _) in enumerate(terms):
            turned = self._turned(operand)
            if turned is not None:
                return self._append(tuple(sorted((*terms[:k], (turned, shift, 1), *terms[k + 1 :]))), 0, -adder.offset)
        return None

    def _split(self, terms: tuple[Signed, ...]) -> tuple[Signed, ...]:
        """Rewrite three negative terms so that one is positive or two are left."""
        for k, (node, shift, _) in enumerate(terms):
            turned = self._turned(node)
            if turned is not None:
                return tuple(sorted((*terms[:k], (turned, shift, 1), *terms[k + 1 :])))
        shallow, middle, deep = sorted(terms, key=lambda term: (self.depths[term[0]], term))
        if self.depths[middle[0]] < self.depths[deep[0]]:
            pair = tuple(sorted((shallow, middle)))
            return tuple(sorted(((self._append(pair, 0), 0, 1), deep)))
        node, shift, _ = shallow
        return tuple(sorted(((self._append(((node, 0, -1),), 0), shift, 1), middle, deep)))

    def _joins(self, terms: Sequence[Signed], constant: int, levels: int | None) -> NDArray[np.int64]:
        """Which operands each adder of the tree joins; operands are the terms, the constant and earlier adders."""
        rows = [(*self.bounds[node], shift, sign, self.depths[node]) for node, shift, sign in terms]
        if constant:
            zeros = trailing_zeros(constant)
            rows.append((constant >> zeros, constant >> zeros, zeros, 0, 0))
        return self._tree(rows, levels, FIXED)

    def _offset_joins(self, terms: Sequence[Signed], levels: int | None, closed: bool) -> NDArray[np.int64]:
        """The same where offsets are free; if not `closed`, the last adder has one more operand, a constant."""
        rows = []
        for node, shift, sign in terms:
            lo, hi = self.bounds[node]
            rows.append((0, hi - lo, shift, sign, self.depths[node]))
        return self._tree(rows, levels, FREE if closed else FREE_CONSTANT)

    def _tree(self, rows: Sequence[tuple[int, ...]], levels: int | None, offsets: int) -> NDArray[np.int64]:
        n = len(rows)
        table = np.zeros((5, 2 * n + 1), np.int64)
        table[:, :n] = np.array(rows, dtype=np.int64).T
        if levels is None:
            table[4] = 0
        else:
            table[4, :n] = [self.adder_inputs ** int(depth) for depth in table[4, :n]]
        limit = 0 if levels is None else self.adder_inputs**levels
        _, joins = cheapest_tree(Operands(*table), n, self.adder_inputs, limit, offsets)
        return joins

    def _badness(self, terms: tuple[Signed, ...], constant: int) -> tuple[bool, int, int]:
        return self._cost(terms, constant, *self._interval(*self._form(terms, constant)))

    def _cost(self, terms: tuple[Signed, ...], constant: int, lo: int, hi: int) -> tuple[bool, int, int]:
        negatives = sum(sign < 0 for _, _, sign in terms)
        operands = [Operand(shift, sign < 0, top_bit(shift, *self.bounds[node])) for node, shift, sign in terms]
        bits = added_bits(operands, constant, lo, hi)
        return (negatives == len(terms) and not constant, bits, negatives)

    def _append(self, terms: tuple[Signed, ...], constant: int, offset: int = 0) -> int:
        known = self._known.get((terms, constant, offset))
        if known is not None:
            return known
        form, zero = self._form(terms, constant + offset)
        node = len(self.bounds)
        adder = Adder(tuple(Term(i, shift, sign < 0) for i, shift, sign in terms), constant, offset)
        self.adders.append(adder)
        self.bounds.append(self._interval(form, zero))
        self.depths.append((not adder.lifts) + max(self.depths[i] for i, _, _ in terms))
        self._forms.append(form)
        self._offsets.append(zero)
        self._known[terms, constant, offset] = node
        return node

    def _form(self, terms: tuple[Signed, ...], constant: int) -> tuple[NDArray[np.int64], int]:
        form = np.zeros_like(self._lo)
        for node, shift, sign in terms:
            form += self._forms[node] * (sign << shift)
        return form, constant + sum(self._offsets[node] * (sign << shift) for node, shift, sign in terms)

    def _interval(self, form: NDArray[np.int64], offset: int) -> tuple[int, int]:
        positive = form > 0
        lo = (form * np.where(positive, self._lo, self._hi)).sum()
        hi = (form * np.where(positive, self._hi, self._lo)).sum()
        return int(lo) + offset, int(hi) + offset
