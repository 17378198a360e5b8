"""The solver: integer matrix in, adder graph out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fpgaq.cmvm.graph import AdderGraph
from fpgaq.errors import ConfigError

INT64_SAFE = 1 << 60


def solve(
    matrix: ArrayLike,
    bounds: Sequence[tuple[int, int]],
    bias: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    adder_inputs: int = 3,
    max_depth: int | None = None,
) -> AdderGraph:
    """Write ``y = x @ matrix + bias`` as shared adders with as few added bits as it can find.

    Parameters
    ----------
    matrix : array of int, [n_inputs, n_outputs]
        The constant weights.
    bounds : sequence of (int, int)
        Interval ``(lo, hi)`` of every input, as integers.
    bias : sequence of int, [n_outputs], optional
        Added to the outputs; rides along as one more operand.
    adder_inputs : int
        3 where the device adds three numbers in one LUT a bit (Xilinx), else 2.
    max_depth : int, optional
        Most adders on any path.

    Returns
    -------
    AdderGraph
        The same graph for the same arguments, on every run and machine.

    Raises
    ------
    ConfigError
        If an argument is not usable or the depth cannot be met.
    """
    weights, intervals, offsets = _checked(matrix, bounds, bias, adder_inputs, max_depth)
    _fold_constant_inputs(weights, intervals, offsets)
    _check_range(weights, intervals, offsets)
    from fpgaq.cmvm._search import cheapest_graph  # compiles with numba, which is slow to import

    return cheapest_graph(weights, intervals, offsets, adder_inputs, max_depth)


def _fold_constant_inputs(weights: NDArray[np.int64], bounds: list[tuple[int, int]], offsets: list[int]) -> None:
    """Move inputs that never change into the constants, in place."""
    for i, (lo, hi) in enumerate(bounds):
        if lo == hi:
            offsets[:] = [offset + lo * int(w) for offset, w in zip(offsets, weights[i], strict=True)]
            weights[i] = 0


def _check_range(weights: NDArray[np.int64], bounds: list[tuple[int, int]], offsets: list[int]) -> None:
    # The search works on 64-bit integers; a signed digit is at most twice its weight.
    reach = [max(abs(lo), abs(hi)) for lo, hi in bounds]
    for j, column in enumerate(weights.T):
        largest = abs(offsets[j]) + sum(2 * abs(int(column[i])) * reach[i] for i in np.flatnonzero(column))
        if largest >= INT64_SAFE:
            raise ConfigError(
                f"cmvm: sums of output {j} may reach {largest}, more than 60 bits; narrow the weights or the inputs."
            )


def _checked(
    matrix: ArrayLike,
    bounds: Sequence[tuple[int, int]],
    bias: Sequence[int] | NDArray[np.int64] | None,
    adder_inputs: int,
    max_depth: int | None,
) -> tuple[NDArray[np.int64], list[tuple[int, int]], list[int]]:
    weights = np.asarray(matrix)
    if weights.ndim != 2 or not np.issubdtype(weights.dtype, np.integer):
        raise ConfigError(f"cmvm: matrix of shape {weights.shape} and type {weights.dtype}; expected 2-D integers.")
    intervals = [(int(lo), int(hi)) for lo, hi in bounds]
    if len(intervals) != weights.shape[0]:
        raise ConfigError(f"cmvm: {len(intervals)} input bounds for {weights.shape[0]} matrix rows; give one per row.")
    for i, (lo, hi) in enumerate(intervals):
        if lo > hi:
            raise ConfigError(f"cmvm: input {i} has the empty range [{lo}, {hi}]; give (lo, hi) with lo <= hi.")
    offsets = [0] * weights.shape[1] if bias is None else [int(b) for b in bias]
    if len(offsets) != weights.shape[1]:
        raise ConfigError(f"cmvm: {len(offsets)} biases for {weights.shape[1]} matrix columns; give one per column.")
    if adder_inputs not in (2, 3):
        raise ConfigError(f"cmvm: adder_inputs is {adder_inputs!r}; devices have adders of 2 or 3 inputs.")
    if max_depth is not None and max_depth < 1:
        raise ConfigError(f"cmvm: max_depth is {max_depth}; give at least 1, or None for no limit.")
    if weights.size and max(-int(weights.min()), int(weights.max())) >= INT64_SAFE:
        raise ConfigError(f"cmvm: the matrix holds {weights.min()} .. {weights.max()}; weights are below 2**60.")
    return weights.astype(np.int64), intervals, offsets
