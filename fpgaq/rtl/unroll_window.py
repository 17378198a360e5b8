"""The positions of a window brought to one: the maximum or the average of each channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpgaq.ir.node import Node
from fpgaq.ir.ops import WindowAverage
from fpgaq.ir.types import INT64_LIMIT, Rounding
from fpgaq.rtl.datapath import Cast, Constant, Datapath, Larger, Ref, Smaller
from fpgaq.rtl.unroll_linear import append_product


def window_max(path: Datapath, elements: Sequence[Ref], positions: int) -> list[Ref]:
    """Append the maximum of every channel over the positions, which come one after the other with all channels."""
    channels = len(elements) // positions
    return [largest(path, list(elements[channel::channels])) for channel in range(channels)]


def reciprocal(divisor: int, most: int) -> tuple[int, int]:
    """Return the smallest factor and shift so that ``t // divisor == t * factor >> shift`` for all t from 0 to `most`.

    With ``factor * divisor = 2**shift + excess`` the quotient is too large by ``t * excess / (divisor * 2**shift)``,
    which shows nowhere if it is less than the 1 / divisor that the largest remainder leaves.
    """
    shift = 0
    while True:
        factor = -(-(1 << shift) // divisor)
        if most * (factor * divisor - (1 << shift)) < 1 << shift:
            return factor, shift
        shift += 1


def window_averages(path: Datapath, elements: Sequence[Ref], node: WindowAverage, adder_inputs: int) -> list[Ref]:
    """Append sums over the positions of a window, and their quotients, cut towards zero."""
    divisor = int(node.divisors.flat[0])
    if np.any(node.divisors != divisor):
        raise node.fail(
            "hardware for an average whose windows have different numbers of elements is not available yet; use "
            "padding 'valid'"
        )
    one = np.eye(len(elements) // node.positions, dtype=np.int64)
    sums = append_product(path, elements, np.tile(one, (node.positions, 1)), adder_inputs)
    return append_quotient(path, [Ref(s.node, s.shift + node.shift) for s in sums], divisor, node, adder_inputs)


def append_quotient(path: Datapath, totals: Sequence[Ref], divisor: int, node: Node, adder_inputs: int) -> list[Ref]:
    """Append quotients, cut towards zero; an error is one of `node`."""
    places = divisor.bit_length() - 1
    if divisor == 1 << places and all(total.shift >= places for total in totals):
        return [Ref(total.node, total.shift - places) for total in totals]
    most = max(max(map(abs, path.ref_bounds(total))) for total in totals)
    factor, shift = reciprocal(divisor, most)
    if most * factor > INT64_LIMIT:
        raise node.fail("the quotient of its sums does not fit 63 bits; use fewer bits for its input or its average")
    scale = np.eye(len(totals), dtype=np.int64) * factor
    products = append_product(path, totals, scale, adder_inputs) if factor > 1 else totals
    return [_cut(path, total, product, divisor, shift) for total, product in zip(totals, products, strict=True)]


def _cut(path: Datapath, total: Ref, product: Ref, divisor: int, shift: int) -> Ref:
    """Append what a quotient is of a product with the reciprocal; where it is known, a constant."""
    lo, hi = (abs(bound) // divisor * (1 if bound > 0 else -1) for bound in path.ref_bounds(total))
    if lo == hi:
        return Ref(path.add(Constant(lo), (lo, hi)))
    return Ref(path.add(Cast(product, shift, Rounding.TRN_ZERO), (lo, hi))) if shift else product


def largest(path: Datapath, refs: list[Ref]) -> Ref:
    """Return the largest of some values by a balanced tree, without those that never are."""
    floor = max(path.ref_bounds(ref)[0] for ref in refs)
    reaching = [ref for ref in refs if path.ref_bounds(ref)[1] > floor]
    # One of those that never fall below the floor has to stay: it is what is left when no other one reaches it.
    if not any(path.ref_bounds(ref)[0] == floor for ref in reaching):
        reaching.append(next(ref for ref in refs if path.ref_bounds(ref)[0] == floor))
    while len(reaching) > 1:
        pairs = [_larger(path, *reaching[k : k + 2]) for k in range(0, len(reaching) - 1, 2)]
        reaching = [*pairs, *reaching[2 * len(pairs) :]]
    return reaching[0]


def smallest(path: Datapath, refs: list[Ref]) -> Ref:
    """Return the smallest of some values by a balanced tree, without those that never are."""
    ceiling = min(path.ref_bounds(ref)[1] for ref in refs)
    reaching = [ref for ref in refs if path.ref_bounds(ref)[0] < ceiling]
    if not any(path.ref_bounds(ref)[1] == ceiling for ref in reaching):
        reaching.append(next(ref for ref in refs if path.ref_bounds(ref)[1] == ceiling))
    while len(reaching) > 1:
        pairs = [_smaller(path, *reaching[k : k + 2]) for k in range(0, len(reaching) - 1, 2)]
        reaching = [*pairs, *reaching[2 * len(pairs) :]]
    return reaching[0]


def _smaller(path: Datapath, a: Ref, b: Ref) -> Ref:
    (a_lo, a_hi), (b_lo, b_hi) = path.ref_bounds(a), path.ref_bounds(b)
    return Ref(path.add(Smaller(a, b), (min(a_lo, b_lo), min(a_hi, b_hi))))


def _larger(path: Datapath, a: Ref, b: Ref) -> Ref:
    (a_lo, a_hi), (b_lo, b_hi) = path.ref_bounds(a), path.ref_bounds(b)
    return Ref(path.add(Larger(a, b), (max(a_lo, b_lo), max(a_hi, b_hi))))
