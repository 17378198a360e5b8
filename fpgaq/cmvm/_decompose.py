"""Ways to write the columns of a matrix as sums of digits and of each other.

The number of digits decides how much there is to add, and a column that resembles another one, or what all columns
have in common, has fewer digits as a difference. Which way is cheapest after sharing is found out by trying them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fpgaq.cmvm._system import Column, Signed, System
from fpgaq.cmvm.csd import csd, digit_counts

Interval = tuple[int, int]
Parent = tuple[int, int, int]  # column, shift, sign
# Levels of differences, and the digits that a difference has to save (the parent itself is one more operand).
TREES = ((2, 3), (5, 1), (1, 3), (2, 1), (5, 3), (1, 1))
TREE_WORK = 1 << 26  # weights compared while growing a tree; larger matrices do without
CENTRE_ROUNDS = 4
CENTRE_VALUES = 32


def decompositions(weights: NDArray[np.int64], bounds: list[Interval], offsets: list[int]) -> Iterator[System]:
    """All ways that are worth trying; the first one writes every column for itself.

    Parameters
    ----------
    weights : array of int64, [n_inputs, n_outputs]
    bounds : list of (int, int)
        Interval of every input.
    offsets : list of int
        Constant of every column.
    """
    copies = _copies(weights)
    seen: set[tuple[Column, ...]] = set()
    for parents, helpers in _candidates(weights, [j for j in range(weights.shape[1]) if j not in copies]):
        if not (parents or helpers) and seen:
            continue
        system = _system(weights, helpers, bounds, offsets, {**parents, **copies})
        if system.columns not in seen:
            seen.add(system.columns)
            yield system


def separate(weights: NDArray[np.int64], bounds: list[Interval], offsets: list[int]) -> System:
    """Every column for itself, copies too: the shallowest way."""
    return _system(weights, [], bounds, offsets, {})


def _candidates(
    weights: NDArray[np.int64], distinct: list[int]
) -> Iterator[tuple[dict[int, Parent], list[NDArray[np.int64]]]]:
    yield {}, []
    n, m = weights.shape
    if len(distinct) < 2:
        return
    centre, parents = _around_centre(weights, distinct)
    if len(parents) > 1:
        yield parents, [centre]
    if n * m * m <= TREE_WORK:
        for levels, margin in TREES:
            yield _spanning_tree(weights, distinct, levels, margin), []


def _copies(weights: NDArray[np.int64]) -> dict[int, Parent]:
    """Columns that equal an earlier one up to a shift and a sign."""
    shapes: dict[bytes, list[tuple[int, int, int]]] = {}
    for j, column in enumerate(weights.T):
        used = np.flatnonzero(column)
        if not len(used):
            continue
        combined = int(np.bitwise_or.reduce(np.abs(column)))
        shift = (combined & -combined).bit_length() - 1
        sign = 1 if column[used[0]] > 0 else -1
        shapes.setdefault((sign * (column >> shift)).tobytes(), []).append((shift, j, sign))
    parents = {}
    for alike in shapes.values():
        shift, first, sign = min(alike)
        parents.update({j: (first, s - shift, g * sign) for s, j, g in alike if j != first})
    return parents


def _around_centre(weights: NDArray[np.int64], distinct: list[int]) -> tuple[NDArray[np.int64], dict[int, Parent]]:
    """A helper column that many columns, or their negatives, are near to.

    A binary matrix becomes ``y = 2 * (sum of the inputs that differ from the centre) +/- centre``: half the digits.
    """
    columns = weights[:, distinct]
    values, counts = np.unique(np.abs(columns), return_counts=True)
    values = values[np.argsort(-counts, kind="stable")][:CENTRE_VALUES]
    values = np.unique(np.concatenate([values, -values, [0]]))
    signs = np.ones(len(distinct), np.int64)
    centre = np.zeros(len(weights), np.int64)
    for _ in range(CENTRE_ROUNDS):
        costs = [digit_counts(columns - value * signs).sum(axis=1) for value in values]
        centre = values[np.argmin(costs, axis=0)]
        plus, minus = (digit_counts(columns - sign * centre[:, None]).sum(axis=0) for sign in (1, -1))
        signs = np.where(plus <= minus, 1, -1)
    nearer = np.minimum(plus, minus) + 1 < digit_counts(columns).sum(axis=0)
    helper = weights.shape[1]
    return centre, {j: (helper, 0, int(g)) for j, g, near in zip(distinct, signs, nearer, strict=True) if near}


def _spanning_tree(weights: NDArray[np.int64], distinct: list[int], levels: int, margin: int) -> dict[int, Parent]:
    """Parents in a minimum spanning tree over the columns and zero, at most `levels` differences deep.

    The distance of two columns is the number of digits of their difference or sum (Prim's algorithm; the idea of
    decomposing over columns is that of da4ml, Sun et al., arXiv:2507.04535).
    """
    columns = weights[:, distinct]
    nearest = digit_counts(columns).sum(axis=0)
    parents: list[tuple[int, int] | None] = [None] * len(distinct)
    level = [0] * len(distinct)
    outside = np.ones(len(distinct), bool)
    for _ in distinct:
        j = int(np.argmin(np.where(outside, nearest, np.iinfo(np.int64).max)))
        outside[j] = False
        edge = parents[j]
        level[j] = level[edge[0]] + 1 if edge else 0
        if level[j] == levels:
            continue
        for sign in (1, -1):
            distance = digit_counts(columns - sign * columns[:, j : j + 1]).sum(axis=0) + margin
            for k in np.flatnonzero(outside & (distance < nearest)):
                nearest[k] = distance[k]
                parents[k] = (j, sign)
    return {distinct[k]: (distinct[edge[0]], 0, edge[1]) for k, edge in enumerate(parents) if edge}


def _system(
    weights: NDArray[np.int64],
    helpers: list[NDArray[np.int64]],
    bounds: list[Interval],
    offsets: list[int],
    parents: dict[int, Parent],
) -> System:
    n, m = weights.shape
    weights = np.concatenate([weights, *(helper[:, None] for helper in helpers)], axis=1)
    offsets = offsets + [0] * len(helpers)
    columns = []
    for j, offset in enumerate(offsets):
        rest, terms = weights[:, j], []
        if j in parents:
            parent, shift, sign = parents[j]
            rest = rest - sign * (weights[:, parent] << shift)
            offset -= sign * (offsets[parent] << shift)
            terms = [(n + parent, shift, sign)]
        columns.append(Column((*_digits(rest), *terms), offset))
    ranges = [_range(column, bounds, offset) for column, offset in zip(weights.T, offsets, strict=True)]
    return System(m, (*bounds, *ranges), tuple(columns))


def _digits(column: NDArray[np.int64]) -> list[Signed]:
    return [(int(i), shift, sign) for i in np.flatnonzero(column) for shift, sign in csd(int(column[i]))]


def _range(column: NDArray[np.int64], bounds: list[Interval], offset: int) -> Interval:
    """Exact interval of a column over the box of the inputs."""
    ends = [(int(w) * lo, int(w) * hi) for w, (lo, hi) in zip(column, bounds, strict=True)]
    return offset + sum(min(end) for end in ends), offset + sum(max(end) for end in ends)
