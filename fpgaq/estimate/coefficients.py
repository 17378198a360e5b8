"""The fitted part of the estimate: LUTs a bit of every kind of logic, by FPGA family, and how far off they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fpgaq.errors import ConfigError
from fpgaq.estimate.counts import Counts

_FILE = Path(__file__).with_name("coefficients.json")
VERSION = 1
#: LUTs a unit of logic that no network had that was fitted.
UNKNOWN = 1.0


@dataclass(frozen=True)
class Fit:
    """A linear model of one kind of module.

    Parameters
    ----------
    luts : mapping of float
        LUTs a unit of every kind of logic.
    error : float
        Share of its LUTs by which nine in ten modules that were not fitted were off at most.
    """

    luts: Mapping[str, float]
    error: float

    def lut(self, counts: Counts) -> float:
        """Return the LUTs of a module."""
        return sum(self.luts.get(kind, UNKNOWN) * amount for kind, amount in counts.logic.items())


@dataclass(frozen=True)
class Coefficients:
    """What is known of a family.

    Parameters
    ----------
    kinds : mapping of Fit
        By kind of module.
    total_error, ff_error : float
        As the error of a `Fit`: of the LUTs, and of the flip-flops, of whole designs.
    """

    kinds: Mapping[str, Fit]
    total_error: float
    ff_error: float

    def __getitem__(self, kind: str) -> Fit:
        if kind not in self.kinds:
            raise ConfigError(f"the estimate knows no module of kind {kind!r} on this family; synthesize the design")
        return self.kinds[kind]


@lru_cache
def coefficients(family: str) -> Coefficients:
    """Return what was fitted for a family.

    Raises
    ------
    ConfigError
        If the family is unknown, or nothing was fitted for it.
    """
    document = json.loads(_FILE.read_text())
    if family not in document["families"]:
        raise ConfigError(
            f"there is no estimate for FPGA family {family!r}; there is for {', '.join(document['families'])}"
        )
    found = document["families"][family]
    kinds = {kind: Fit(fit["luts"], fit["error"]) for kind, fit in found["kinds"].items()}
    return Coefficients(kinds, found["total_error"], found["ff_error"])
