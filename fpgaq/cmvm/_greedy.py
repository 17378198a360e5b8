"""Compiled greedy search for shared patterns.

A column is a set of signed digits ``sign * (node << shift)``; it is held as two 64-bit masks for every node, bit
`shift` of `positive[node, column]` or `negative[node, column]`. A pattern is two or three digits relative to its
first one, so looking one up in a column is a few shifts and ands.

All of it is in one file because numba's cache notices changes only in the file of the function that is called.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

ONE = np.uint64(1)

# Third word of a heap entry that is not the code of a third term.
UNEXTENDED = -2  # a pair whose third terms have not been looked at
PAIR = -1  # a pair that is better alone


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
def measure(state: State, prices: Prices, pattern: NDArray[np.int64], terms: int) -> tuple[int, int, int, int]:
    """Interval of a pattern as a node, the shift of its lowest digit and the bits its adder adds."""
    base = first = second = 1 << 20
    for t in range(terms):
        shift = pattern[t, 1]
        base = min(base, shift)
        second = min(second, max(shift, first))
        first = min(first, shift)
    lo = hi = highest = second_highest = 0
    for t in range(terms):
        node, shift = pattern[t, 0], pattern[t, 1] - base
        top = shift + state.bits[node]
        second_highest = max(second_highest, min(top, highest))
        highest = max(highest, top)
        if prices.adder_inputs == 3 or pattern[t, 2] > 0:
            lo += state.lo[node] << shift
            hi += state.hi[node] << shift
        else:
            lo -= state.hi[node] << shift
            hi -= state.lo[node] << shift
    added = width(lo, hi)
    if prices.adder_inputs == 3:  # a carry out is free
        added = min(added, highest + (1 if terms == 3 and highest == second_highest else 0))
    return lo, hi, base, max(added - (second - base), 0)


@njit(cache=True)
def gain(state: State, prices: Prices, pattern: NDArray[np.int64], terms: int, uses: int) -> int:
    """Tenths of a LUT that are saved by building a pattern once for `uses` places."""
    lo, hi, _, added = measure(state, prices, pattern, terms)
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
    lo, hi, _, added = measure(state, prices, pattern, 2)
    widest = max(state.bits[pattern[0, 0]], state.bits[pattern[1, 0]])
    third = widest if prices.adder_inputs == 3 else 0
    removed = state.bits[pattern[0, 0]] + state.bits[pattern[1, 0]] + third - width(lo, hi)
    return prices.saved * uses * removed - 10 * added


@njit(cache=True)
def neighbours(
    state: State,
    prices: Prices,
    pattern: NDArray[np.int64],
    terms: int,
    found: NDArray[np.int64],
    count: int,
    tally: NDArray[np.int32],
    codes: NDArray[np.int64],
) -> int:
    """Digits beside the occurrences of a pattern; returns how many different ones are in `codes`.

    `tally[code]` is the number of occurrences that a digit stands beside. The caller sets it back to zero.
    """
    different = 0
    for k in range(count):
        column, origin, sign = found[k, 0], found[k, 1], found[k, 2]
        m = 0
        while m < state.member_count[column]:
            node = state.members[column, m]
            if not state.positive[node, column] and not state.negative[node, column]:
                state.member_count[column] -= 1
                state.members[column, m] = state.members[column, state.member_count[column]]
                continue
            m += 1
            for side in (1, -1):
                digits = state.positive[node, column] if side > 0 else state.negative[node, column]
                while digits:
                    shift = lowest_bit(digits) - origin
                    digits &= digits - ONE
                    own = False
                    for t in range(terms):
                        own = own or (pattern[t, 0] == node and pattern[t, 1] == shift)
                    if own:
                        continue
                    code = encode(prices, node, shift, side * sign)
                    if not tally[code]:
                        codes[different] = code
                        different += 1
                    tally[code] += 1
    return different


@njit(cache=True)
def best_third(
    state: State,
    prices: Prices,
    pattern: NDArray[np.int64],
    found: NDArray[np.int64],
    count: int,
    tally: NDArray[np.int32],
    codes: NDArray[np.int64],
) -> tuple[int, int]:
    """Gain of a pair with its best third term, or alone; and the code of that term, or `PAIR`."""
    best, third = gain(state, prices, pattern, 2, count), PAIR
    alone = best
    if prices.adder_inputs < 3:
        return best, third
    different = neighbours(state, prices, pattern, 2, found, count, tally, codes)
    # A sum is about as wide as its widest operand or wider, so this many bits and the third term's can go at most.
    room = min(state.bits[pattern[0, 0]], state.bits[pattern[1, 0]]) + 1
    for k in range(different):
        code = codes[k]
        uses = tally[code]
        tally[code] = 0
        if uses < 2:
            continue
        if prices.saved * uses * (room + state.bits[(code >> 1) // (2 * prices.reach)]) <= best:
            continue
        write_digit(prices, pattern, 2, code)
        value = gain(state, prices, pattern, 3, uses)
        if value > best or (value == best and code < third):
            best, third = value, code
    if third != PAIR:  # the tally may count overlapping places and places that would get too deep
        write_digit(prices, pattern, 2, third)
        uses = find(state, prices, pattern, 3, True, found)
        best = gain(state, prices, pattern, 3, uses) if uses > 1 else alone
        if best <= alone:
            best, third = alone, PAIR
    return best, third


@njit(cache=True)
def push_pairs(
    state: State,
    prices: Prices,
    node: int,
    new: bool,
    heap: list[tuple[int, int, int, int]],
    found: NDArray[np.int64],
    tally: NDArray[np.int32],
    codes: NDArray[np.int64],
) -> None:
    """Put the pairs of a node on the heap: with every node if it is new, else with the nodes after it."""
    pattern = np.zeros((3, 3), np.int64)
    pattern[0, 0] = node
    pattern[0, 2] = 1
    count = find(state, prices, pattern, 1, True, found)
    different = neighbours(state, prices, pattern, 1, found, count, tally, codes)
    for k in range(different):
        uses = tally[codes[k]]
        tally[codes[k]] = 0
        write_digit(prices, pattern, 1, codes[k])
        other, shift, sign = pattern[1, 0], pattern[1, 1], pattern[1, 2]
        if uses < 2 or (other == node and shift < 0) or (other < node and not new):
            continue
        value = optimistic(state, prices, pattern, uses)
        if value > 0 and other < node:
            heapq.heappush(heap, (-value, other, encode(prices, node, -shift, sign), UNEXTENDED))
        elif value > 0:
            heapq.heappush(heap, (-value, node, codes[k], UNEXTENDED))


@njit(cache=True)
def add_node(state: State, prices: Prices, pattern: NDArray[np.int64], terms: int, node: int) -> int:
    """Enter a pattern as node `node`; returns the shift of its lowest digit."""
    lo, hi, base, _ = measure(state, prices, pattern, terms)
    state.lo[node] = lo
    state.hi[node] = hi
    state.bits[node] = width(lo, hi)
    for t in range(terms):
        state.weight[node] = max(state.weight[node], prices.adder_inputs * state.weight[pattern[t, 0]])
    return base


@njit(cache=True)
def push_pair(
    state: State,
    prices: Prices,
    pattern: NDArray[np.int64],
    heap: list[tuple[int, int, int, int]],
    found: NDArray[np.int64],
) -> None:
    """Put a pair on the heap to be looked at again."""
    uses = find(state, prices, pattern, 2, True, found)
    value = optimistic(state, prices, pattern, uses)
    if uses > 1 and value > 0:
        heapq.heappush(
            heap, (-value, pattern[0, 0], encode(prices, pattern[1, 0], pattern[1, 1], pattern[1, 2]), UNEXTENDED)
        )


@njit(cache=True)
def share(
    state: State, prices: Prices, pattern: NDArray[np.int64], terms: int, node: int, found: NDArray[np.int64]
) -> int:
    """Replace all occurrences of a pattern by a new node; returns the shift of its lowest digit."""
    uses = find(state, prices, pattern, terms, False, found)
    base = add_node(state, prices, pattern, terms, node)
    for k in range(uses):
        column = found[k, 0]
        if not state.positive[node, column] and not state.negative[node, column]:
            state.members[column, state.member_count[column]] = node
            state.member_count[column] += 1
        masks = state.positive if found[k, 2] > 0 else state.negative
        masks[node, column] |= ONE << np.uint64(found[k, 1] + base)
    return base


@njit(cache=True)
def search(state: State, prices: Prices, n_leaves: int, digits: int) -> NDArray[np.int64]:
    """Greedy pattern search: always the pattern of the largest gain next.

    Gains shrink as digits are used up, so they are looked at again when an entry comes to the top of the heap (lazy
    greedy evaluation) instead of being kept up to date. An entry is a pair with an optimistic value, or a pair alone
    or with its best third term at its true gain.

    Returns
    -------
    array of int, [patterns, 3, 3]
        Rows (node, shift, sign); sign 0 for an absent third term. Pattern k is node ``n_leaves + k``. `state` is
        left with what remains of the columns.
    """
    capacity = state.lo.size
    found = np.zeros((digits + 1, 3), np.int64)
    tally = np.zeros(4 * prices.reach * capacity, np.int32)
    codes = np.zeros(4 * prices.reach * capacity, np.int64)
    patterns = np.zeros((capacity - n_leaves, 3, 3), np.int64)
    pattern = np.zeros((3, 3), np.int64)
    pattern[0, 2] = 1
    heap = [(np.int64(0), np.int64(0), np.int64(0), np.int64(0))]
    heap.pop()
    for node in range(n_leaves):
        push_pairs(state, prices, node, False, heap, found, tally, codes)
    made = 0
    while heap and n_leaves + made < capacity:
        negated, pattern[0, 0], second, third = heapq.heappop(heap)
        write_digit(prices, pattern, 1, second)
        terms = 2
        if third >= 0:
            write_digit(prices, pattern, 2, third)
            terms = 3
        uses = find(state, prices, pattern, terms, True, found)
        if third == UNEXTENDED:
            if optimistic(state, prices, pattern, uses) < -negated:
                push_pair(state, prices, pattern, heap, found)
            else:
                value, third = best_third(state, prices, pattern, found, uses, tally, codes)
                if value > 0:
                    heapq.heappush(heap, (-value, pattern[0, 0], second, third))
        else:
            value = gain(state, prices, pattern, terms, uses)
            if value >= -negated:
                base = share(state, prices, pattern, terms, n_leaves + made, found)
                for t in range(terms):
                    patterns[made, t, 0] = pattern[t, 0]
                    patterns[made, t, 1] = pattern[t, 1] - base
                    patterns[made, t, 2] = pattern[t, 2]
                push_pairs(state, prices, n_leaves + made, True, heap, found, tally, codes)
                made += 1
                push_pair(state, prices, pattern, heap, found)
            elif uses > 1 and value > 0:
                heapq.heappush(heap, (-value, pattern[0, 0], second, third))
            else:
                push_pair(state, prices, pattern, heap, found)
    return patterns[:made]
