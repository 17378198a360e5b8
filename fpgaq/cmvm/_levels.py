"""How deep each column of a system may be."""

from __future__ import annotations

from fpgaq.cmvm._system import Column, System

DEEPEST = {2: 60, 3: 38}  # adder_inputs ** depth stays below 2**61; no graph gets near


def least_levels(system: System, adder_inputs: int) -> list[int]:
    """Fewest levels of adders for each column.

    Operands at depths ``d`` fit in a tree of ``D`` levels exactly if ``sum(r**d) <= r**D`` for adders of ``r`` inputs
    (Kraft's inequality).
    """
    levels: dict[int, int] = {}

    def least(j: int) -> int:
        if j not in levels:
            column = system.columns[j]
            load = _own_load(system, column, adder_inputs)
            load += sum(adder_inputs ** least(parent) for parent in _parents(system, column))
            levels[j] = next(level for level in range(load + 1) if adder_inputs**level >= load)
        return levels[j]

    return [least(j) for j in range(len(system.columns))]


def allowed_levels(system: System, adder_inputs: int, max_depth: int) -> list[int] | None:
    """Most levels for each column so that every output stays within `max_depth`; None if that is impossible.

    A column that others use gets what they leave for it.
    """
    max_depth = min(max_depth, DEEPEST[adder_inputs])
    if max(least_levels(system, adder_inputs), default=0) > max_depth:
        return None
    users: dict[int, list[int]] = {}
    for j, column in enumerate(system.columns):
        for parent in _parents(system, column):
            users.setdefault(parent, []).append(j)
    levels: dict[int, int] = {}

    def allowed(j: int) -> int:
        if j not in levels:
            levels[j] = max_depth
            for user in users.get(j, []):
                column = system.columns[user]
                room = adder_inputs ** allowed(user) - _own_load(system, column, adder_inputs)
                levels[j] = min(levels[j], next(d for d in range(room + 1) if adder_inputs ** (d + 1) > room))
        return levels[j]

    return [allowed(j) for j in range(len(system.columns))]


def _parents(system: System, column: Column) -> list[int]:
    return [node - system.n_inputs for node, _, _ in column.terms if node >= system.n_inputs]


def _own_load(system: System, column: Column, adder_inputs: int) -> int:
    """Operands of a column that are not columns themselves."""
    return sum(node < system.n_inputs for node, _, _ in column.terms) + reserved(column, adder_inputs)


def reserved(column: Column, adder_inputs: int) -> int:
    """Operands of a column beside its terms: its constant, or what turns a sum of negative terms positive."""
    if column.constant:
        return 1
    negatives = sum(sign < 0 for _, _, sign in column.terms)
    return int(negatives == len(column.terms) > 0 and (adder_inputs == 3 or negatives == 1))
