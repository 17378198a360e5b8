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
from fpgaq.estimate.folded_products import Term, adder_trees, terms_of
from fpgaq.estimate.tables import table_luts
from fpgaq.rtl.folded_forms import FoldedForm, Product
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.rom import address_width

Terms = list[list[Term]]


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
    terms = terms_of(folded, lanes, width, device)
    _count_roms(counts, folded, lanes, terms, device)
    _count_lanes(counts, folded, terms, width, device)
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


def _count_roms(counts: Counts, folded: FoldedMatrix, lanes: NDArray[np.bool_], terms: Terms, device: Device) -> None:
    """Count the words of weights and biases, every distinct bit once; a DSP block holds bits that are its own."""
    form, schedule = folded.form, folded.schedule
    by_lane = schedule.by_cycle(form.stored).reshape(schedule.reuse, schedule.lanes, -1)[:, lanes]
    words = by_lane.reshape(schedule.reuse, -1)
    if schedule.reuse >= BLOCK_ROM_DEPTH:
        counts.bram18 += math.ceil(words.shape[1] * form.stored_width / 36) * math.ceil(schedule.reuse / 512)
    else:
        columns = _columns(words, form.stored_width)
        counts.ff += _registers(columns, device)
        if device.dsp_registers and form.decoder is None:
            readers = [(column, term.in_dsp) for term in _distinct(terms) for column in term.columns]
            uses = Counter(column for column, _ in readers)
            counts.ff -= sum(in_dsp and uses[column] == 1 for column, in_dsp in readers)
        counts.logic["rom"] += sum(table_luts(column, 1, device.lut_inputs) for column in columns)
    if schedule.groups > 1:
        result = folded.result_type.width
        fields = np.array([int(b) + folded.half & (1 << result) - 1 for b in form.biases], object)
        scaled = fields + form.scales.astype(object) * (1 << result)
        columns = _columns(schedule.by_group(scaled)[:, lanes], result + form.scale_width)
        counts.ff += 2 * _registers(columns, device)
        counts.logic["rom"] += sum(table_luts(column, 1, device.lut_inputs) for column in columns)


def _count_lanes(counts: Counts, folded: FoldedMatrix, terms: Terms, width: int, device: Device) -> None:
    """Count products, the trees that add them, accumulators and results."""
    form, schedule, result = folded.form, folded.schedule, folded.result_type.width
    distinct, count = _distinct(terms), len(terms)
    counts.dsp += sum(term.in_dsp for term in distinct)
    for term in distinct:
        if not (term.in_dsp and device.dsp_registers):
            counts.ff += term.bits
    for term in {term.words: term for term in distinct}.values():
        if not term.in_dsp:
            _count_product(counts, folded, term)
    if device.dsp_registers:
        in_dsp = [{term.in_dsp for term in column if term.bits} for column in zip(*terms, strict=True)]
        counts.ff -= width * sum(found == {True} for found in in_dsp)
    # Of one product a cycle the block accumulates, too.
    accumulates = device.dsp_registers and schedule.inputs_per_cycle == 1 and not form.scale_width
    started = sum(lane[0].in_dsp for lane in terms) if accumulates else 0
    counts.ff -= started * result
    counts.logic["started"] += started * result
    counts.logic["accumulated"] += (count - started) * result
    registers, added = adder_trees(terms, result, packed=device.dsp_registers)
    counts.ff += registers + count * result
    counts.logic["added"] += added
    counts.logic["enables"] += schedule.groups if schedule.groups > 1 else 0
    counts.logic["scaled"] += count * result * form.scale_width
    if form.decoder is not None:
        words = [form.decoder.get(code, 0) for code in range(1 << form.stored_width)]
        decoders = len(distinct) if form.product is not Product.COUNT else count * schedule.inputs_per_cycle
        counts.logic["decoded"] += decoders * table_luts(words, form.weight_width, device.lut_inputs)


def _distinct(terms: Terms) -> list[Term]:
    """Return every term once."""
    return list({term.key: term for lane in terms for term in lane}.values())


def _looked_up(form: FoldedForm, width: int) -> bool:
    """Whether a bit of a product is one LUT; what multiplies by more than a few values has carry chains."""
    if form.product is Product.MULTIPLY and width > 1:
        return width + form.weight_width <= 5
    return width + form.stored_width <= 6


def _count_product(counts: Counts, folded: FoldedMatrix, term: Term) -> None:
    """Count the logic of a product."""
    form = folded.form
    if form.product is Product.COUNT:
        counts.logic["counted_bits"] += term.bits
    elif _looked_up(form, folded.source.type.width):
        counts.logic["looked_up"] += term.bits
    elif form.product is Product.SHIFT:
        counts.logic[f"shifted_{form.max_shift.bit_length()}"] += term.bits
    else:
        counts.logic["multiplied"] += term.area


def _columns(words: Any, width: int) -> Counter[tuple[int, ...]]:
    """Return the distinct bits of the words of a ROM that are no constants, and how many there are of each."""
    planes = np.concatenate([words >> k & 1 for k in range(width)], axis=1)
    return Counter(tuple(column) for column in planes.T.tolist() if min(column) < max(column))


def _registers(columns: Counter[tuple[int, ...]], device: Device) -> int:
    """Return the registers that hold the bits of a word: of equal ones one, where synthesis finds that out."""
    return columns.total() if device.equal_registers else len(columns)
