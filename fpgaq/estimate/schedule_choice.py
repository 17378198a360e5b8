"""Unrolled or folded: the cheaper schedule of a matrix under a wanted initiation interval.

Each schedule has forms, and the cheapest one is built; those are compared. Costs are in LUT6: structural counts, good
enough to choose between schedules that differ by factors, not a resource estimate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from fpgaq.cmvm.csd import digit_counts
from fpgaq.ir.node import Operand
from fpgaq.ir.ops import MatMul
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.matrix_forms import matrix_forms

_CONTROL = 40
#: Shared adders were never less than 0.35 of those that nothing shares, for random matrices of 2 to 8 bits.
LEAST_SHARE = 0.2


def cheapest_reuse(
    matrix: MatMul,
    source: Operand,
    limit: int,
    legal: Sequence[int],
    *,
    adder_inputs: int = 3,
    levels: tuple[int, ...] | None = None,
) -> int:
    """Return the legal reuse factor of at most `limit` with the least estimated cost.

    Parameters
    ----------
    matrix : MatMul
    source : Operand
        Its input vector.
    limit : int
        Wanted initiation interval in cycles.
    legal : sequence of int
        Legal reuse factors of the matrix.
    adder_inputs : int
        Operands of an adder on the device.
    levels : tuple of int, optional
        Values of the elements of the vector, where more is known than their bounds.
    """
    # Of the folded schedules the slowest one allowed is the smallest.
    folded = max((r for r in legal if 1 < r <= limit), default=None)
    if folded is None:
        return 1
    cost, unshared = folded_cost(matrix, source, folded, levels), unshared_cost(matrix, source, adder_inputs)
    if cost >= unshared:
        return 1
    if cost < LEAST_SHARE * unshared:
        return folded
    return folded if cost < unrolled_cost(matrix, source, adder_inputs) else 1


def unshared_cost(matrix: MatMul, source: Operand, adder_inputs: int) -> int:
    """Return the LUTs of adders that nothing shares: more than those of the adder graph, which takes long to find."""
    reach = np.maximum(np.abs(source.bounds.lo), np.abs(source.bounds.hi)).reshape(-1).astype(np.float64)
    sums = np.ceil(np.log2(np.abs(matrix.weight).T @ reach + np.abs(matrix.bias) + 1)) + 1
    adders = np.ceil((digit_counts(matrix.weight).sum(axis=0) + (matrix.bias != 0)) / (adder_inputs - 1))
    return int((adders * sums).sum())


def unrolled_cost(matrix: MatMul, source: Operand, adder_inputs: int) -> int:
    """Return the LUTs of the cheapest adder graph."""
    bounds = list(zip(map(int, source.bounds.lo.reshape(-1)), map(int, source.bounds.hi.reshape(-1)), strict=True))
    return matrix_forms(matrix, bounds, matrix.bias, adder_inputs=adder_inputs)[0].lut


def folded_cost(matrix: MatMul, source: Operand, reuse: int, levels: tuple[int, ...] | None = None) -> int:
    """Return the LUT equivalents of the cheapest multiply-accumulate lanes, with ROMs, input vector and control."""
    folded = FoldedMatrix(matrix.layer, dataclasses.replace(matrix, reuse=reuse), source, levels=levels)
    return folded.forms[0][1].equivalents + _CONTROL
