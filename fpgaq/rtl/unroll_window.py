"""The positions of a window brought to one: the maximum or the average of each channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fpgaq.ir.node import Node
from fpgaq.ir.ops import WindowAverage
from fpgaq.ir.types import INT64_LIMIT, Rounding
from fpgaq.rtl.datapath import Cast, Constant, Datapath, Interval, Larger, Lookup, Product, Ref, Smaller
from fpgaq.rtl.divisor_tags import divisor_tags
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
    (factor,), shift = reciprocals([divisor], most)
    return factor, shift


def window_averages(path: Datapath, elements: Sequence[Ref], node: WindowAverage, adder_inputs: int) -> list[Ref]:
    """Append sums over the positions of a window, and their quotients, cut towards zero.

    Where windows have different numbers of elements, the last elements are the bits of the window's tag.
    """
    tags = divisor_tags(node)
    count = len(elements) - (tags.bits if tags else 0)
    elements, place = elements[:count], elements[count:]
    one = np.eye(len(elements) // node.positions, dtype=np.int64)
    sums = append_product(path, elements, np.tile(one, (node.positions, 1)), adder_inputs)
    totals = [Ref(s.node, s.shift + node.shift) for s in sums]
    if tags is None:
        return append_quotient(path, totals, int(node.divisors.flat[0]), node, adder_inputs)
    channels = len(totals)
    bounds = [[path.ref_bounds(x) for x in elements[channel::channels]] for channel in range(channels)]
    hulls = [(min(lo for lo, _ in b) << node.shift, max(hi for _, hi in b) << node.shift) for b in bounds]
    return _selected_quotients(path, totals, hulls, tags.divisors, place, node)


def _selected_quotients(
    path: Datapath,
    totals: Sequence[Ref],
    hulls: Sequence[Interval],
    divisors: Sequence[int],
    place: Sequence[Ref],
    node: Node,
) -> list[Ref]:
    """Append quotients by the divisor that a few bits select; an average is never outside of what is averaged."""
    most = max(max(map(abs, path.ref_bounds(total))) for total in totals)
    factors, shift = reciprocals(divisors, most)
    if most * max(factors) > INT64_LIMIT:
        raise node.fail("the quotient of its sums does not fit 63 bits; use fewer bits for its input or its average")
    factor = Ref(path.add(Lookup(tuple(reversed(place)), factors), (min(factors), max(factors))))
    found = []
    for total, (lo, hi) in zip(totals, hulls, strict=True):
        if lo == hi:
            found.append(Ref(path.add(Constant(lo), (lo, hi))))
            continue
        corners = [bound * f for bound in path.bounds[total.node] for f in (min(factors), max(factors))]
        product = path.add(Product(Ref(total.node), factor), (min(corners), max(corners)))
        quotient = Cast(Ref(product, total.shift), shift, Rounding.TRN_ZERO)
        found.append(Ref(path.add(quotient, (lo, hi))))
    return found


def reciprocals(divisors: Sequence[int], most: int) -> tuple[tuple[int, ...], int]:
    """Return factors and one shift for several divisors, as `reciprocal` does for one."""
    shift = 0
    while True:
        factors = tuple(-(-(1 << shift) // divisor) for divisor in divisors)
        if all(most * (f * d - (1 << shift)) < 1 << shift for f, d in zip(factors, divisors, strict=True)):
            return factors, shift
        shift += 1


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
    return _tree(path, reaching, _larger)


def smallest(path: Datapath, refs: list[Ref]) -> Ref:
    """Return the smallest of some values by a balanced tree, without those that never are."""
    ceiling = min(path.ref_bounds(ref)[1] for ref in refs)
    reaching = [ref for ref in refs if path.ref_bounds(ref)[0] < ceiling]
    if not any(path.ref_bounds(ref)[1] == ceiling for ref in reaching):
        reaching.append(next(ref for ref in refs if path.ref_bounds(ref)[1] == ceiling))
    return _tree(path, reaching, _smaller)


def _tree(path: Datapath, refs: list[Ref], joined: Callable[[Datapath, Ref, Ref], Ref]) -> Ref:
    """Return what is left of some values when neighbours are joined until there is one."""
    while len(refs) > 1:
        pairs = [joined(path, *refs[k : k + 2]) for k in range(0, len(refs) - 1, 2)]
        refs = [*pairs, *refs[2 * len(pairs) :]]
    return refs[0]


def _smaller(path: Datapath, a: Ref, b: Ref) -> Ref:
    (a_lo, a_hi), (b_lo, b_hi) = path.ref_bounds(a), path.ref_bounds(b)
    return Ref(path.add(Smaller(a, b), (min(a_lo, b_lo), min(a_hi, b_hi))))


def _larger(path: Datapath, a: Ref, b: Ref) -> Ref:
    (a_lo, a_hi), (b_lo, b_hi) = path.ref_bounds(a), path.ref_bounds(b)
    return Ref(path.add(Larger(a, b), (max(a_lo, b_lo), max(a_hi, b_hi))))
