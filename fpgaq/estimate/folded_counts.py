"""What a folded matrix is made of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.estimate.counts import ALL_BITS, Counts, Device
from fpgaq.estimate.folded_cost import BLOCK_ROM_DEPTH
from fpgaq.estimate.tables import table_luts
from fpgaq.ir.types import FixedType, IntArray
from fpgaq.rtl.datapath import interval_width
from fpgaq.rtl.folded_forms import FoldedForm, Product
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.rom import address_width


def count_folded(folded: FoldedMatrix, device: Device, read: Sequence[int] | None = None) -> Counts:
    """Return the parts of a folded matrix; `read` tells which bits of every element of its result something reads."""
    counts = Counts("folded")
    schedule, form = folded.schedule, folded.form
    width = folded.source.type.width if form.bits is None else form.bits.count
    part = schedule.n_in // folded.pixels * width
    counts.ff += part + 1 + schedule.inputs_per_cycle * width
    counts.logic["one"] = 1
    counts.logic["vector"] = part
    _count_sequence(counts, folded, device)
    result = folded.result_type.width
    bits = [(wanted & (1 << result) - 1).bit_count() for wanted in read or [ALL_BITS] * schedule.n_out]
    lanes: NDArray[np.bool_] = np.any(schedule.by_group(np.array(bits)), axis=0)
    counts.ff += sum(bits)
    _count_roms(counts, folded, lanes, width, device)
    _count_lanes(counts, folded, lanes, width, device)
    return counts


def _count_sequence(counts: Counts, folded: FoldedMatrix, device: Device) -> None:
    """Count what says which weights and inputs are next, and what goes along with the products."""
    schedule = folded.schedule
    states = schedule.reuse, schedule.groups, schedule.beats
    address, group, beat = map(address_width, states)
    steps = folded.ii if folded.pixels > 1 else 1
    tree = folded.latency - folded.ii - 4
    counts.ff += 1 + address + beat + group + (steps - 1).bit_length()
    counts.logic["counted"] = address + beat + group
    # Valid bits are reset, the others are not.
    counts.registers(tree + 4, 1, device, reset=True)
    counts.registers(tree + 2, 1, device)
    for bits in (1, 1, group):
        counts.registers(tree + 3, bits, device)
    counts.registers(tree + 4, 1, device)
    if schedule.groups > 1:
        counts.registers(tree, group, device)


def _count_roms(counts: Counts, folded: FoldedMatrix, lanes: NDArray[np.bool_], width: int, device: Device) -> None:
    """Count the words of weights and biases, every distinct bit once; a DSP block holds bits that are its own."""
    form, schedule = folded.form, folded.schedule
    in_dsp = device.dsp_registers and _in_dsp(folded, width, device)
    by_lane = schedule.by_cycle(form.stored).reshape(schedule.reuse, schedule.lanes, -1)[:, lanes]
    words = by_lane.reshape(schedule.reuse, -1)
    if schedule.reuse >= BLOCK_ROM_DEPTH:
        counts.bram18 += math.ceil(words.shape[1] * form.stored_width / 36) * math.ceil(schedule.reuse / 512)
    else:
        columns = _columns(words, form.stored_width)
        shared = [column for column, uses in columns.items() if uses > 1]
        counts.ff += len(shared if in_dsp else columns)
        counts.logic["rom"] += sum(table_luts(column, 1, device.lut_inputs) for column in columns)
    if schedule.groups > 1:
        result = folded.result_type.width
        fields = np.array([int(b) + folded.half & (1 << result) - 1 for b in form.biases], object)
        scaled = fields + form.scales.astype(object) * (1 << result)
        columns = _columns(schedule.by_group(scaled)[:, lanes], result + form.scale_width)
        counts.ff += 2 * len(columns)
        counts.logic["rom"] += sum(table_luts(column, 1, device.lut_inputs) for column in columns)


def _count_lanes(counts: Counts, folded: FoldedMatrix, lanes: NDArray[np.bool_], width: int, device: Device) -> None:
    """Count products, the trees that add them, accumulators and results."""
    form, schedule, result = folded.form, folded.schedule, folded.result_type.width
    inputs, count = schedule.inputs_per_cycle, int(lanes.sum())
    terms = [bits for bits, alive in zip(_terms(folded, width), lanes, strict=True) if alive]
    products = sum(map(sum, terms))
    in_dsp = _in_dsp(folded, width, device)
    counts.dsp += count * inputs if in_dsp else 0
    if in_dsp and device.dsp_registers:
        accumulates = inputs == 1 and not form.scale_width
        counts.ff -= inputs * width + (count * result if accumulates else 0)
        counts.logic["started" if accumulates else "accumulated"] += count * result
    else:
        counts.ff += products
        counts.logic["accumulated"] += count * result
        counts.logic["multiplied_in_dsp" if in_dsp else _product_kind(folded, width)] += products
    for bits in terms:
        registers, added = adder_tree(bits, result, in_dsp=in_dsp and device.dsp_registers)
        counts.ff += registers
        counts.logic["added"] += added
    counts.ff += count * result
    counts.logic["enables"] += schedule.groups if schedule.groups > 1 else 0
    counts.logic["scaled"] += count * result * form.scale_width
    if form.decoder is not None:
        words = [form.decoder.get(code, 0) for code in range(1 << form.stored_width)]
        counts.logic["decoded"] += count * inputs * table_luts(words, form.weight_width, device.lut_inputs)


def _product_kind(folded: FoldedMatrix, width: int) -> str:
    """Return what kind of logic makes a bit of a product."""
    form = folded.form
    if form.product is Product.COUNT:
        return "counted_bits"
    if width + form.stored_width <= 6:
        return "looked_up"
    if form.product is Product.SHIFT:
        return f"shifted_{form.max_shift.bit_length()}"
    return "multiplied"


def _columns(words: Any, width: int) -> Counter[tuple[int, ...]]:
    """Return the distinct bits of the words of a ROM that are no constants, and how many there are of each."""
    planes = np.concatenate([words >> k & 1 for k in range(width)], axis=1)
    return Counter(tuple(column) for column in planes.T.tolist() if min(column) < max(column))


def _terms(folded: FoldedMatrix, width: int) -> list[list[int]]:
    """Return for every lane the bits of what its tree adds: of products those that the weights of any cycle reach."""
    form, schedule = folded.form, folded.schedule
    if form.product is Product.COUNT:
        counted = schedule.inputs_per_cycle * width
        chunks = [min(counted - k, 36) for k in range(0, counted, 36)]
        return [[bits.bit_length() for bits in chunks]] * schedule.lanes
    values = schedule.by_cycle(np.vectorize(lambda code: _weight(form, int(code)), otypes=[np.int64])(form.stored))
    type_ = folded.source.type
    bits = [_product_bits(column, type_, form.product) for column in values.T]
    return [bits[k : k + schedule.inputs_per_cycle] for k in range(0, len(bits), schedule.inputs_per_cycle)]


def _weight(form: FoldedForm, code: int) -> int:
    """Return the integer that a code in the ROM stands for."""
    word = code if form.decoder is None else form.decoder[code]
    if form.product is Product.MULTIPLY:
        return word - (word >> (form.weight_width - 1) << form.weight_width)
    exponent_bits = form.weight_width - 2
    enabled, negative = word >> exponent_bits & 1, word >> (exponent_bits + 1)
    return (enabled << (word & ((1 << exponent_bits) - 1))) * (-1 if negative else 1)


def _product_bits(weights: IntArray, type_: FixedType, product: Product) -> int:
    """Return the bits of a product that are no constants; of a shifted one the negative is a complement."""
    used = int(np.bitwise_or.reduce(np.abs(weights)))
    if not used:
        return 0
    zeros = (used & -used).bit_length() - 1 if product is Product.MULTIPLY else 0
    corners = [
        int(w) * x - (product is Product.SHIFT and w < 0) for w in weights.tolist() for x in (type_.min, type_.max)
    ]
    return interval_width(min(*corners, 0), max(corners)) - zeros


def adder_tree(bits: list[int], most: int, *, in_dsp: bool = False) -> tuple[int, int]:
    """Return registers and added bits of a tree of adders, which has registers behind every second level.

    With `in_dsp` the first level is in the DSP blocks of the products.
    """
    registers = added = level = 0
    while len(bits) > 1:
        level += 1
        sums = []
        for pair in (bits[k : k + 2] for k in range(0, len(bits), 2)):
            both = len(pair) == 2 and min(pair) > 0
            sums.append(min(max(pair) + both, most))
            added += sums[-1] if both and not (in_dsp and level == 1) else 0
        bits = sums
        registers += sum(bits) if level % 2 == 0 else 0
    return registers, added


def _in_dsp(folded: FoldedMatrix, width: int, device: Device) -> bool:
    """Whether DSP blocks multiply."""
    form = folded.form
    signed_width = width + (not folded.source.type.signed)
    wide = 0 < device.dsp_bits <= width + form.weight_width
    return form.product is Product.MULTIPLY and wide and min(signed_width, form.weight_width) > 1
