"""The exact ways to build the products of a folded matrix from what its ROM holds.

A ROM holds integers, or the codes of the format that the weights were trained in; a decoder in front of every product
turns codes into what the product wants.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Operand
from fpgaq.ir.ops import MatMul
from fpgaq.ir.types import IntArray, signed_bits
from fpgaq.rtl.input_bits import InputBits, input_bits

PLAIN = "multiply"
DECODED = "decode, multiply"
SHIFTED = "decode, shift"
ADDED = "add or subtract"
COUNTED = "count bits"


class Product(enum.IntEnum):
    """Parameter PRODUCT of the engine."""

    MULTIPLY = 0
    SHIFT = 1
    COUNT = 2


@dataclass(frozen=True, eq=False)
class FoldedForm:
    """One way to build a folded matrix.

    Parameters
    ----------
    name : str
    product : Product
    stored : int array, shape (n_in, n_out)
        What the ROM holds, as unsigned codes.
    stored_width : int
        Bits of a code.
    decoder : mapping of int to int, or None
        Weight as the product wants it, as an unsigned word, of every code in use. None where codes are weights.
    weight_width : int
        Bits of such a word.
    scales : int array, shape (n_out,)
        Shift of the products of each output.
    biases : int array, shape (n_out,)
        What is added to the scaled sums of products: the biases, and what products leave out.
    max_shift : int
        Largest exponent of a weight that is a shift.
    bits : InputBits or None
        Bits of an input element that are counted.
    """

    name: str
    product: Product
    stored: IntArray
    stored_width: int
    decoder: Mapping[int, int] | None
    weight_width: int
    scales: IntArray
    biases: IntArray
    max_shift: int = 0
    bits: InputBits | None = None

    @property
    def scale_width(self) -> int:
        """Bits of a shift of an output."""
        return int(self.scales.max()).bit_length()


@dataclass(frozen=True, eq=False)
class Coded:
    """A matrix as ``values[code] << scale``, one scale an output.

    Parameters
    ----------
    codes : int array, shape (n_in, n_out)
    width : int
        Bits of a code.
    values : mapping of int to int
        Integer of every code that a weight has.
    scales : int array, shape (n_out,)
    """

    codes: IntArray
    width: int
    values: Mapping[int, int]
    scales: IntArray

    @property
    def weights(self) -> IntArray:
        """The integers of all codes, not scaled."""
        return np.vectorize(self.values.__getitem__, otypes=[np.int64])(self.codes)


def folded_forms(
    matrix: MatMul, source: Operand, levels: tuple[int, ...] | None = None
) -> tuple[list[FoldedForm], dict[str, str]]:
    """Return every form that there is, and of the others why they are not.

    Parameters
    ----------
    matrix : MatMul
    source : Operand
        Its input vector.
    levels : tuple of int, optional
        Values of the elements of the vector, where more is known than their bounds.
    """
    forms = [_plain(matrix)]
    coded = code(matrix)
    if isinstance(coded, str):
        return forms, dict.fromkeys((DECODED, SHIFTED, ADDED, COUNTED), coded)
    missing = {}
    decoded = _decoded(matrix, coded)
    if decoded.stored_width < forms[0].stored_width or decoded.weight_width < forms[0].weight_width:
        forms.append(decoded)
    else:
        missing[DECODED] = "codes are as wide as the weights"
    magnitudes = sorted({abs(v) for v in coded.values.values() if v})
    if not magnitudes or any(m & (m - 1) for m in magnitudes):
        return forms, missing | dict.fromkeys((SHIFTED, ADDED, COUNTED), "weights are no powers of two")
    shifted = _shifted(matrix, coded, magnitudes)
    forms.append(shifted)
    if shifted.name == SHIFTED:
        return forms, missing | dict.fromkeys((ADDED, COUNTED), "weights have more than one magnitude")
    missing[SHIFTED] = "weights have one magnitude"
    bits = input_bits(source, levels)
    if bits is None:
        missing[COUNTED] = "inputs have more than two values, and others than -1, 0 and 1"
    else:
        forms.append(_counted(matrix, coded, shifted, bits))
    return forms, missing


def code(matrix: MatMul) -> Coded | str:
    """Return the codes of a matrix, and why there are none that one decoder for all outputs can read."""
    if matrix.format is None:
        return "the weights have no number format"
    if not matrix.is_weight.all():
        return "the matrix has zeros that are no weights"
    odd = matrix.unit // (matrix.unit & -matrix.unit)
    factor = int(odd[0])
    if np.any(odd != factor):
        return "the units of outputs differ by factors that are no powers of two"
    exponents = np.array([(u & -u).bit_length() - 1 for u in matrix.unit.tolist()]) - matrix.unit_frac
    # Where units are below those of the weights, the smallest levels are not in use.
    below = max(-int(exponents.min()), 0)
    codes = matrix.codes
    table = {c: v * factor for c, v in matrix.format.table().items()}
    used = {int(c): table[int(c)] for c in np.unique(codes)}
    if any(v & ((1 << below) - 1) for v in used.values()):
        return "the units of outputs differ, and the smallest one is below that of the weights"
    return Coded(codes, matrix.format.bits, {c: v >> below for c, v in used.items()}, exponents + below)


def _plain(matrix: MatMul) -> FoldedForm:
    width = max(signed_bits(int(matrix.weight.min())), signed_bits(int(matrix.weight.max())))
    stored = matrix.weight & ((1 << width) - 1)
    none = np.zeros(matrix.n_out, np.int64)
    return FoldedForm(PLAIN, Product.MULTIPLY, stored, width, None, width, none, matrix.bias)


def _decoded(matrix: MatMul, coded: Coded) -> FoldedForm:
    width = max(map(signed_bits, coded.values.values()))
    decoder = {c: v & ((1 << width) - 1) for c, v in coded.values.items()}
    return _form(DECODED, Product.MULTIPLY, coded, decoder, width, coded.scales, matrix.bias)


def _shifted(matrix: MatMul, coded: Coded, magnitudes: list[int]) -> FoldedForm:
    """Weights as sign, enable and exponent; a negative weight adds 1 less than it should."""
    least, most = (m.bit_length() - 1 for m in (magnitudes[0], magnitudes[-1]))
    span = most - least
    bits = span.bit_length()

    def word(value: int) -> int:
        exponent = abs(value).bit_length() - 1 - least if value else 0
        return exponent | (value != 0) << bits | (value < 0) << (bits + 1)

    scales = coded.scales + least
    biases = matrix.bias + (np.sum(coded.weights < 0, axis=0) << scales)
    decoder = {c: word(v) for c, v in coded.values.items()}
    name = SHIFTED if span else ADDED
    return _form(name, Product.SHIFT, coded, decoder, bits + 2, scales, biases, span)


def _counted(matrix: MatMul, coded: Coded, added: FoldedForm, bits: InputBits) -> FoldedForm:
    """Count the bits that differ from the sign of their weight.

    For a bit b, ``b = (b ^ 0)`` and ``-b = (b ^ 1) - 1``: a count and a constant, whatever the bits are.
    """
    signs = np.sign(coded.weights)
    constant = bits.least * signs.sum(axis=0) - bits.step * bits.count * np.sum(signs < 0, axis=0)
    return dataclasses.replace(
        added,
        name=COUNTED,
        product=Product.COUNT,
        scales=added.scales + bits.step.bit_length() - 1,
        biases=matrix.bias + (constant << added.scales),
        bits=bits,
    )


def _form(
    name: str,
    product: Product,
    coded: Coded,
    decoder: Mapping[int, int],
    width: int,
    scales: IntArray,
    biases: IntArray,
    max_shift: int = 0,
) -> FoldedForm:
    same = width == coded.width and all(c == w for c, w in decoder.items())
    read = None if same else decoder
    return FoldedForm(name, product, coded.codes, coded.width, read, width, scales, biases, max_shift)
