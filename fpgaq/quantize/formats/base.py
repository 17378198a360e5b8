"""What every weight format states: which integers it holds, how they are stored, and which sums they split into."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError

#: The formats stand below the integer graph, whose matrices carry one, and import nothing of it.
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Planes:
    """A matrix as a weighted sum of simpler ones.

    Parameters
    ----------
    name : str
        What is done, for reports.
    coefficients : int array, shape (planes,)
    matrices : int array, shape (planes, n_in, n_out)
        ``weight = sum(coefficients[k] * matrices[k])``.
    """

    name: str
    coefficients: IntArray
    matrices: IntArray


@dataclass(frozen=True)
class WeightFormat(ABC):
    """A finite set of integers with a code for each.

    The value of a weight is its integer times a scale that belongs to the layer, not to the format.
    """

    #: Name in reports and files.
    name: ClassVar[str]

    @property
    @abstractmethod
    def bits(self) -> int:
        """Storage bits of one code."""

    @abstractmethod
    def table(self) -> dict[int, int]:
        """Return the integer of every legal code."""

    @property
    def table_bits(self) -> int:
        """Storage bits of what a layer needs once, beside the codes."""
        return 0

    @cached_property
    def levels(self) -> IntArray:
        """Every integer of the format, ascending."""
        return np.array(sorted(set(self.table().values())), dtype=np.int64)

    def decode(self, codes: IntArray) -> IntArray:
        """Return the integers of stored codes.

        Raises
        ------
        ConfigError
            A code has no meaning in this format.
        """
        table = self.table()
        known, values = np.array(list(table)), np.array(list(table.values()))
        return values[self._positions(np.asarray(codes, np.int64), known, "code")]

    def encode(self, values: IntArray) -> IntArray:
        """Return the codes of integers.

        Raises
        ------
        ConfigError
            An integer is not in the value set.
        """
        # Where two codes mean the same number, the first one is used.
        codes = {value: code for code, value in reversed(self.table().items())}
        known, first = np.array(list(codes)), np.array(list(codes.values()))
        return first[self._positions(np.asarray(values, np.int64), known, "value")]

    def planes(self, values: IntArray) -> Planes | None:
        """Return a matrix of integers as the sums that the format suggests; None where it suggests nothing."""
        return None

    def to_json(self) -> dict[str, Any]:
        """Return name and parameters as JSON-ready values."""
        return {"format": self.name, **dataclasses.asdict(self)}

    def __str__(self) -> str:
        arguments = ", ".join(f"{k}={v}" for k, v in dataclasses.asdict(self).items())
        return f"{self.name}({arguments})" if arguments else self.name

    def _positions(self, wanted: IntArray, known: IntArray, what: str) -> IntArray:
        order = np.argsort(known)
        places = np.clip(np.searchsorted(known[order], wanted), 0, len(known) - 1)
        wrong = known[order][places] != wanted
        if np.any(wrong):
            values = sorted(set(np.asarray(wanted)[wrong].tolist()))
            shown = ", ".join(map(str, values[:5])) + (", ..." if len(values) > 5 else "")
            raise ConfigError(f"format {self}: {what} {shown} is not in its set of {len(known)}")
        return order[places]
