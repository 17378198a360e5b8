"""Parallel or sequential: the cheaper schedule of a gated matrix under a wanted initiation interval.

Like `fpgaq.estimate.schedule_choice`: structural counts in LUT6, good enough for schedules that differ by factors.
Compared with yosys on twelve engines and parallel forms for xc7 they were off by at most 17 %.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fpgaq.estimate.folded_cost import BLOCK_ROM_DEPTH, DSP_PRODUCT_BITS, Cost
from fpgaq.estimate.schedule_choice import LEAST_SHARE, unshared_cost
from fpgaq.ir.node import Operand
from fpgaq.ir.ops import GatedMatMul, MatMul
from fpgaq.rtl.datapath import Masked, Stair, Sum
from fpgaq.rtl.gated_engine import GatedEngine
from fpgaq.rtl.unroll import unroll

_CONTROL = 100
#: LUTs an output that remember its gate and choose it.
_CHOICE = 10
_BRAM_WIDTH = 36


def engine_of(matrix: GatedMatMul, source: Operand, reuse: int) -> GatedEngine:
    """Return the engine of a gated matrix with a reuse factor above 1."""
    return GatedEngine(matrix.layer, dataclasses.replace(matrix, reuse=reuse), source)


def cheapest_gated_reuse(matrix: GatedMatMul, source: Operand, allowed: Sequence[int], *, adder_inputs: int = 3) -> int:
    """Return the allowed reuse factor with the least estimated cost.

    Parameters
    ----------
    matrix : GatedMatMul
    source : Operand
        Its input vector.
    allowed : sequence of int
        Reuse factors that are legal and fast enough, 1 (the parallel form) among them.
    adder_inputs : int
        Operands of an adder on the device.
    """
    slowest = max(allowed)  # the smallest of the engines
    if slowest == 1:
        return 1
    cost = sequential_cost(matrix, source, slowest)
    if cost < LEAST_SHARE * _unshared_prediction(matrix, source, adder_inputs):
        return slowest
    return slowest if cost < parallel_cost(matrix, source, adder_inputs) else 1


def _unshared_prediction(matrix: GatedMatMul, source: Operand, adder_inputs: int) -> int:
    """Return the LUTs of the adders of the high bits, were nothing shared: a quick bound."""
    none = np.zeros(matrix.n_out, np.int64)
    options: dict[str, Any] = {"name": matrix.name, "inputs": matrix.inputs, "type": matrix.type, "layer": matrix.layer}
    high = MatMul(**options, weight=matrix.weight, weight_frac=matrix.weight_frac, bias=none)
    return unshared_cost(high, Operand(source.type, matrix.parts(source.bounds)[0]), adder_inputs)


def parallel_cost(matrix: GatedMatMul, source: Operand, adder_inputs: int = 3) -> int:
    """Return the LUTs of both adder graphs, of the comparisons, and of the gates in front of the low bits."""
    path = unroll([matrix], source, adder_inputs=adder_inputs)
    added = sum(path.width(n) for n, op in enumerate(path.ops) if isinstance(op, Sum))
    gated = sum(path.width(n) for n, op in enumerate(path.ops) if isinstance(op, Masked))
    # Half of the gates go into the LUTs of adders.
    return added + gated // 2 + sum(path.width(op.x.node) for op in path.ops if isinstance(op, Stair))


def sequential_cost(matrix: GatedMatMul, source: Operand, reuse: int) -> int:
    """Return the LUT equivalents of an engine: products, sums, ROMs, vector, results and the choice of outputs."""
    engine = engine_of(matrix, source, reuse)
    plan, width, out_width = engine.schedule, source.type.width, matrix.type.width
    part = max(min(matrix.low_bits, width), width - matrix.low_bits)
    multipliers = plan.inputs * plan.lanes
    in_block = part + engine.weight_width >= DSP_PRODUCT_BITS and min(part, engine.weight_width) > 1
    products = Cost(0, multipliers) if in_block else Cost(multipliers * part * engine.weight_width)
    # Behind the products: the tree, the accumulator, and the comparison with the threshold, which is read too.
    sums = plan.lanes * engine.sum_width * (plan.inputs + 1 + math.ceil(plan.groups / 64))
    vector = matrix.n_in * width + plan.inputs * part
    # Every lane reads one of its results back, four to one in a LUT, and adds to it.
    results = plan.lanes * out_width * (1 + math.ceil((plan.groups - 1) / 3))
    choice = _CHOICE * matrix.n_out + _CONTROL
    return (products + _weight_rom(engine) + Cost(sums + vector + results + choice)).equivalents


def _weight_rom(engine: GatedEngine) -> Cost:
    plan, depth = engine.schedule, engine.matrix.reuse
    width = plan.inputs * engine.weight_width
    if depth >= BLOCK_ROM_DEPTH:
        return Cost(bram18=plan.lanes * math.ceil(width / _BRAM_WIDTH) * math.ceil(depth / BLOCK_ROM_DEPTH))
    return Cost(plan.lanes * width * math.ceil(depth / 64))
