"""Turns sums of many terms into legal adders."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpgaq.cmvm._cost import added_bits, trailing_zeros, width
from fpgaq.cmvm.graph import MAX_NEGATIVE, Adder, Term

Signed = tuple[int, int, int]  # node, shift, sign (+1 or -1)
_FITS = 1 << 62


class Builder:
    """Grows a list of adders, one for each distinct sum.

    Every adder it makes has at least one positive operand where that is possible: the sign of an inner node is free,
    so it is chosen to give the narrower result and the fewer negations.
    """

    def __init__(self, bounds: Sequence[tuple[int, int]], span: int, adder_inputs: int) -> None:
        """Start with the inputs; `span` bounds the magnitude of every sum that will be asked for."""
        dtype = np.int64 if span < _FITS else object
        self.adder_inputs = adder_inputs
        self.adders: list[Adder] = []
        self.bounds: list[tuple[int, int]] = list(bounds)
        self.depths = [0] * len(bounds)
        self._lo = np.array([lo for lo, _ in bounds], dtype=dtype)
        self._hi = np.array([hi for _, hi in bounds], dtype=dtype)
        self._forms: list[NDArray] = list(np.array(np.eye(len(bounds), dtype=np.int64), dtype=dtype))
        self._offsets = [0] * len(bounds)
        self._known: dict[tuple[tuple[Signed, ...], int], int] = {}

    def total(self, terms: Sequence[Signed], constant: int, *, positive: bool = False) -> Signed:
        """Add up two or more operands as a tree of adders, narrow operands first."""
        heap: list[tuple[int, int, Signed | None, int]] = []
        for term in terms:
            heap.append((self._top(term), len(heap), term, 0))
        if constant:
            heap.append((abs(constant).bit_length(), len(heap), None, constant))
        heapq.heapify(heap)
        serial = len(heap)
        while len(heap) > 1:
            # An even count takes one two-operand adder: the narrowest one, after which three fit every time.
            take = 2 if self.adder_inputs == 2 or len(heap) % 2 == 0 else 3
            picked = [heapq.heappop(heap) for _ in range(take)]
            parts = [term for _, _, term, _ in picked if term is not None]
            node = self.add(parts, sum(c for *_, c in picked), positive=positive and not heap)
            heapq.heappush(heap, (self._top(node), serial, node, 0))
            serial += 1
        last = heap[0][2]
        assert last is not None
        if positive and last[2] < 0:
            return self.negate(last)
        return last

    def negate(self, term: Signed) -> Signed:
        """A lone negation, for an output that is a negated input or shared node."""
        node, shift, sign = term
        return (self._append(((node, 0, -1),), 0), shift, -sign)

    def add(self, terms: Sequence[Signed], constant: int, *, positive: bool = False) -> Signed:
        """One adder of two or three operands; the sign of the result is free unless `positive`."""
        base = min(shift for _, shift, _ in terms)
        if constant:
            base = min(base, trailing_zeros(constant))
        straight = tuple(sorted((node, shift - base, sign) for node, shift, sign in terms))
        constant >>= base
        if positive and len(straight) > MAX_NEGATIVE and not constant and all(sign < 0 for _, _, sign in straight):
            straight = ((self._append(straight[:2], 0), 0, 1), straight[2])
        flipped = tuple((node, shift, -sign) for node, shift, sign in straight)
        if positive or self._badness(straight, constant) <= self._badness(flipped, -constant):
            return (self._append(straight, constant), base, 1)
        return (self._append(flipped, -constant), base, -1)

    def _badness(self, terms: tuple[Signed, ...], constant: int) -> tuple[bool, int, int]:
        negatives = sum(sign < 0 for _, _, sign in terms)
        lo, hi = self._interval(*self._form(terms, constant))
        bits = added_bits([(shift, sign < 0) for _, shift, sign in terms], constant, lo, hi)
        return (negatives == len(terms) and not constant, bits, negatives)

    def _append(self, terms: tuple[Signed, ...], constant: int) -> int:
        known = self._known.get((terms, constant))
        if known is not None:
            return known
        form, offset = self._form(terms, constant)
        node = len(self.bounds)
        self.adders.append(Adder(tuple(Term(i, shift, sign < 0) for i, shift, sign in terms), constant))
        self.bounds.append(self._interval(form, offset))
        self.depths.append(1 + max(self.depths[i] for i, _, _ in terms))
        self._forms.append(form)
        self._offsets.append(offset)
        self._known[terms, constant] = node
        return node

    def _form(self, terms: tuple[Signed, ...], constant: int) -> tuple[NDArray, int]:
        form = sum(self._forms[node] * (sign << shift) for node, shift, sign in terms)
        offset = constant + sum(self._offsets[node] * (sign << shift) for node, shift, sign in terms)
        return form, offset  # type: ignore[return-value]

    def _interval(self, form: NDArray, offset: int) -> tuple[int, int]:
        positive = form > 0
        lo = (form * np.where(positive, self._lo, self._hi)).sum()
        hi = (form * np.where(positive, self._hi, self._lo)).sum()
        return int(lo) + offset, int(hi) + offset

    def _top(self, term: Signed) -> int:
        return term[1] + width(*self.bounds[term[0]])
