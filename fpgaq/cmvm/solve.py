"""The solver: integer matrix in, adder graph out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fpgaq.cmvm._build import Builder, Signed
from fpgaq.cmvm._cost import trailing_zeros
from fpgaq.cmvm._cse import extract
from fpgaq.cmvm.csd import csd
from fpgaq.cmvm.graph import AdderGraph, Term
from fpgaq.errors import ConfigError


def solve(
    matrix: ArrayLike,
    bounds: Sequence[tuple[int, int]],
    bias: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    adder_inputs: int = 3,
    max_depth: int | None = None,
) -> AdderGraph:
    """Write ``y = x @ matrix + bias`` as shared adders with as few added bits as it can find.

    Parameters
    ----------
    matrix : array of int, [n_inputs, n_outputs]
        The constant weights.
    bounds : sequence of (int, int)
        Interval ``(lo, hi)`` of every input, as integers.
    bias : sequence of int, [n_outputs], optional
        Added to the outputs; rides along as one more operand.
    adder_inputs : int
        3 where the device adds three numbers in one LUT a bit (Xilinx), else 2.
    max_depth : int, optional
        Most adders on any path.

    Returns
    -------
    AdderGraph
        The same graph for the same arguments, on every run and machine.

    Raises
    ------
    ConfigError
        If an argument is not usable or the depth cannot be met.
    """
    weights, intervals, offsets = _checked(matrix, bounds, bias, adder_inputs, max_depth)
    columns, offsets = _digits(weights, intervals, offsets)
    span = _span(weights, intervals, offsets)
    builder = Builder(intervals, span, adder_inputs)
    patterns, columns = extract(columns, len(intervals))
    columns = _build_patterns(builder, patterns, columns, adder_inputs)
    outputs = [_output(builder, terms, offset) for terms, offset in zip(columns, offsets, strict=True)]
    return AdderGraph.from_adders(intervals, builder.adders, outputs)


def _checked(
    matrix: ArrayLike,
    bounds: Sequence[tuple[int, int]],
    bias: Sequence[int] | NDArray[np.int64] | None,
    adder_inputs: int,
    max_depth: int | None,
) -> tuple[NDArray[np.int64], list[tuple[int, int]], list[int]]:
    weights = np.asarray(matrix)
    if weights.ndim != 2 or not np.issubdtype(weights.dtype, np.integer):
        raise ConfigError(f"cmvm: matrix of shape {weights.shape} and type {weights.dtype}; expected 2-D integers.")
    intervals = [(int(lo), int(hi)) for lo, hi in bounds]
    if len(intervals) != weights.shape[0]:
        raise ConfigError(f"cmvm: {len(intervals)} input bounds for {weights.shape[0]} matrix rows; give one per row.")
    for i, (lo, hi) in enumerate(intervals):
        if lo > hi:
            raise ConfigError(f"cmvm: input {i} has the empty range [{lo}, {hi}]; give (lo, hi) with lo <= hi.")
    offsets = [0] * weights.shape[1] if bias is None else [int(b) for b in bias]
    if len(offsets) != weights.shape[1]:
        raise ConfigError(f"cmvm: {len(offsets)} biases for {weights.shape[1]} matrix columns; give one per column.")
    if adder_inputs not in (2, 3):
        raise ConfigError(f"cmvm: adder_inputs is {adder_inputs!r}; devices have adders of 2 or 3 inputs.")
    if max_depth is not None and max_depth < 1:
        raise ConfigError(f"cmvm: max_depth is {max_depth}; give at least 1, or None for no limit.")
    return weights.astype(np.int64), intervals, offsets


def _digits(
    weights: NDArray[np.int64], intervals: list[tuple[int, int]], offsets: list[int]
) -> tuple[list[list[Signed]], list[int]]:
    """Signed digits of every column; inputs that never change join the bias."""
    offsets = list(offsets)
    columns: list[list[Signed]] = [[] for _ in offsets]
    for j, column in enumerate(columns):
        for i, (lo, hi) in enumerate(intervals):
            weight = int(weights[i, j])
            if lo == hi:
                offsets[j] += weight * lo
            else:
                column.extend((i, shift, sign) for shift, sign in csd(weight))
    return columns, offsets


def _span(weights: NDArray[np.int64], intervals: list[tuple[int, int]], offsets: list[int]) -> int:
    """Bound on the magnitude of any partial sum of signed digits (a digit is at most twice its weight)."""
    reach = [max(abs(lo), abs(hi)) for lo, hi in intervals]
    sums = [sum(4 * abs(int(w)) * r for w, r in zip(column, reach, strict=True)) for column in weights.T]
    return max((total + 2 * abs(offset) for total, offset in zip(sums, offsets, strict=True)), default=0)


def _build_patterns(
    builder: Builder, patterns: list[list[Signed]], columns: list[list[Signed]], adder_inputs: int
) -> list[list[Signed]]:
    """Inline what is used once, build the rest, and rewrite the columns in terms of built nodes."""
    first = len(builder.bounds)
    uses = [0] * (first + len(patterns))
    for terms in [*patterns, *columns]:
        for node, _, _ in terms:
            uses[node] += 1
    where: list[list[Signed]] = [[(node, 0, 1)] for node in range(first)]
    for k, pattern in enumerate(patterns):
        terms = _substitute(pattern, where)
        where.append([builder.total(terms, 0)] if uses[first + k] > 1 else terms)
    return [_substitute(column, where) for column in columns]


def _substitute(terms: list[Signed], where: list[list[Signed]]) -> list[Signed]:
    return [(n, shift + s, sign * g) for node, shift, sign in terms for n, s, g in where[node]]


def _output(builder: Builder, terms: list[Signed], offset: int) -> Term | int:
    if not terms:
        return offset
    base = min(shift for _, shift, _ in terms)
    if offset:
        base = min(base, trailing_zeros(offset))
    node, shift, sign = builder.total([(n, s - base, g) for n, s, g in terms], offset >> base, positive=True)
    assert sign > 0
    return Term(node, shift + base, False)
