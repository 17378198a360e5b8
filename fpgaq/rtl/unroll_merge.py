"""Operations of several tensors as scalar ones: what is added, multiplied or compared is an element of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np

from fpgaq.ir.node import Operand
from fpgaq.ir.ops import Concatenate, Function, Merge
from fpgaq.ir.types import INT64_LIMIT
from fpgaq.rtl.datapath import Constant, Datapath, Product, Ref
from fpgaq.rtl.unroll_linear import append_product
from fpgaq.rtl.unroll_window import append_quotient, largest, smallest


def operands(node: Merge | Concatenate, elements: Sequence[Ref], sources: Sequence[Operand]) -> list[list[Ref]]:
    """Return the aligned elements of every operand of a node.

    Parameters
    ----------
    node : Merge or Concatenate
        Its inputs are named after the streams, of which several may be the same.
    elements : sequence of Ref
        Of all sources, side by side.
    sources : sequence of Operand
        One for every stream.
    """
    ends = np.cumsum([source.bounds.lo.size for source in sources])
    parts = [list(elements[end - s.bounds.lo.size : end]) for end, s in zip(ends, sources, strict=True)]
    by_stream = dict(zip(dict.fromkeys(node.inputs), parts, strict=True))
    aligned = zip(node.inputs, node.shifts, strict=True)
    return [[Ref(ref.node, ref.shift + shift) for ref in by_stream[stream]] for stream, shift in aligned]


def concatenate(node: Concatenate, parts: Sequence[Sequence[Ref]], shape: tuple[int, ...]) -> list[Ref]:
    """Return elements behind each other; `shape` is that of an operand, or of a pixel of it."""
    blocks = math.prod(shape[:-1][: node.axis])
    found: list[Ref] = []
    for block in range(blocks):
        for part in parts:
            length = len(part) // blocks
            found += part[block * length : (block + 1) * length]
    return found


def merge(path: Datapath, node: Merge, parts: Sequence[Sequence[Ref]], adder_inputs: int, half: int) -> list[Ref]:
    """Append one operation for every element of the result, and `half` to sums; return the results.

    A part that is shorter is repeated as a whole.
    """
    columns = [[part[k % len(part)] for part in parts] for k in range(max(map(len, parts)))]
    if node.function is Function.MAXIMUM:
        return [largest(path, list(dict.fromkeys(column))) for column in columns]
    if node.function is Function.MINIMUM:
        return [smallest(path, list(dict.fromkeys(column))) for column in columns]
    if node.function is Function.MULTIPLY:
        return [reduce(lambda a, b: _product(path, a, b), column) for column in columns]
    signs = [-1 if node.function is Function.SUBTRACT and k else 1 for k in range(len(parts))]
    sums = [_sum(path, column, signs, half, adder_inputs) for column in columns]
    if node.function is not Function.AVERAGE:
        return sums
    gained = node.type.frac - node.frac
    totals = [Ref(total.node, total.shift + gained) for total in sums]
    return append_quotient(path, totals, len(parts), node, adder_inputs)


def _sum(path: Datapath, column: Sequence[Ref], signs: Sequence[int], half: int, adder_inputs: int) -> Ref:
    """Append a sum; what is read several times is one term of it."""
    weights: dict[int, int] = {}
    for ref, sign in zip(column, signs, strict=True):
        weights[ref.node] = weights.get(ref.node, 0) + (sign << ref.shift)
    weight = np.array(list(weights.values()))[:, None]
    return append_product(path, [Ref(n) for n in weights], weight, adder_inputs, np.array([half]))[0]


def _product(path: Datapath, a: Ref, b: Ref) -> Ref:
    corners = [x * y for x in path.bounds[a.node] for y in path.bounds[b.node]]
    lo, hi = min(corners), max(corners)
    assert max(-lo, hi) <= INT64_LIMIT
    op = Constant(lo) if lo == hi else Product(Ref(a.node), Ref(b.node))
    return Ref(path.add(op, (lo, hi)), a.shift + b.shift)
