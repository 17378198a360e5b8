"""The exact forms in which a constant matrix can be built, and the cheapest of them.

Whatever set the weights were trained in, they are constants: shared adders of the plain integers are always possible.
A format may suggest sums that come out cheaper, such as one sum of inputs for each entry of a codebook.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.cmvm import AdderGraph
from fpgaq.cmvm.compose import followed
from fpgaq.ir.ops import MatMul
from fpgaq.ir.types import IntArray
from fpgaq.quantize.formats import Planes
from fpgaq.rtl.adder_graphs import adder_graph

CONSTANTS = "constants"


@dataclass(frozen=True)
class MatrixForm:
    """One way to compute ``x @ weight + bias``.

    Parameters
    ----------
    name : str
        "constants", or what the format of the weights suggests.
    graph : AdderGraph
    """

    name: str
    graph: AdderGraph

    @property
    def lut(self) -> int:
        """Estimated LUTs: the bits that adders add."""
        return self.graph.total_bits


def matrix_forms(
    matrix: MatMul, bounds: Sequence[tuple[int, int]], bias: IntArray, *, adder_inputs: int = 3
) -> list[MatrixForm]:
    """Return every form that there is, the cheapest first; of equally cheap ones the plain constants.

    Parameters
    ----------
    matrix : MatMul
    bounds : sequence of (int, int)
        Interval of every input.
    bias : int array, shape (n_out,)
        What is added to the products, the rounding constant of a following cast included.
    adder_inputs : int
        Operands of an adder on the device.
    """
    forms = [MatrixForm(CONSTANTS, adder_graph(matrix.weight, bounds, bias, adder_inputs=adder_inputs))]
    planes = _planes(matrix)
    if planes is not None:
        forms.append(MatrixForm(planes.name, _in_planes(planes, matrix, bounds, bias, adder_inputs)))
    return sorted(forms, key=lambda form: form.lut)


def _planes(matrix: MatMul) -> Planes | None:
    if matrix.format is None or np.any(matrix.unit & ((1 << matrix.unit_frac) - 1)):
        return None
    there = matrix.is_weight
    # A zero that is no weight need not be in the format: any level stands for it, and it is in no plane.
    found = matrix.format.planes(np.where(there, matrix.levels, matrix.levels[there][0])) if there.any() else None
    return None if found is None else dataclasses.replace(found, matrices=found.matrices * there)


def _in_planes(
    planes: Planes, matrix: MatMul, bounds: Sequence[tuple[int, int]], bias: IntArray, adder_inputs: int
) -> AdderGraph:
    """Return the graph that first sums each plane, then combines the planes of every output."""
    n_out = matrix.n_out
    # Equal columns, as those of a sum that all outputs share, are built once.
    columns, place = np.unique(np.hstack(list(planes.matrices)), axis=1, return_inverse=True)
    sums = adder_graph(columns, bounds, None, adder_inputs=adder_inputs)
    combine = np.zeros((columns.shape[1], n_out), np.int64)
    units = matrix.unit >> matrix.unit_frac
    for k, column in enumerate(place.reshape(-1).tolist()):
        combine[column, k % n_out] += planes.coefficients[k // n_out] * units[k % n_out]
    return followed(
        sums, combine, bias, lambda weights, ends, biases: adder_graph(weights, ends, biases, adder_inputs=adder_inputs)
    )
