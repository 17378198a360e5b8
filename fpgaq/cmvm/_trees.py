"""Compiled search for the cheapest tree of adders over one sum. Imported when a matrix is solved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fpgaq.cmvm._greedy import width

WINDOW = 8  # candidates for the next adder: this many of the operands with the lowest top bits
FORBIDDEN = 1 << 20
# Offsets of the adders: none; free, so that every operand starts at zero; free, with a constant added by the root.
FIXED, FREE, FREE_CONSTANT = 0, 1, 2


class Operands(NamedTuple):
    """Operands of a sum, ``sign * (value << shift)``; arrays have room for the results of the adders too."""

    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    shift: NDArray[np.int64]
    sign: NDArray[np.int64]  # 0 for a constant: it can be added with either sign
    weight: NDArray[np.int64]  # adder_inputs ** depth, or 0 without a depth limit


@njit(cache=True)
def join(
    items: Operands, picked: NDArray[np.int64], count: int, into: int, adder_inputs: int, root: bool, offsets: int
) -> int:
    """Enter the sum of the picked operands as item `into`; returns the bits its adder adds."""
    base = first = second = 1 << 20
    low_sign = negatives = highest = second_highest = 0
    flexible = False
    weight = np.int64(0)
    for k in range(count):
        item = picked[k]
        shift, sign = items.shift[item], items.sign[item]
        if shift < first:
            first, second, low_sign = shift, first, sign
        elif shift < second:
            second = shift
        top = shift + width(items.lo[item], items.hi[item])
        second_highest = max(second_highest, min(top, highest))
        highest = max(highest, top)
        flexible = flexible or sign == 0
        negatives += sign < 0
        weight = max(weight, items.weight[item] * adder_inputs)
    base = first
    lo = hi = 0
    for k in range(count):
        item = picked[k]
        shift = items.shift[item] - base
        if offsets or items.sign[item] >= 0:
            lo += items.lo[item] << shift
            hi += items.hi[item] << shift
        else:
            lo -= items.hi[item] << shift
            hi -= items.lo[item] << shift
    straight, flipped = width(lo, hi), width(-hi, -lo)
    if offsets:
        carried = 1 if root and offsets == FREE_CONSTANT else 0
        rows = 1 if carried or (count == 3 and highest == second_highest) else 0
        straight = flipped = min(straight + carried, highest - base + rows)  # a carry out above them is free
        if count == 1:
            second = base
    straight -= second - base if low_sign >= 0 else 0
    flipped -= second - base if low_sign <= 0 else 0
    if not flexible and negatives == count:
        straight += 1 if root else FORBIDDEN  # the root has to be positive, so an operand will be turned round
    if root or (not flexible and negatives == 0):
        flipped = FORBIDDEN
    items.shift[into] = base
    items.weight[into] = weight
    if straight <= flipped:
        items.lo[into], items.hi[into], items.sign[into] = lo, hi, 1
        return straight
    items.sign[into] = -1
    items.lo[into], items.hi[into] = (lo, hi) if offsets else (-hi, -lo)
    return flipped


@njit(cache=True)
def fits(items: Operands, picked: NDArray[np.int64], count: int, adder_inputs: int, room: int) -> bool:
    """Whether a tree of the allowed depth is still possible after joining the picked operands."""
    heaviest = np.int64(0)
    total = np.int64(0)
    for k in range(count):
        heaviest = max(heaviest, items.weight[picked[k]])
        total += items.weight[picked[k]]
    return heaviest * adder_inputs - total <= room


@njit(cache=True)
def pick_shallow(
    items: Operands, live: NDArray[np.int64], count: int, adder_inputs: int, picked: NDArray[np.int64]
) -> int:
    """The shallowest operands, as many as an adder takes; joining equals never costs a level."""
    for k in range(min(adder_inputs, count)):
        best = -1
        for x in range(count):
            taken = False
            for y in range(k):
                taken = taken or picked[y] == live[x]
            if not taken and (best < 0 or items.weight[live[x]] < items.weight[best]):
                best = live[x]
        if k > 1 and items.weight[best] > items.weight[picked[1]]:
            return k
        picked[k] = best
    return min(adder_inputs, count)


@njit(cache=True)
def pick(
    items: Operands,
    live: NDArray[np.int64],
    count: int,
    size: int,
    scratch: int,
    adder_inputs: int,
    room: int,
    eagerness: int,
    picked: NDArray[np.int64],
    offsets: int,
) -> int:
    """The next operands to join: those that remove the most operand bits for the bits they add."""
    trial = np.zeros(3, np.int64)
    best = -(1 << 40)
    window = min(count, WINDOW)
    for x in range(window):
        for y in range(x + 1, window):
            for z in range(y + 1, window if size == 3 else y + 2):
                trial[0], trial[1] = live[x], live[y]
                if size == 3:
                    trial[2] = live[z]
                if not fits(items, trial, size, adder_inputs, room):
                    continue
                added = join(items, trial, size, scratch, adder_inputs, False, offsets)
                removed = -width(items.lo[scratch], items.hi[scratch])
                order = x + y + (z if size == 3 else 0)
                for k in range(size):
                    item = trial[k]
                    removed += width(items.lo[item], items.hi[item]) if items.sign[item] else 0
                score = eagerness * removed - 10 * added
                score = 64 * score - order
                if score > best:
                    best = score
                    picked[:] = trial
    if best == -(1 << 40):
        return pick_shallow(items, live, count, adder_inputs, picked)
    return size


@njit(cache=True)
def grow(
    items: Operands, n: int, adder_inputs: int, limit: int, eagerness: int, joins: NDArray[np.int64], offsets: int
) -> tuple[int, int]:
    """Join `n` operands into one; returns the number of adders and the bits they add, and fills `joins`."""
    constants = 1 if offsets == FREE_CONSTANT else 0
    live = np.arange(n)
    picked = np.zeros(3, np.int64)
    count, made, bits = n, 0, 0
    while count + constants > 1:
        load = np.int64(0)
        for x in range(count):
            load += items.weight[live[x]]
        top = np.zeros(count, np.int64)
        for x in range(count):
            item = live[x]
            top[x] = items.shift[item] + width(items.lo[item], items.hi[item])
        live[:count] = live[:count][np.argsort(top, kind="mergesort")]
        # An even count takes one two-operand adder, after which three fit every time.
        size = 2 if adder_inputs == 2 or (count + constants) % 2 == 0 else 3
        new = n + made
        root = count + constants == size
        if root:
            size = count
            constants = 0
            picked[:count] = live[:count]
        else:
            size = pick(items, live, count, size, new, adder_inputs, limit - load, eagerness, picked, offsets)
        bits += join(items, picked, size, new, adder_inputs, root or count == size, offsets)
        joins[made, :] = -1
        joins[made, :size] = picked[:size]
        made += 1
        left = 0
        for x in range(count):
            used = False
            for k in range(size):
                used = used or live[x] == picked[k]
            if not used:
                live[left] = live[x]
                left += 1
        live[left] = new
        count = left + 1
    return made, bits


@njit(cache=True)
def cheapest_tree(
    items: Operands, n: int, adder_inputs: int, limit: int, offsets: int
) -> tuple[int, NDArray[np.int64]]:
    """Try a few trees over `n` operands and return the bits and the joins of the cheapest.

    Row k of the joins lists the operands of adder k, -1 for none; item ``n + k`` is its result.
    """
    best = 1 << 60
    result = np.zeros((n + 1, 3), np.int64)
    joins = np.zeros((n + 1, 3), np.int64)
    adders = 0
    for eagerness in range(2, 12):
        made, bits = grow(items, n, adder_inputs, limit, eagerness, joins, offsets)
        if bits < best:
            best, adders = bits, made
            result[:] = joins
    return best, result[:adders]
