"""The schedules of a gated matrix: how its products are spread over multipliers and cycles."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GatedSchedule:
    """Multipliers of one gated matrix.

    Few lanes with many multipliers each skip more than many lanes: a lane takes the second pass of one output after
    the other, and all wait for the one with most open gates.

    Parameters
    ----------
    inputs : int
        Elements of the input vector that a lane multiplies in a cycle.
    lanes : int
        Outputs computed together.
    beats : int
        Cycles of one output in one pass.
    groups : int
        Outputs of every lane.
    """

    inputs: int
    lanes: int
    beats: int
    groups: int


def gated_schedule(n_in: int, n_out: int, reuse: int) -> GatedSchedule:
    """Return the schedule with ``n_in * n_out / reuse`` multipliers: one lane up to `n_in` of them, then more lanes."""
    multipliers = n_in * n_out // reuse
    inputs = min(multipliers, n_in)
    lanes = multipliers // inputs
    return GatedSchedule(inputs, lanes, n_in // inputs, n_out // lanes)


def legal_reuse(n_in: int, n_out: int) -> list[int]:
    """Return every reuse factor that has a schedule, ascending; 1 is the parallel form."""
    several_lanes = [r for r in range(1, n_out + 1) if n_out % r == 0]
    one_lane = [n_out * beats for beats in range(2, n_in + 1) if n_in % beats == 0]
    return several_lanes + one_lane
