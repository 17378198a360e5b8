"""Unrolled or folded: the cheaper schedule of a matrix under a wanted initiation interval.

Costs are in LUT6. They are structural counts, good enough to choose between schedules that differ by factors, not a
resource estimate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fpgaq.cmvm import solve
from fpgaq.ir.node import Operand
from fpgaq.ir.ops import MatMul
from fpgaq.ir.types import signed_bits

#: Exchange rates of scarce blocks: about the ratio in which a mid-size Xilinx 7 device has them.
LUT_PER_DSP = 200
LUT_PER_BRAM18 = 300
#: yosys turns a product into a DSP block from this many result bits on.
DSP_PRODUCT_BITS = 9
_BRAM_DEPTH = 512
_BRAM_WIDTH = 36
_CONTROL = 40


def cheapest_reuse(matrix: MatMul, source: Operand, limit: int, legal: Sequence[int], *, adder_inputs: int = 3) -> int:
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
    """
    # Of the folded schedules the slowest one allowed is the smallest.
    folded = max((r for r in legal if 1 < r <= limit), default=None)
    if folded is None:
        return 1
    return folded if folded_cost(matrix, source, folded) < unrolled_cost(matrix, source, adder_inputs) else 1


def unrolled_cost(matrix: MatMul, source: Operand, adder_inputs: int) -> int:
    """Return the LUTs of the shared adder graph."""
    bounds = list(zip(map(int, source.bounds.lo.reshape(-1)), map(int, source.bounds.hi.reshape(-1)), strict=True))
    return solve(matrix.weight, bounds, matrix.bias, adder_inputs=adder_inputs).total_bits


def folded_cost(matrix: MatMul, source: Operand, reuse: int) -> int:
    """Return the LUT equivalents of multiply-accumulate lanes, weight ROM and input vector."""
    width = source.type.width
    weight_bits = max(signed_bits(int(matrix.weight.min())), signed_bits(int(matrix.weight.max())))
    multipliers = math.ceil(matrix.weight.size / reuse)
    if width + 1 + weight_bits >= DSP_PRODUCT_BITS:
        products = multipliers * LUT_PER_DSP
    else:
        products = multipliers * width * weight_bits
    word = multipliers * weight_bits
    if reuse >= _BRAM_DEPTH:
        rom = math.ceil(word / _BRAM_WIDTH) * math.ceil(reuse / _BRAM_DEPTH) * LUT_PER_BRAM18
    else:
        rom = word * math.ceil(reuse / 64)
    accumulate = multipliers * matrix.type.width
    return products + rom + accumulate + matrix.n_in * width + _CONTROL
