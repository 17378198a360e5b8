"""When each beat leaves a design whose layers take longer for some vectors, or give other beats than they take.

The handshakes of the stage graph, cycle by cycle and without data: which stream is offered and taken when. It is exact
because the model of every block is, see `fpgaq.rtl.engines`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fpgaq.rtl.dataflow import Dataflow, Edge
from fpgaq.rtl.engines import make_engine


@dataclass(frozen=True)
class Timetable:
    """Clocks of all transfers, counted from the first beat accepted, when nothing outside ever waits.

    Parameters
    ----------
    sinks : sequence of sequence of int
        Of every output of the design, in order.
    beats : sequence of int
        Beats of a result at every output.
    """

    sinks: Sequence[Sequence[int]]
    beats: Sequence[int]

    def latency(self, sink: int) -> int:
        """Cycles from the first beat accepted to the first beat of its result."""
        return self.sinks[sink][0]

    def complete(self, sink: int) -> int:
        """Cycles from the first beat accepted to the last beat of its result."""
        return self.sinks[sink][self.beats[sink] - 1]

    def gaps(self, sink: int) -> list[int]:
        """Cycles between results, from last beat to last beat."""
        beats = self.beats[sink]
        return [b - a for a, b in itertools.pairwise(self.sinks[sink][beats - 1 :: beats])]


def timetable(flow: Dataflow, cycles: Mapping[str, Sequence[int]], samples: int) -> Timetable:
    """Return when the results of vectors or frames that are offered back to back leave.

    Parameters
    ----------
    flow : Dataflow
    cycles : mapping of sequence of int
        For how many cycles each beat keeps a block, by the stream that it makes; blocks that are not there always
        take their II. The rest of the latency is the same for every beat.
    samples : int
        Vectors or frames.
    """
    return _Network(flow, cycles, samples).run()


#: Frames after which a design without data-dependent blocks goes at its pace.
_SETTLED = 6


@dataclass(frozen=True)
class Pace:
    """Figures of one output, in cycles.

    Parameters
    ----------
    first, last : int
        From the first beat accepted to the first and the last beat of its result.
    ii : int
        Between results.
    """

    first: int
    last: int
    ii: int


def paces(flow: Dataflow) -> list[Pace]:
    """Return the figures of every output of a stage graph whose blocks always take their II."""
    table = timetable(flow, {}, _SETTLED)
    return [Pace(table.latency(k), table.complete(k), max(table.gaps(k))) for k in range(len(flow.sinks))]


class _Mark(NamedTuple):
    """A moment: frames that the first source has sent, the clock, and beats that every output has given."""

    frames: int
    clock: int
    given: list[int]


class _Network:
    """Blocks, FIFOs and forks of a stage graph."""

    def __init__(self, flow: Dataflow, cycles: Mapping[str, Sequence[int]], samples: int) -> None:
        self.flow = flow
        self.engines = [make_engine(block.hardware, cycles.get(block.output)) for block in flow.blocks]
        self.makers = {block.output: engine for block, engine in zip(flow.blocks, self.engines, strict=True)}
        self.samples = samples
        self.due = {stream: samples * beats for stream, beats in flow.beats.items()}
        self.alike = not cycles
        self.sent = dict.fromkeys(flow.sources, 0)
        self.readers: dict[str, list[Edge]] = {stream: [] for stream in flow.bits}
        self.into: list[list[Edge]] = [[] for _ in flow.blocks]
        for edge in flow.edges:
            self.readers[edge.stream].append(edge)
            if edge.block is not None:
                self.into[edge.block].append(edge)
        self.stored = dict.fromkeys(flow.edges, 0)
        self.taken = dict.fromkeys(flow.edges, False)
        self.sinks: list[list[int]] = [[] for _ in flow.sinks]
        self.clock = 0
        self.start: int | None = None

    def run(self) -> Timetable:
        """Let clocks pass until every result has left."""
        due = [self.due[stream] for stream in self.flow.sinks]
        seen: dict[tuple[object, ...], _Mark] = {}
        frames = 0
        while any(len(clocks) < beats for clocks, beats in zip(self.sinks, due, strict=True)):
            first, sent = next(iter(self.sent.items()))
            if self.alike and sent == frames * self.flow.beats[first] and frames < self.samples:
                here = _Mark(frames, self.clock, [len(clocks) for clocks in self.sinks])
                before = seen.setdefault(self._state(frames), here)
                if before is not here:
                    self._repeat(before, here, due)
                    break
                frames += 1
            self._step()
        clocks = [[clock - (self.start or 0) for clock in clocks] for clocks in self.sinks]
        return Timetable(clocks, [self.flow.beats[stream] for stream in self.flow.sinks])

    def _state(self, frames: int) -> tuple[object, ...]:
        """What the future depends on when so many frames have come from the first source."""
        return (
            tuple(engine.state() for engine in self.engines),
            tuple(self.stored.values()),
            tuple(self.taken.values()),
            tuple(sent - frames * self.flow.beats[source] for source, sent in self.sent.items()),
            tuple(
                len(clocks) - frames * self.flow.beats[sink]
                for clocks, sink in zip(self.sinks, self.flow.sinks, strict=True)
            ),
        )

    def _repeat(self, before: _Mark, here: _Mark, due: Sequence[int]) -> None:
        """Complete the clocks from here on: the same state leads to the same, so many frames and clocks later.

        That the frames come to an end changes nothing for those that are there: a beat never waits for a later one.
        """
        frames, clocks = here.frames - before.frames, here.clock - before.clock
        for sink, seen, total, stream in zip(self.sinks, before.given, due, self.flow.sinks, strict=True):
            beats = frames * self.flow.beats[stream]
            assert len(sink) >= seen + beats
            while len(sink) < total:
                sink.append(sink[-beats] + clocks)

    def _offered(self, stream: str) -> bool:
        if stream in self.sent:
            return self.sent[stream] < self.due[stream]
        return self.makers[stream].offers

    def _arrives(self, edge: Edge) -> bool:
        """Say whether the fork offers a vector to the reader, or to the FIFO in front of it."""
        return self._offered(edge.stream) and not self.taken[edge]

    def _waits(self, edge: Edge) -> bool:
        """Say whether the reader sees a vector."""
        return self.stored[edge] > 0 if edge.depth else self._arrives(edge)

    def _step(self) -> None:
        ready: dict[Edge, bool] = {}
        for edge in self.flow.edges:
            if edge.block is None:
                ready[edge] = True
        moves: dict[str, bool] = {}
        free, taken = [False] * len(self.engines), [False] * len(self.engines)
        for number in reversed(range(len(self.engines))):  # ready runs backwards, as in the hardware
            engine, output = self.engines[number], self.flow.blocks[number].output
            free[number] = self._ready(output, ready)
            moves[output] = engine.offers and free[number]
            edges = self.into[number]
            taken[number] = engine.accepts(free[number]) and all(self._waits(edge) for edge in edges)
            # A join is ready only when it offers; a single reader may be ready for nothing, which moves nothing.
            ready |= dict.fromkeys(edges, taken[number])
        for source in self.sent:
            moves[source] = self._offered(source) and self._ready(source, ready)
        self._move(moves, ready, free, taken)

    def _ready(self, stream: str, ready: Mapping[Edge, bool]) -> bool:
        return all(self._takes(edge, ready) or self.taken[edge] for edge in self.readers[stream])

    def _takes(self, edge: Edge, ready: Mapping[Edge, bool]) -> bool:
        return self.stored[edge] < edge.depth if edge.depth else ready[edge]

    def _move(
        self, moves: Mapping[str, bool], ready: Mapping[Edge, bool], free: Sequence[bool], taken: Sequence[bool]
    ) -> None:
        changed = any(taken) or any(moves.values())
        pushed = {edge: self._arrives(edge) and self._takes(edge, ready) for edge in self.flow.edges}
        for edge, push in pushed.items():
            if edge.block is None and push:
                self.sinks[edge.place].append(self.clock)
            if edge.depth:
                pop = self.stored[edge] > 0 and ready[edge]
                self.stored[edge] += push - pop
            if len(self.readers[edge.stream]) > 1:
                self.taken[edge] = not moves[edge.stream] and (self.taken[edge] or push)
            changed |= push
        for source in self.sent:
            if moves[source]:
                self.sent[source] += 1
                self.start = self.clock if self.start is None else self.start
        quiet = 0
        if not changed:  # only counters run: straight to the clock at which one is done
            running = [e.idle(f) for e, f in zip(self.engines, free, strict=True)]
            quiet = max(min(running, default=1) - 1, 0)
        for number, engine in enumerate(self.engines):
            if quiet:
                engine.skip(quiet)
            engine.step(free=free[number], taken=taken[number])
        self.clock += 1 + quiet
