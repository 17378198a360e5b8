"""Matrices of random codes of every number format, and hardware whose folded matrices are of a wanted form."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from random_layers import Chain

from fpgaq.ir import FixedType, Graph
from fpgaq.ir.ops import MatMul, Thresholds
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.hardware import Hardware, make_hardware

#: One or two of every format.
EXAMPLES: dict[str, WeightFormat] = {
    "binary": formats.Binary(),
    "zero_one": formats.Binary(zero_one=True),
    "ternary": formats.Ternary(),
    "ttq": formats.TwoScaleTernary(3, 5),
    "ttq_shift": formats.TwoScaleTernary(1, 4),
    "int4": formats.Integer(4),
    "uint3": formats.Integer(3, signed=False),
    "pot2": formats.PowerOfTwo(2),
    "pot4": formats.PowerOfTwo(4),
    "po2": formats.PowerOfTwoNoZero(4, 5),
    "po2_unsigned": formats.PowerOfTwoNoZero(2, 3, signed=False),
    "apot4": formats.AdditivePowerOfTwo(4),
    "codebook4": formats.Codebook((0, -7, 3, 9, 22, -31, 1, 5, -2, 60), 4),
    "pwlq3": formats.PiecewiseLinear(3, 5, 2),
    "tapered4": formats.Tapered(4),
    "multi_binary": formats.MultiBinary((4, 9, 1)),
    "masks": formats.MultiBinary((-3, 8), piecewise=True),
}
#: Inputs of few values: codes behind a staircase.
FEW = {"signs": (-1, 1), "bits": (0, 1), "ternary": (-1, 0, 1), "wide": (-3, 5)}


def coded_layer(
    name: str,
    number_format: WeightFormat,
    size: tuple[int, int, int],
    inputs: FixedType | str,
    *,
    unit: str = "one",
    levels: str = "any",
) -> Graph:
    """A matrix of random codes.

    Parameters
    ----------
    name : str
    number_format : WeightFormat
    size : (int, int, int)
        Inputs, outputs, reuse factor.
    inputs : FixedType or str
        Their type, or what few values they have.
    unit : str
        "one" for all, "odd" for a common factor, "powers" for shifts per output, "any" per output.
    levels : str
        "any" at random, "largest", or "every" one in turn.
    """
    n_in, n_out, reuse = size
    type_ = inputs if isinstance(inputs, FixedType) else FixedType(4, 0, True)
    chain = Chain(name, n_in, type_, sum(map(ord, name)))
    if isinstance(inputs, str):
        few(chain, FEW[inputs])
    units = {
        "one": np.ones(n_out, np.int64),
        "odd": np.full(n_out, -6),
        "powers": 1 << chain.rng.integers(0, 4, n_out),
        "any": chain.rng.integers(1, 8, n_out),
    }[unit]
    known = number_format.levels
    weight = {
        "any": chain.rng.choice(known, (n_in, n_out)),
        "largest": np.full((n_in, n_out), known[-1]),
        "every": np.resize(known, (n_in, n_out)),
    }[levels]
    matrix = MatMul(
        **chain._named("matmul"),
        type=FixedType(63, 0, True),
        weight=weight * units,
        weight_frac=0,
        bias=chain.rng.integers(-9, 10, n_out),
        reuse=reuse,
        format=number_format,
        unit=units,
    )
    matrix = dataclasses.replace(matrix, type=dataclasses.replace(matrix.type, frac=chain.operand.type.frac))
    return chain._add_exact(matrix).graph


def few(chain: Chain, codes: tuple[int, ...]) -> Chain:
    """Append a staircase with the given codes."""
    thresholds = np.arange(len(codes) - 1)
    stairs = Thresholds(
        **chain._named("stairs"), type=FixedType(63, 0, True), thresholds=thresholds, codes=np.array(codes)
    )
    return chain._add_exact(stairs)


def matrix_of(hardware: Hardware) -> FoldedMatrix:
    """Return the only folded matrix of a design."""
    (found,) = [b.hardware for b in hardware.blocks if isinstance(b.hardware, FoldedMatrix)]
    return found


def in_form(wanted: str | None, graph: Graph, *arguments: Any) -> Hardware:
    """Return the hardware of a graph with its folded matrices in a wanted form."""
    made = make_hardware(graph, *arguments)

    def chosen(hardware: Any) -> Any:
        return dataclasses.replace(hardware, wanted=wanted) if isinstance(hardware, FoldedMatrix) else hardware

    made.__dict__["blocks"] = [dataclasses.replace(b, hardware=chosen(b.hardware)) for b in made.blocks]
    return made
