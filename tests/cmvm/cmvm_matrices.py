"""Weight matrices as quantized layers have them, and the equality check that the tests share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpgaq.cmvm import AdderGraph

KINDS = ("binary", "ternary", "pot", "int")


def weights(kind: str, shape: tuple[int, int], bits: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random weights of `bits` bits; binary and ternary ones ignore the width."""
    if kind == "binary":
        return rng.choice(np.array([-1, 1]), shape)
    if kind == "ternary":
        return rng.choice(np.array([-1, 0, 1]), shape, p=[0.25, 0.5, 0.25])
    if kind == "pot":
        return (1 << rng.integers(0, bits, shape)) * rng.choice(np.array([-1, 0, 1]), shape)
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)


def corners_and_samples(bounds: list[tuple[int, int]], samples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """All inputs low, all high, every mix of the two at random, and points between."""
    lo, hi = np.array(bounds, dtype=np.int64).reshape(-1, 2).T
    mixed = np.where(rng.random((samples, len(lo))) < 0.5, lo, hi)
    return np.concatenate([lo[None], hi[None], mixed, rng.integers(lo, hi + 1, (samples, len(lo)))])


def is_equal(graph: AdderGraph, matrix: NDArray[np.int64], bias: list[int]) -> bool:
    """Whether the graph is the matrix as a linear form, for every input there is."""
    forms, constants = graph.linear_forms()
    for output, column, offset in zip(graph.outputs, matrix.T, bias, strict=True):
        if isinstance(output, int):
            form, constant = np.zeros(len(matrix), dtype=object), output
        else:
            form, constant = forms[output.node] << output.shift, constants[output.node] << output.shift
        if constant != offset or any(form != column.astype(object)):
            return False
    return True
