"""Shared patterns: greedy two-term common-subexpression elimination on signed digits."""

from __future__ import annotations

import heapq
from collections import defaultdict

from fpgaq.cmvm._build import Signed

Pair = tuple[int, int, int, int]  # node, node, shift of the second against the first, product of the signs


def extract(columns: list[list[Signed]], n_inputs: int) -> tuple[list[list[Signed]], list[list[Signed]]]:
    """Replace the most frequent pair of terms by a new node until no pair occurs twice.

    Returns
    -------
    patterns : list of two terms
        Pattern ``k`` is node ``n_inputs + k``.
    columns : list of list of terms
        What is left of every column.
    """
    left = [{(node, shift): sign for node, shift, sign in column} for column in columns]
    counts: dict[Pair, dict[int, int]] = defaultdict(dict)
    totals: dict[Pair, int] = defaultdict(int)
    changed: dict[Pair, None] = {}

    def count(j: int, term: Signed, step: int) -> None:
        for (node, shift), sign in left[j].items():
            pair = _pair(term, (node, shift, sign))
            counts[pair][j] = counts[pair].get(j, 0) + step
            if not counts[pair][j]:
                del counts[pair][j]
            totals[pair] += step
            changed[pair] = None

    for j, column in enumerate(columns):
        left[j] = {}
        for node, shift, sign in column:
            count(j, (node, shift, sign), 1)
            left[j][node, shift] = sign
    patterns: list[list[Signed]] = []
    heap = [(-totals[pair], pair) for pair in changed if totals[pair] > 1]
    heapq.heapify(heap)
    while heap:
        negated, pair = heapq.heappop(heap)
        if totals[pair] != -negated:
            continue
        changed.clear()
        a, b, distance, product = pair
        base = min(distance, 0)
        new = n_inputs + len(patterns)
        patterns.append([(a, -base, 1), (b, distance - base, product)])
        for j in list(counts[pair]):
            column_left = left[j]
            for shift in [s for node, s in column_left if node == a]:
                one, other = column_left.get((a, shift)), column_left.get((b, shift + distance))
                if one is None or other is None or one * other != product:
                    continue
                for node, s, sign in ((a, shift, one), (b, shift + distance, other)):
                    del column_left[node, s]
                    count(j, (node, s, sign), -1)
                count(j, (new, shift + base, one), 1)
                column_left[new, shift + base] = one
        for touched in changed:
            if totals[touched] > 1:
                heapq.heappush(heap, (-totals[touched], touched))
    return patterns, [[(node, shift, sign) for (node, shift), sign in column.items()] for column in left]


def _pair(first: Signed, second: Signed) -> Pair:
    (a, p, g), (b, q, h) = sorted((first, second))
    return a, b, q - p, g * h
