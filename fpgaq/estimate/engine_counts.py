"""What the engines are made of that have a library block of their own: gated matrices and the table softmax."""

from __future__ import annotations

import math

import numpy as np

from fpgaq.estimate.counts import Counts, Device
from fpgaq.estimate.folded_cost import BLOCK_ROM_DEPTH
from fpgaq.estimate.folded_products import Term, adder_trees
from fpgaq.estimate.tables import table_luts
from fpgaq.ir.ops.softmax import NORM_TYPE, TABLE_TYPE
from fpgaq.rtl.gated_engine import GatedEngine
from fpgaq.rtl.rom import address_width
from fpgaq.rtl.softmax_layer import SoftmaxLayer


def count_gated(engine: GatedEngine, device: Device) -> Counts:
    """Return the parts of the sequential engine of a gated matrix."""
    counts, plan, matrix = Counts("gated_engine"), engine.schedule, engine.matrix
    width, sums, result = engine.source.type.width, engine.sum_width, matrix.type.width
    part = max(matrix.low_bits, width - matrix.low_bits)
    product = part + engine.weight_width
    multipliers, lanes, outputs = plan.inputs * plan.lanes, plan.lanes, plan.groups * plan.lanes
    group, beat, address = (address_width(n) for n in (plan.groups, plan.beats, plan.groups * plan.beats))
    tree = (plan.inputs - 1).bit_length() // 2
    in_dsp = 0 < device.dsp_bits <= product and engine.weight_width > 1

    counts.logic["one"] = 1
    # Sequence, the vector and its operands; what goes along with the products is reset and so never a shift register.
    token = (5 if plan.beats > 1 else 3) + lanes + lanes * group
    counts.ff += 2 + (beat if plan.beats > 1 else 0) + group + (3 + tree).bit_length() + matrix.n_in * width + 1
    counts.ff += (tree + 3) * token - 1
    counts.logic["vector"] = matrix.n_in * width
    counts.logic["operands"] = plan.inputs * part
    # Products, trees, accumulators and results.
    if in_dsp:
        counts.dsp += multipliers
    else:
        counts.ff += plan.inputs * part + multipliers * product
        counts.logic["multiplied"] = multipliers * part * engine.weight_width
    registers, added = adder_trees([[Term(k, k, sums) for k in range(plan.inputs)]], sums)
    counts.ff += lanes * (registers + sums + result) + outputs * (result + 1)
    counts.logic["added"] = lanes * (added + sums)
    counts.logic["compared"] = lanes * sums
    counts.logic["chosen"] = lanes * 2 * result + outputs * result / 4
    counts.logic["gates"] = outputs
    counts.ff += lanes * (address + group + 1) + 2 * outputs.bit_length() + 2
    _count_words(
        counts, [engine.weight_words(lane) for lane in range(lanes)], plan.inputs * engine.weight_width, device
    )
    _count_words(counts, [engine.threshold_words()], lanes * sums, device)
    return counts


def _count_words(counts: Counts, roms: list[list[int]], width: int, device: Device) -> None:
    """Count ROMs, every bit that is no constant once; their results are registers."""
    for words in roms:
        if len(words) >= BLOCK_ROM_DEPTH:
            counts.bram18 += math.ceil(width / 36) * math.ceil(len(words) / 512)
            continue
        columns = {tuple(word >> k & 1 for word in words) for k in range(width)}
        stored = [column for column in columns if min(column) < max(column)]
        counts.ff += len(stored)
        counts.logic["rom"] += sum(table_luts(column, 1, device.lut_inputs) for column in stored)


def count_softmax(layer: SoftmaxLayer, device: Device) -> Counts:
    """Return the parts of a table softmax: two trees, the elements beside them, the tables and products."""
    counts, n, width = Counts("softmax"), layer.elements, layer.source.type.width
    levels, index, entry = (n - 1).bit_length(), NORM_TYPE.width, TABLE_TYPE.width
    counts.logic["one"] = 1
    for level in range(levels):
        pairs = (1 << levels - level) // 2
        counts.ff += min(pairs, math.ceil(n / (2 << level))) * (width + entry + level + 1)
        counts.logic["compared"] += min(pairs, n >> level + 1 or 1) * width
        counts.logic["added"] += (n >> level + 1 or 1) * (entry + level + 1)
    counts.registers(levels, n * width, device)
    # A DSP block has two of the registers in front of a product, and that behind it.
    counts.registers(levels - 1 if device.dsp_bits else levels + 1, n * entry, device)
    counts.logic["distances"] = n * (width + 1)
    counts.ff += n * (index + entry)
    counts.logic["rounded"] = n * entry
    # A product of 17 by 17 bits is one block; where there is none it is adders.
    if device.dsp_bits:
        counts.dsp += n
    else:
        counts.logic["multiplied"] = n * entry * entry
        counts.ff += n * 2 * entry
    for words, copies in ((layer.node.exponentials, n), (layer.node.inverses, 1)):
        _count_table(counts, np.asarray(words).astype(int).tolist(), entry, copies, device)
    stages = layer.latency
    counts.registers(stages, 1, device, reset=True)
    counts.registers(stages, 1, device)
    return counts


def _count_table(counts: Counts, words: list[int], width: int, copies: int, device: Device) -> None:
    if device.block_ram:
        counts.bram18 += copies * device.block_ram(len(words), width)
        return
    columns = {tuple(word >> k & 1 for word in words) for k in range(width)}
    counts.ff += copies * width
    counts.logic["rom"] += copies * sum(table_luts(column, 1, device.lut_inputs) for column in columns)
