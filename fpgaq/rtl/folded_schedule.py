"""When a folded matrix multiplies what: hls4ml's schedule for a reuse factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fpgaq.ir.types import IntArray


@dataclass(frozen=True)
class FoldedSchedule:
    """With reuse factor R there are ``n_in * n_out / R`` multipliers.

    Up to ``R = n_in`` all outputs are computed together, ``n_in / R`` inputs a cycle; beyond, one input a cycle and
    ``n_in * n_out / R`` outputs at a time.

    Parameters
    ----------
    n_in, n_out : int
        Shape of the matrix.
    reuse : int
        Reuse factor: cycles between vectors.
    """

    n_in: int
    n_out: int
    reuse: int

    @property
    def is_legal(self) -> bool:
        """Whether the reuse factor divides the matrix into equal cycles."""
        reuse, n_in, n_out = self.reuse, self.n_in, self.n_out
        return not (n_in * n_out % reuse or (n_in % reuse if reuse <= n_in else reuse % n_in))

    @property
    def inputs_per_cycle(self) -> int:
        """Elements of the input vector multiplied in a cycle."""
        return max(self.n_in // self.reuse, 1)

    @property
    def lanes(self) -> int:
        """Outputs computed together."""
        return self.n_in * self.n_out // (self.reuse * self.inputs_per_cycle)

    @property
    def beats(self) -> int:
        """Cycles of one group of outputs."""
        return self.n_in // self.inputs_per_cycle

    @property
    def groups(self) -> int:
        """Groups of outputs."""
        return self.n_out // self.lanes

    def by_cycle(self, matrix: IntArray) -> IntArray:
        """Return what is read in every cycle, shape (reuse, multipliers): all inputs of lane 0 first."""
        beats, inputs, groups, lanes = self.beats, self.inputs_per_cycle, self.groups, self.lanes
        blocks = np.asarray(matrix).reshape(beats, inputs, groups, lanes)
        return blocks.transpose(2, 0, 3, 1).reshape(self.reuse, lanes * inputs)

    def by_group(self, values: IntArray) -> IntArray:
        """Return one value an output, shape (groups, lanes)."""
        return np.asarray(values).reshape(self.groups, self.lanes)
