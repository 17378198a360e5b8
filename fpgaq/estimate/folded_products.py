"""The products of a folded matrix and the trees that add them; what several lanes have in common is built once."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgaq.estimate.counts import Device
from fpgaq.estimate.folded_cost import BLOCK_ROM_DEPTH
from fpgaq.ir.types import FixedType, IntArray, signed_bits
from fpgaq.rtl.datapath import interval_width
from fpgaq.rtl.folded_forms import FoldedForm, Product
from fpgaq.rtl.folded_matrix import FoldedMatrix

#: What is added: its key, and its bits.
Node = tuple[Hashable, int]

#: Bits of counted products that one term of a tree has.
_CHUNK = 36


@dataclass(frozen=True)
class Term:
    """What a tree adds: a product of an input with the weights of all cycles, or a count of bits.

    Parameters
    ----------
    key : Hashable
        Terms with the same key are one.
    words : Hashable
        Input, and weights of all cycles: of terms that have the same the logic is one, though the registers are not.
    bits : int
        Those of the result that are no constants.
    area : int
        Bits of the input times those of the weight.
    in_dsp : bool
        Whether a DSP block multiplies.
    columns : frozenset
        The bits of the words in the ROM that are no constants, over all cycles.
    """

    key: Hashable
    words: Hashable
    bits: int
    area: int = 0
    in_dsp: bool = False
    columns: frozenset[bytes] = frozenset()


def terms_of(folded: FoldedMatrix, lanes: NDArray[np.bool_], width: int, device: Device) -> list[list[Term]]:
    """Return the terms of every lane in use; those of bits that are counted have no weights of their own.

    Parameters
    ----------
    folded : FoldedMatrix
    lanes : bool array, shape (lanes,)
        Which of them are in use.
    width : int
        Bits of an input.
    device : Device
    """
    form, schedule = folded.form, folded.schedule
    if form.product is Product.COUNT:
        counted = schedule.inputs_per_cycle * width
        chunks = [min(counted - k, _CHUNK) for k in range(0, counted, _CHUNK)]
        return [
            [Term((lane, k), (lane, k), bits.bit_length()) for k, bits in enumerate(chunks)]
            for lane in range(lanes.sum())
        ]
    words = schedule.by_cycle(form.stored).T.reshape(schedule.lanes, schedule.inputs_per_cycle, -1)[lanes]
    positions = []
    for k in range(schedule.inputs_per_cycle):
        distinct, which = np.unique(words[:, k], axis=0, return_inverse=True)
        terms = [_term(k, row, form, folded.source.type, device) for row in distinct]
        if form.product is Product.MULTIPLY:
            terms = [dataclasses.replace(terms[i], key=(k, lane)) for lane, i in enumerate(which.reshape(-1))]
            which = np.arange(len(terms))
        positions.append([terms[i] for i in which.reshape(-1)])
    return [list(row) for row in zip(*positions, strict=True)]


def _term(position: int, words: IntArray, form: FoldedForm, source: FixedType, device: Device) -> Term:
    """Return the product of one input with a word a cycle."""
    key = position, words.tobytes()
    weights = np.array(sorted({_weight(form, int(code)) for code in np.unique(words)}), np.int64)
    planes = (words >> k & 1 for k in range(form.stored_width))
    columns = frozenset(plane.astype(np.uint8).tobytes() for plane in planes if plane.min() < plane.max())
    bits = _product_bits(weights, source, form.product)
    if form.product is Product.SHIFT or not bits:
        return Term(key, key, bits, columns=columns)
    if len(weights) == 1 and weights[0] > 0 and not weights[0] & (weights[0] - 1):
        return Term(key, key, bits)  # a shift by a constant
    x, weight, result = _widths(weights, form, source, seen=len(words) < BLOCK_ROM_DEPTH)
    in_dsp = 0 < device.dsp_bits <= result and min(x, weight) >= device.dsp_width
    rows = int(np.bitwise_or.reduce(weights) & (1 << form.weight_width) - 1).bit_count()
    return Term(key, key, bits, source.width * min(rows, weight), in_dsp, columns)


def _widths(weights: IntArray, form: FoldedForm, source: FixedType, *, seen: bool) -> tuple[int, int, int]:
    """Return the bits of both factors and of the product that yosys leaves of a multiplication.

    Where it sees the words (`seen`) it drops low bits that are zero in all of them and signs that are constants; of two
    factors without a sign it makes an unsigned product. That two bits that differ between words are the same it finds
    out later than that.
    """
    signed, width = source.signed, form.weight_width
    used = int(np.bitwise_or.reduce(np.abs(weights)))
    zeros = (used & -used).bit_length() - 1 if seen else 0
    if seen and (weights[0] >= 0 or weights[-1] < 0):
        width = max(signed_bits(int(w)) for w in (weights[0], weights[-1]))
    positive = bool(seen and weights[0] >= 0 and not signed)
    x, weight = source.width + (not signed and not positive), width - positive - zeros
    return x, weight, min(source.width + form.weight_width - zeros, x + weight)


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


def adder_trees(lanes: Sequence[Sequence[Term]], most: int, *, packed: bool = False) -> tuple[int, int]:
    """Return registers and added bits of trees of adders, which have registers behind every second level.

    Parameters
    ----------
    lanes : sequence of sequence of Term
        What every tree adds; the trees are of one size.
    most : int
        Bits that a sum is cut to.
    packed : bool
        Whether DSP blocks have the adders and registers behind their products, too.
    """
    trees = _Trees(most, {term.key for lane in lanes for term in lane if term.in_dsp and packed})
    rows: list[list[Node]] = [[(term.key, term.bits) for term in lane] for lane in lanes]
    level = 0
    while rows and len(rows[0]) > 1:
        level += 1
        rows = trees.added_level(rows, registered=level % 2 == 0)
    return trees.registers, trees.added


class _Trees:
    """Trees of adders, level by level."""

    def __init__(self, most: int, packed: set[Hashable]) -> None:
        self.most = most
        # A block has an adder behind its product, and a register behind that: which of them are not in use yet.
        self.adders, self.blocks = set(packed), set(packed)
        self.registers = self.added = self.nodes = 0

    def added_level(self, rows: Sequence[Sequence[Node]], *, registered: bool) -> list[list[Node]]:
        """Return the sums of pairs of every row; what is added twice is one sum."""
        sums: dict[tuple[Node, ...], Node] = {}
        pairs = [[tuple(t for t in row[k : k + 2] if t[1]) for k in range(0, len(row), 2)] for row in rows]
        for terms in (pair for row in pairs for pair in row):
            if terms not in sums:
                sums[terms] = self._sum(terms, registered)
        return [[sums[terms] for terms in row] for row in pairs]

    def _sum(self, terms: tuple[Node, ...], registered: bool) -> Node:
        if len(terms) < 2 and not (terms and registered):
            return terms[0] if terms else (None, 0)
        two = len(terms) == 2
        bits = min(max(bits for _, bits in terms) + two, self.most)
        in_dsp = not (self.adders if two else self.blocks).isdisjoint(key for key, _ in terms)
        self.added += bits if two and not in_dsp else 0
        self.registers += bits if registered and not in_dsp else 0
        self.nodes += 1
        key = "sum", self.nodes
        if in_dsp and not registered:
            self.blocks.add(key)
        return key, bits
