"""The sums that have to be built, before any sharing is found."""

from __future__ import annotations

from dataclasses import dataclass

Signed = tuple[int, int, int]  # node, shift, sign (+1 or -1)


@dataclass(frozen=True)
class Column:
    """A sum of signed digits and a constant.

    ``terms`` name inputs (0 .. n_inputs-1) or other columns (n_inputs + index), which are then built first.
    """

    terms: tuple[Signed, ...]
    constant: int


@dataclass(frozen=True)
class System:
    """Columns over inputs; the first `n_outputs` are the outputs, the others helpers."""

    n_outputs: int
    bounds: tuple[tuple[int, int], ...]  # of the inputs, then of the columns
    columns: tuple[Column, ...]

    @property
    def n_inputs(self) -> int:
        """Number of inputs."""
        return len(self.bounds) - len(self.columns)
