"""The fitted part of the estimate: LUTs a bit of every kind of logic, by FPGA family, and how far off they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fpgaq.errors import ConfigError
from fpgaq.estimate.counts import Counts

#: Also holds the fast estimate, see `fpgaq.estimate.predicted`.
FILE = Path(__file__).with_name("coefficients.json")
VERSION = 1
#: Kind of an unrolled layer whose adder graph is not known.
PREDICTED = "predicted"
#: LUTs a unit of logic that no network had that was fitted.
UNKNOWN = 1.0
#: Errors of a kind of module that none had: small parts between modules.
_UNFITTED = 0.5


@dataclass(frozen=True)
class Fit:
    """A linear model of one kind of module.

    Parameters
    ----------
    luts : mapping of float
        LUTs a unit of every kind of logic.
    error : float
        Share of its LUTs by which nine in ten modules that were not fitted were off at most.
    total_error, ff_error : float
        The same of LUTs and of flip-flops in whole designs.
    """

    luts: Mapping[str, float]
    error: float
    total_error: float
    ff_error: float

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
    """

    kinds: Mapping[str, Fit]

    def __getitem__(self, kind: str) -> Fit:
        return self.kinds.get(kind) or Fit({}, *(_UNFITTED,) * 3)


@lru_cache
def coefficients(family: str) -> Coefficients:
    """Return what was fitted for a family.

    Raises
    ------
    ConfigError
        If the family is unknown, or nothing was fitted for it.
    """
    document = json.loads(FILE.read_text())
    if family not in document["families"]:
        raise ConfigError(
            f"there is no estimate for FPGA family {family!r}; there is for {', '.join(document['families'])}"
        )
    found = document["families"][family]
    whole = found["total_error"], found["ff_error"]
    kinds = {kind: Fit(fit["luts"], fit["error"], *whole) for kind, fit in found["kinds"].items()}
    if "predicted" in found:
        lut_error, ff_error = (found["predicted"][f"{name}_error"] for name in ("lut", "ff"))
        kinds[PREDICTED] = Fit(kinds["datapath"].luts, lut_error, lut_error, ff_error)
    return Coefficients(kinds)
