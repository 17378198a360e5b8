"""The equality gates: two executions of the same integer graph, compared code by code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fpgaq.errors import GateError
from fpgaq.ir.activity import Activity
from fpgaq.ir.types import IntArray
from fpgaq.rtl.timetable import Timetable

#: Order in which gates are reported.
GATES = ("keras_vs_golden", "csim_vs_golden", "rtl_vs_golden")


@dataclass(frozen=True)
class Mismatch:
    """The first difference between two executions.

    Parameters
    ----------
    layer : str
        First layer that differs.
    sample, index : int
        Which sample, and which element of the layer's output vector.
    got, want : int or None
        Codes; None where a value is missing altogether.
    note : str
        What is wrong when it is not a value.
    """

    layer: str
    sample: int
    index: int
    got: int | None
    want: int | None
    note: str = ""

    def __str__(self) -> str:
        if self.note:
            return self.note
        return f"layer {self.layer!r}, sample {self.sample}, element {self.index}: got {self.got}, want {self.want}"


@dataclass(frozen=True)
class Gate:
    """Verdict of one gate.

    Parameters
    ----------
    name : str
    samples, mismatches : int
        How many were compared, and how many of them differ.
    first_mismatch : Mismatch, optional
    activities : sequence of Activity
        What the samples made of gated layers, where the gate looked at it.
    timetable : Timetable, optional
        When the results of the samples leave the hardware, where that depends on them.
    """

    name: str
    samples: int
    mismatches: int
    first_mismatch: Mismatch | None = None
    activities: Sequence[Activity] = ()
    timetable: Timetable | None = None

    @property
    def passed(self) -> bool:
        """Whether every code was equal."""
        return self.mismatches == 0

    def to_json(self) -> dict[str, Any]:
        """Return the row of the report."""
        first = None if self.first_mismatch is None else dict(vars(self.first_mismatch))
        return {"passed": self.passed, "samples": self.samples, "mismatches": self.mismatches, "first_mismatch": first}

    def require(self) -> None:
        """Raise if the gate failed.

        Raises
        ------
        GateError
            Naming layer, index, got and want.
        """
        if not self.passed:
            raise GateError(
                f"gate {self.name} failed for {self.mismatches} of {self.samples} samples; {self.first_mismatch}"
            )


def compare(
    name: str,
    got: IntArray,
    want: IntArray,
    output: str,
    locate: Callable[[int], Mismatch | None] | None = None,
) -> Gate:
    """Compare output codes of shape (samples, size).

    Parameters
    ----------
    name : str
        Name of the gate.
    got, want : int array
    output : str
        Layer of the output.
    locate : callable, optional
        Given the first differing sample, returns the first differing layer inside.
    """
    want = want.reshape(len(want), -1)
    if got.shape != want.shape:
        note = f"{len(got)} results of {got.shape[1:]} elements came out, {len(want)} of {want.shape[1:]} were expected"
        missing = max(abs(len(want) - len(got)), 1)
        return Gate(name, len(want), missing, Mismatch(output, min(len(got), len(want)), 0, None, None, note))
    wrong = np.flatnonzero(np.any(got != want, axis=1))
    if not wrong.size:
        return Gate(name, len(want), 0)
    sample = int(wrong[0])
    index = int(np.flatnonzero(got[sample] != want[sample])[0])
    first = Mismatch(output, sample, index, int(got[sample, index]), int(want[sample, index]))
    inner = locate(sample) if locate is not None else None
    return Gate(name, len(want), int(wrong.size), inner or first)


def compare_outputs(
    name: str,
    got: Mapping[str, IntArray],
    want: Mapping[str, IntArray],
    locate: Callable[[int], Mismatch | None] | None = None,
) -> Gate:
    """Compare several outputs by their names; the gate counts samples of which any output differs."""
    gates = [compare(name, got[output], want[output], output, locate) for output in want]
    failed = [gate for gate in gates if not gate.passed]
    if len(failed) < 2:
        return failed[0] if failed else gates[0]
    pairs = [(got[output], want[output].reshape(len(want[output]), -1)) for output in want]
    fitting = [np.any(a != b, axis=1) for a, b in pairs if a.shape == b.shape]
    count = int(np.any(fitting, axis=0).sum()) if len(fitting) == len(pairs) else max(g.mismatches for g in failed)
    return Gate(name, gates[0].samples, count, failed[0].first_mismatch)


def first_difference(got: Mapping[str, IntArray], want: Mapping[str, IntArray], sample: int) -> Mismatch | None:
    """Return where two traces of one sample differ first; layers in the order of `want`.

    Both map layers to codes of shape (samples, ...); row 0 of `got` is the sample with that number.
    """
    for layer, values in want.items():
        if layer not in got or not len(got[layer]):
            continue
        a, b = got[layer][0].reshape(-1), values[0].reshape(-1)
        differing = np.flatnonzero(a != b)
        if differing.size:
            k = int(differing[0])
            return Mismatch(layer, sample, k, int(a[k]), int(b[k]))
    return None
