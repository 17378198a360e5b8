"""Compiled greedy search for shared patterns."""

from __future__ import annotations

import heapq

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fpgaq.cmvm._remainder import (
    ONE,
    Prices,
    State,
    encode,
    find,
    gain,
    lowest_bit,
    measure,
    optimistic,
    width,
    write_digit,
)

# Third word of a heap entry that is not the code of a third term.
UNEXTENDED = -2  # a pair whose third terms have not been looked at
PAIR = -1  # a pair that is better alone


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
    lo, hi, base, _ = measure(state, pattern, terms)
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
