"""Shared patterns of a system of columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpgaq.cmvm._greedy import Prices, State, search, width
from fpgaq.cmvm._levels import reserved
from fpgaq.cmvm._system import Column, Signed, System

# A three-input adder swallows two operands, a two-input one a single one, for about one LUT a result bit: what a
# bit less among the operands of a column saves, in tenths of a LUT.
SAVED_PER_BIT = {2: 15, 3: 9}


@dataclass(frozen=True)
class Patterns:
    """Shared nodes, numbered after the system's inputs and columns, and what they leave of the columns."""

    nodes: tuple[tuple[Signed, ...], ...]
    columns: tuple[Column, ...]


def find_patterns(system: System, adder_inputs: int, levels: list[int] | None, noise: int, seed: int) -> Patterns:
    """Greedy elimination of common two- and three-term patterns.

    Each step shares the pattern that saves the most LUTs: operand bits taken out of the columns against the adder
    bits of the shared node. Two-term elimination on signed digits goes back to Hartley, "Subexpression sharing in
    filters using canonic signed digit multipliers", 1996; a pattern of three terms is one adder on Xilinx and
    replaces a whole adder wherever it occurs, while one of two terms replaces half of one.

    Parameters
    ----------
    system : System
    adder_inputs : int
        2 or 3.
    levels : list of int, optional
        Most adders on a path to each column.
    noise, seed : int
        Discount gains by up to `noise` percent at random.
    """
    leaves = len(system.bounds)
    digits = sum(len(column.terms) for column in system.columns)
    reach = 1 + max((shift for column in system.columns for _, shift, _ in column.terms), default=0)
    # About ten digits a pattern is usual; if the room for nodes is ever used up, the least useful ones are missing.
    capacity = leaves + min(digits // 2, 256 + digits // 4) + 1
    state = _start(system, adder_inputs, levels, capacity)
    prices = Prices(adder_inputs, SAVED_PER_BIT[adder_inputs], reach, noise, seed)
    found = search(state, prices, leaves, digits)
    nodes = tuple(tuple((int(i), int(s), int(g)) for i, s, g in rows if g) for rows in found)
    columns = tuple(
        Column(_terms(state, j, leaves + len(nodes)), column.constant) for j, column in enumerate(system.columns)
    )
    return Patterns(nodes, columns)


def _start(system: System, adder_inputs: int, levels: list[int] | None, capacity: int) -> State:
    n_columns = len(system.columns)
    state = State(
        positive=np.zeros((capacity, n_columns), np.uint64),
        negative=np.zeros((capacity, n_columns), np.uint64),
        members=np.zeros((n_columns, capacity), np.int32),
        member_count=np.zeros(n_columns, np.int64),
        lo=np.zeros(capacity, np.int64),
        hi=np.zeros(capacity, np.int64),
        bits=np.zeros(capacity, np.int64),
        weight=np.zeros(capacity, np.int64),
        load=np.zeros(n_columns, np.int64),
        limit=np.zeros(n_columns, np.int64),
    )
    for i, (lo, hi) in enumerate(system.bounds):
        if adder_inputs == 3:  # offsets are free, so every node starts at zero
            lo, hi = 0, hi - lo
        state.lo[i], state.hi[i], state.bits[i] = lo, hi, width(lo, hi)
    if levels is not None:
        state.weight[: system.n_inputs] = 1
        state.weight[system.n_inputs : len(system.bounds)] = [adder_inputs**level for level in levels]
        state.limit[:] = [adder_inputs**level for level in levels]
    for j, column in enumerate(system.columns):
        for node, shift, sign in column.terms:
            masks = state.positive if sign > 0 else state.negative
            masks[node, j] |= np.uint64(1 << shift)
            state.load[j] += state.weight[node]
        if levels is not None:
            state.load[j] += reserved(column, adder_inputs)
        members = sorted({node for node, _, _ in column.terms})
        state.members[j, : len(members)] = members
        state.member_count[j] = len(members)
    return state


def _terms(state: State, column: int, nodes: int) -> tuple[Signed, ...]:
    terms: list[Signed] = []
    for masks, sign in ((state.positive, 1), (state.negative, -1)):
        for node in np.flatnonzero(masks[:nodes, column]):
            mask = int(masks[node, column])
            terms.extend((int(node), shift, sign) for shift in range(mask.bit_length()) if mask >> shift & 1)
    return tuple(sorted(terms))
