"""What is left of the columns during the pattern search, and what a pattern in them is worth; compiled.

A column is a set of signed digits ``sign * (node << shift)``; it is held as two 64-bit masks for every node, bit
`shift` of `positive[node, column]` or `negative[node, column]`. A pattern is two or three digits relative to its
first one, so looking one up in a column is a few shifts and ands.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

ONE = np.uint64(1)


class State(NamedTuple):
    """What is left of the columns, and the nodes known so far."""

    positive: NDArray[np.uint64]  # [nodes, columns]
    negative: NDArray[np.uint64]  # [nodes, columns]
    members: NDArray[np.int32]  # [columns, nodes] nodes with digits in the column, in no order
    member_count: NDArray[np.int64]  # [columns]
    lo: NDArray[np.int64]  # [nodes] interval of the node
    hi: NDArray[np.int64]
    bits: NDArray[np.int64]  # [nodes] width of the node
    weight: NDArray[np.int64]  # [nodes] adder_inputs ** depth, or 0 without a depth limit
    load: NDArray[np.int64]  # [columns] sum of the weights of the column's operands
    limit: NDArray[np.int64]  # [columns] most the load may be for a tree of the allowed depth (Kraft's inequality)


class Prices(NamedTuple):
    """How a pattern is valued."""

    adder_inputs: int
    saved: int  # tenths of a LUT for one operand bit less in a column
    reach: int  # relative shifts are smaller than this
    noise: int  # largest discount of a gain, in percent; which patterns get how much depends on the seed
    seed: int


@njit(cache=True)
def width(lo: int, hi: int) -> int:
    """Bits of the narrowest type that holds [lo, hi]."""
    reach = hi if hi > 0 else 0
    if lo < 0 and -lo - 1 > reach:
        reach = -lo - 1
    bits = 1 if lo < 0 else 0
    while reach:
        reach >>= 1
        bits += 1
    return bits


@njit(cache=True)
def lowest_bit(mask: np.uint64) -> int:
    """Index of the lowest set bit of a mask that is not zero."""
    bit = 0
    while not mask & np.uint64(0xFF):
        mask >>= np.uint64(8)
        bit += 8
    while not mask & ONE:
        mask >>= ONE
        bit += 1
    return bit


@njit(cache=True)
def moved_down(mask: np.uint64, shift: int) -> np.uint64:
    """`mask` shifted right, or left where `shift` is negative."""
    return mask >> np.uint64(shift) if shift >= 0 else mask << np.uint64(-shift)


@njit(cache=True)
def encode(prices: Prices, node: int, shift: int, sign: int) -> int:
    """A digit relative to another one, as a small number."""
    return ((node * 2 * prices.reach + shift + prices.reach) << 1) | (1 if sign < 0 else 0)


@njit(cache=True)
def write_digit(prices: Prices, pattern: NDArray[np.int64], term: int, code: int) -> None:
    """Inverse of `encode`: sets one row (node, shift, sign) of a pattern."""
    pattern[term, 0] = (code >> 1) // (2 * prices.reach)
    pattern[term, 1] = (code >> 1) % (2 * prices.reach) - prices.reach
    pattern[term, 2] = -1 if code & 1 else 1


@njit(cache=True)
def toggle(state: State, pattern: NDArray[np.int64], terms: int, column: int, shift: int, sign: int) -> None:
    """Remove the first `terms` digits of one occurrence from a column, or put them back."""
    for t in range(terms):
        bit = ONE << np.uint64(shift + pattern[t, 1])
        if pattern[t, 2] == sign:
            state.positive[pattern[t, 0], column] ^= bit
        else:
            state.negative[pattern[t, 0], column] ^= bit


@njit(cache=True)
def take(state: State, pattern: NDArray[np.int64], terms: int, column: int, shift: int, sign: int) -> bool:
    """Remove one occurrence from a column unless an earlier one used up a digit of it."""
    for t in range(terms):
        masks = state.positive if pattern[t, 2] == sign else state.negative
        if not masks[pattern[t, 0], column] & (ONE << np.uint64(shift + pattern[t, 1])):
            toggle(state, pattern, t, column, shift, sign)
            return False
        toggle(state, pattern[t:], 1, column, shift, sign)
    return True


@njit(cache=True)
def find(
    state: State, prices: Prices, pattern: NDArray[np.int64], terms: int, keep: bool, found: NDArray[np.int64]
) -> int:
    """Disjoint occurrences of a pattern, as rows (column, shift, sign) of `found`; returns how many.

    They stay removed from the columns if not `keep`. Columns that the pattern would make too deep are left out.
    """
    count = 0
    heaviest = 0
    growth = 0
    for t in range(terms):
        heaviest = max(heaviest, state.weight[pattern[t, 0]])
        growth -= state.weight[pattern[t, 0]]
    growth = growth + heaviest * prices.adder_inputs if terms > 1 else 0
    for column in range(state.load.size):
        load = state.load[column]
        for sign in (1, -1):
            hits = ~np.uint64(0)
            for t in range(terms):
                masks = state.positive if pattern[t, 2] == sign else state.negative
                hits &= moved_down(masks[pattern[t, 0], column], pattern[t, 1])
                if not hits:
                    break
            while hits and load + growth <= state.limit[column]:
                shift = lowest_bit(hits)
                hits &= hits - ONE
                if take(state, pattern, terms, column, shift, sign):
                    load += growth
                    found[count, 0] = column
                    found[count, 1] = shift
                    found[count, 2] = sign
                    count += 1
        if not keep:
            state.load[column] = load
    if keep:
        for k in range(count):
            toggle(state, pattern, terms, found[k, 0], found[k, 1], found[k, 2])
    return count


@njit(cache=True)
def measure(state: State, pattern: NDArray[np.int64], terms: int) -> tuple[int, int, int, int]:
    """Interval of a pattern as a node, the shift of its lowest digit and the bits its adder adds."""
    base = first = second = 1 << 20
    for t in range(terms):
        shift = pattern[t, 1]
        base = min(base, shift)
        second = min(second, max(shift, first))
        first = min(first, shift)
    lo = hi = 0
    for t in range(terms):
        node, shift = pattern[t, 0], pattern[t, 1] - base
        if pattern[t, 2] > 0:
            lo += state.lo[node] << shift
            hi += state.hi[node] << shift
        else:
            lo -= state.hi[node] << shift
            hi -= state.lo[node] << shift
    return lo, hi, base, max(width(lo, hi) - (second - base), 0)


@njit(cache=True)
def gain(state: State, prices: Prices, pattern: NDArray[np.int64], terms: int, uses: int) -> int:
    """Tenths of a LUT that are saved by building a pattern once for `uses` places."""
    lo, hi, _, added = measure(state, pattern, terms)
    removed = -width(lo, hi)
    for t in range(terms):
        removed += state.bits[pattern[t, 0]]
    value = prices.saved * uses * removed - 10 * added
    if prices.noise:
        key = np.uint64(prices.seed)
        for t in range(terms):
            digit = encode(prices, pattern[t, 0], pattern[t, 1], pattern[t, 2])
            key = (key ^ np.uint64(digit)) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
        value -= value * prices.noise * np.int64(key & np.uint64(1023)) // 102400
    return value


@njit(cache=True)
def optimistic(state: State, prices: Prices, pattern: NDArray[np.int64], uses: int) -> int:
    """What a pair could be worth if all of its places shared a third term as wide as its own."""
    lo, hi, _, added = measure(state, pattern, 2)
    widest = max(state.bits[pattern[0, 0]], state.bits[pattern[1, 0]])
    third = widest if prices.adder_inputs == 3 else 0
    removed = state.bits[pattern[0, 0]] + state.bits[pattern[1, 0]] + third - width(lo, hi)
    return prices.saved * uses * removed - 10 * added
