"""What a form of a folded matrix takes of a device: structural counts, good enough to choose between forms.

The counts were calibrated with yosys on Xilinx devices; control, which is the same in all forms, is not in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Operand
from fpgaq.ir.types import IntArray
from fpgaq.rtl.folded_forms import FoldedForm, Product
from fpgaq.rtl.folded_schedule import FoldedSchedule

#: Exchange rates of scarce blocks: about the ratio in which a mid-size Xilinx 7 device has them.
LUT_PER_DSP = 200
LUT_PER_BRAM18 = 300
#: yosys turns a product into a DSP block from this many result bits on.
DSP_PRODUCT_BITS = 9
#: Depth from which a ROM is a block RAM; below it is logic. In between a tool's own choice is poor.
BLOCK_ROM_DEPTH = 512
_BRAM_WIDTH = 36


@dataclass(frozen=True)
class Cost:
    """LUTs, DSP blocks and 18-Kbit block RAMs."""

    lut: int = 0
    dsp: int = 0
    bram18: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.lut + other.lut, self.dsp + other.dsp, self.bram18 + other.bram18)

    @property
    def equivalents(self) -> int:
        """LUTs of the same worth."""
        return self.lut + self.dsp * LUT_PER_DSP + self.bram18 * LUT_PER_BRAM18


def folded_cost(form: FoldedForm, schedule: FoldedSchedule, source: Operand, result_width: int) -> Cost:
    """Return what input vector, ROMs, decoders, products and accumulators take.

    Parameters
    ----------
    form : FoldedForm
    schedule : FoldedSchedule
    source : Operand
        Input vector of the matrix.
    result_width : int
        Bits of an accumulator.
    """
    rom = _rom(schedule.by_cycle(form.stored), form.stored_width)
    products = _products(form, schedule, source)
    # The vector is loaded or rotated. Its start, bias or accumulator, fits in front of the adder of a result.
    vector = schedule.n_in * (source.type.width if form.bits is None else form.bits.count)
    accumulators = schedule.lanes * result_width
    if schedule.groups > 1:
        # A scale that all outputs of a lane share is wires.
        apart = np.any(schedule.by_group(form.scales) != schedule.by_group(form.scales)[0], axis=0)
        accumulators += int(apart.sum()) * result_width * form.scale_width
    return rom + Cost(vector + accumulators) + products


def _rom(words: IntArray, width: int) -> Cost:
    depth, columns = words.shape
    if depth >= BLOCK_ROM_DEPTH:
        return Cost(bram18=math.ceil(columns * width / _BRAM_WIDTH) * math.ceil(depth / BLOCK_ROM_DEPTH))
    # Equal bits are stored once, constant ones not at all.
    planes = np.concatenate([words >> k & 1 for k in range(width)], axis=1)
    stored = {column.tobytes() for column in planes.T.astype(np.uint8) if column.min() < column.max()}
    return Cost(len(stored) * math.ceil(depth / 64))


def _decoder(form: FoldedForm) -> int:
    """Return the LUTs of one decoder: bits that are no code bit, inverted or not, and no constant."""
    if form.decoder is None:
        return 0
    codes, words = (np.array(list(side), np.int64) for side in (form.decoder, form.decoder.values()))
    wires = {tuple(codes >> k & 1) for k in range(form.stored_width)}
    wires |= {tuple(1 - np.array(w)) for w in wires}
    functions = {tuple(words >> k & 1) for k in range(form.weight_width)}
    luts = sum(len(set(f)) == 2 and f not in wires for f in functions)
    return luts * (1 << max(form.stored_width - 6, 0))


def _products(form: FoldedForm, schedule: FoldedSchedule, source: Operand) -> Cost:
    """Return the decoders and products of all lanes and the adders of their trees."""
    width, inputs, decoder = source.type.width, schedule.inputs_per_cycle, _decoder(form)
    if form.product is Product.COUNT:
        assert form.bits is not None
        bits = inputs * form.bits.count
        # A gate in front of each bit, and about a LUT a bit to count; zeros spoil what both could share.
        luts = 2.75 if _has_zeros(form) else 2
        counter = math.ceil(luts * bits) if bits > 1 else 1
        return Cost(schedule.lanes * (counter + inputs * decoder))
    signed_width = width + (not source.type.signed)
    if form.product is Product.SHIFT:
        term = signed_width + form.max_shift
        # A bit of the product is a function of the bits that can get there, the exponent, sign and enable.
        reached = signed_width * (form.max_shift + 1) / term
        each = Cost(decoder + math.ceil(term * max(1, (reached + form.max_shift.bit_length() + 1) / 5)))
    else:
        term = width + form.weight_width
        in_block = term >= DSP_PRODUCT_BITS and min(signed_width, form.weight_width) > 1
        each = Cost(decoder, 1) if in_block else Cost(decoder + width * form.weight_width)
    if not each.dsp and width + form.stored_width <= 6:
        # A bit of the product is one LUT, what decodes the weight included.
        each = Cost(term)
    count = schedule.lanes * inputs
    tree = schedule.lanes * (inputs - 1) * (term + 1)
    return Cost(each.lut * count + tree, each.dsp * count)


def _has_zeros(form: FoldedForm) -> bool:
    """Whether the enable of a sum that is counted differs between weights."""
    words = form.stored if form.decoder is None else np.array(list(form.decoder.values()))
    return bool(np.any(words & 1 == 0))
