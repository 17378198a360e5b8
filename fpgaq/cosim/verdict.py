"""What is wrong with a simulation besides single values: protocol, order, stalls, resets, latency and II."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fpgaq.cosim.simulation import AFTER_RESET, STREAM, Observation, SimulationResult


@dataclass(frozen=True)
class Expected:
    """What an output must do.

    Parameters
    ----------
    words : sequence of int
        One for every vector.
    latency, ii : int
        The prediction, in cycles.
    clocks : sequence of int, optional
        Where they depend on the vectors: in which cycle each result comes, from the first vector accepted; latency and
        II are then not looked at.
    """

    words: Sequence[int]
    latency: int
    ii: int
    clocks: Sequence[int] | None = None


@dataclass(frozen=True)
class Trouble:
    """The first thing that is wrong.

    Parameters
    ----------
    port : str
        Prefix of the output.
    beat : int
        Number of the result.
    text : str
    """

    port: str
    beat: int
    text: str


def find_trouble(result: SimulationResult, expected: Mapping[str, Expected]) -> Trouble | None:
    """Return the first thing that is wrong in the order of the passes; None for a sound simulation."""
    for name, seen in result.passes.items():
        if name == AFTER_RESET and result.stale:
            port = next(iter(expected))
            return Trouble(port, 0, f"after a reset in mid-stream, stale results were offered in {result.stale} cycles")
        if seen.violation is not None:
            port = seen.violation.port
            first = _first_difference(seen.words[port], expected[port].words)
            values = "" if first is None else f"; the first wrong value is that of beat {first}"
            return Trouble(port, seen.violation.beat, f"{name}, {seen.violation}{values}")
        for port, want in expected.items():
            first = _first_difference(seen.words[port], want.words)
            if first is not None:
                text = f"{name}, {port} gives another result than expected at beat {first}"
                return Trouble(port, first, text)
    return _wrong_prediction(result, expected)


def _first_difference(got: Sequence[int], want: Sequence[int]) -> int | None:
    return next((k for k, (a, b) in enumerate(zip(got, want, strict=False)) if a != b), None)


def _wrong_prediction(result: SimulationResult, expected: Mapping[str, Expected]) -> Trouble | None:
    stream = result.passes[STREAM]
    for port, want in expected.items():
        if want.clocks is not None:
            trouble = _wrong_clock(stream, port, want.clocks)
            if trouble is not None:
                return trouble
            continue
        ii = stream.ii(port)
        measured = (stream.latency(port), want.ii if ii is None else ii)
        if measured != (want.latency, want.ii):
            text = (
                f"{port}: latency {measured[0]} and II {measured[1]} cycles were measured, {want.latency} and "
                f"{want.ii} predicted"
            )
            return Trouble(port, 0, text)
    return None


def _wrong_clock(stream: Observation, port: str, clocks: Sequence[int]) -> Trouble | None:
    start = min(accepted[0] for accepted in stream.accepted.values())
    for beat, (got, want) in enumerate(zip(stream.cycles[port], clocks, strict=True)):
        if got - start != want:
            text = f"{port}: result {beat} came after {got - start} cycles, {want} were predicted for these vectors"
            return Trouble(port, beat, text)
    return None
