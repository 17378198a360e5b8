"""The three ways to build a staircase: a comparator for every step, a table, or a binary search.

Costs are fits to what yosys 0.70 makes for xc7 of the steps of a tanh, with 3 to 63 thresholds and 8 to 14 bits.
In LUTs, at 12 bits: 63 thresholds take 163 as comparators, 127 as a table and 71 as a search; 7 take 22, 22 and 20.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpgaq.ir.types import IntArray
from fpgaq.rtl.datapath import Constant, Datapath, Interval, Lookup, Probe, Ref, Stair, interval_width

#: A table of more bits is neither cheaper than a search nor fit to be read.
WIDEST_TABLE = 8


def append_staircase(path: Datapath, x: Ref, thresholds: IntArray, codes: IntArray) -> Ref:
    """Append the part of a staircase that the operand can reach, in its cheapest form.

    Parameters
    ----------
    path : Datapath
    x : Ref
        The operand.
    thresholds, codes : int array, shapes (n,) and (n + 1,)
        ``codes[number of thresholds t with x >= t]``; thresholds ascend, codes ascend or descend.

    Returns
    -------
    Ref
        The result.
    """
    # Low bits that are zero decide nothing.
    scaled = -((-thresholds) >> x.shift)
    x, bounds = Ref(x.node), path.bounds[x.node]
    first, last = (int(np.searchsorted(scaled, bound, side="right")) for bound in bounds)
    steps, reached = tuple(map(int, scaled[first:last])), tuple(map(int, codes[first : last + 1]))
    steps, reached = _distinct(steps, reached)
    ends = min(reached), max(reached)
    if not steps:
        return Ref(path.add(Constant(reached[0]), ends))
    form = cheapest_form(interval_width(*bounds), len(steps), interval_width(*ends))
    if form == "search":
        return _search(path, x, steps, reached, bounds)
    return Ref(path.add(Stair(x, steps, reached, form == "table"), ends))


def cheapest_form(width: int, steps: int, out_width: int) -> str:
    """Return "comparators", "table" or "search".

    Parameters
    ----------
    width, out_width : int
        Bits of the operand and of the result.
    steps : int
        Thresholds.
    """
    costs = form_costs(width, steps, out_width)
    return min(costs, key=lambda form: costs[form])


def form_costs(width: int, steps: int, out_width: int) -> dict[str, float]:
    """Return the estimated LUTs of every form; arguments as for `cheapest_form`."""
    # Wide comparators are carry chains, which share nothing.
    costs = {"comparators": steps * ((width - 1) / 4 + (1.5 if width > 12 else 0))}
    if width <= WIDEST_TABLE:
        costs["table"] = min(0.75 * costs["comparators"], 0.7 * out_width * 2 ** max(width - 6, 0))
    if steps > 2:
        costs["search"] = 1.15 * width * (1 + steps / 13)
    return costs


def _distinct(steps: tuple[int, ...], codes: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Keep the last of equal thresholds, which scaling can make."""
    kept = [k for k, step in enumerate(steps) if k + 1 == len(steps) or steps[k + 1] != step]
    return tuple(steps[k] for k in kept), (codes[0], *(codes[k + 1] for k in kept))


def _search(path: Datapath, x: Ref, steps: Sequence[int], codes: Sequence[int], bounds: Interval) -> Ref:
    """Append one comparison for every bit of the number of thresholds reached, the most significant one first."""
    levels = len(steps).bit_length()
    size = 1 << levels
    never = bounds[1] + 1  # a threshold above everything
    padded = [*steps, *[never] * (size - 1 - len(steps))]
    bits: list[Ref] = []
    for level in range(levels):
        half = size >> (level + 1)
        row = tuple(padded[(2 * k + 1) * half - 1] for k in range(1 << level))
        reached = (int(bounds[0] >= max(row)), int(bounds[1] >= min(row)))
        bits.append(Ref(path.add(Probe(x, tuple(bits), row), reached)))
    results = (*codes, *[codes[-1]] * (size - len(codes)))
    return Ref(path.add(Lookup(tuple(bits), results), (min(codes), max(codes))))
