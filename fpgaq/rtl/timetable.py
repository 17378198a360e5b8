"""When each beat leaves a design whose layers take longer for some vectors, or give other beats than they take.

The handshakes of the stage graph, cycle by cycle and without data: which stream is offered and taken when. It is exact
because the model of every block is, see `fpgaq.rtl.engines`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fpgaq.errors import FpgaqError
from fpgaq.rtl.dataflow import Dataflow
from fpgaq.rtl.engines import FOREVER, make_engine


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

    Raises
    ------
    DeadlockError
        If they never do, because a FIFO is too short.
    """
    return Handshakes(flow, cycles, samples).run()


#: Frames after which a design without data-dependent blocks goes at its pace.
SETTLED = 6


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
    return settled(Handshakes(flow, {}, SETTLED).run())


def settled(table: Timetable) -> list[Pace]:
    """Return the figures of every output in the timetable of some frames."""
    outputs = range(len(table.sinks))
    return [Pace(table.latency(k), table.complete(k), max(table.gaps(k))) for k in outputs]


class _Mark(NamedTuple):
    """A moment: frames that the first source has sent, the clock, and beats that every output has given."""

    frames: int
    clock: int
    given: list[int]


class DeadlockError(FpgaqError):
    """Every block waits for another one."""


#: Depth of a FIFO that is never full.
UNBOUNDED = 1 << 40


class Handshakes:
    """Blocks, FIFOs and forks of a stage graph, clock by clock.

    Streams, edges and blocks are numbers here: this is the inner loop.

    Parameters
    ----------
    flow, cycles, samples
        As of `timetable`.
    transparent : bool
        FIFOs hand on a word in the cycle in which it comes, which no hardware does: what is fastest.
    until : int or None
        Clock after which to give up, counted from the first beat accepted.

    Attributes
    ----------
    needed : list of int
        Words that the FIFO of every edge must hold so that what happened would not have been another.
    """

    def __init__(
        self,
        flow: Dataflow,
        cycles: Mapping[str, Sequence[int]],
        samples: int,
        *,
        transparent: bool = False,
        until: int | None = None,
    ) -> None:
        self.flow, self.samples, self.transparent, self.until = flow, samples, transparent, until
        self.alike = not cycles
        number = {stream: k for k, stream in enumerate(flow.bits)}
        self.sources = [number[stream] for stream in flow.sources]
        self.beats = [flow.beats[stream] for stream in number]
        self.left = [samples * beats for beats in self.beats[: len(self.sources)]]
        self.engines = [make_engine(block.hardware, cycles.get(block.output)) for block in flow.blocks]
        self.makes = [number[block.output] for block in flow.blocks]
        edges = flow.edges
        self.stream = [number[edge.stream] for edge in edges]
        self.depth = [edge.depth for edge in edges]
        self.place = [None if edge.block is not None else edge.place for edge in edges]
        self.readers = [[e for e, s in enumerate(self.stream) if s == k] for k in range(len(number))]
        self.into = [[e for e, edge in enumerate(edges) if edge.block == b] for b in range(len(flow.blocks))]
        self.stored = [0] * len(edges)
        self.taken = [False] * len(edges)
        self.needed = [0] * len(edges)
        self.ready = [place is not None for place in self.place]  # outputs always are, the rest is worked out
        self.sinks: list[list[int]] = [[] for _ in flow.sinks]
        self.clock = 0
        self.start: int | None = None

    def run(self) -> Timetable:
        """Let clocks pass until every result has left."""
        due = [self.samples * self.flow.beats[stream] for stream in self.flow.sinks]
        whole = self.beats[0]
        seen: dict[tuple[object, ...], _Mark] = {}
        frames = 0
        while any(len(clocks) < beats for clocks, beats in zip(self.sinks, due, strict=True)):
            sent = self.samples * whole - self.left[0]
            if self.alike and sent == frames * whole and frames < self.samples:
                here = _Mark(frames, self.clock, [len(clocks) for clocks in self.sinks])
                before = seen.setdefault(self._state(frames), here)
                if before is not here:
                    self._repeat(before, here, due)
                    break
                frames += 1
            self._step()
            if self.until is not None and self.clock - (self.start or 0) > self.until + 1:
                raise DeadlockError(f"results are not complete after {self.until} clocks")
        clocks = [[clock - (self.start or 0) for clock in clocks] for clocks in self.sinks]
        return Timetable(clocks, [self.flow.beats[stream] for stream in self.flow.sinks])

    def _state(self, frames: int) -> tuple[object, ...]:
        """What the future depends on when so many frames have come from the first source."""
        return (
            tuple(engine.state() for engine in self.engines),
            tuple(self.stored),
            tuple(self.taken),
            tuple((self.samples - frames) * beats - left for left, beats in zip(self.left, self.beats, strict=False)),
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

    def _step(self) -> None:
        depth, stored, taken, stream, ready = self.depth, self.stored, self.taken, self.stream, self.ready
        engines, makes = self.engines, self.makes
        offered = [left > 0 for left in self.left]
        offered += [engine.offers for engine in engines]
        arrives = [offered[s] and not t for s, t in zip(stream, taken, strict=True)]
        # Ready runs backwards, as in the hardware.
        free, accepted = [False] * len(engines), [False] * len(engines)
        moves = [False] * len(offered)
        for b in range(len(engines) - 1, -1, -1):
            made = makes[b]
            is_free = True
            for e in self.readers[made]:
                if not (taken[e] or (stored[e] < depth[e] if depth[e] else ready[e])):
                    is_free = False
                    break
            free[b] = is_free
            moves[made] = is_free and offered[made]
            takes = engines[b].accepts(is_free)
            if takes:
                for e in self.into[b]:
                    if not (arrives[e] if not depth[e] else stored[e] > 0 or (self.transparent and arrives[e])):
                        takes = False
                        break
            accepted[b] = takes
            # A join is ready only when it offers; a single reader may be ready for nothing, which moves nothing.
            for e in self.into[b]:
                ready[e] = takes
        for s in self.sources:
            moves[s] = offered[s] and all(
                taken[e] or (stored[e] < depth[e] if depth[e] else ready[e]) for e in self.readers[s]
            )
        self._move(moves, arrives, free, accepted)

    def _move(
        self, moves: Sequence[bool], arrives: Sequence[bool], free: Sequence[bool], accepted: Sequence[bool]
    ) -> None:
        depth, stored, taken, ready = self.depth, self.stored, self.taken, self.ready
        changed = any(accepted) or any(moves)
        for e, s in enumerate(self.stream):
            words = stored[e]
            push = arrives[e] and (words < depth[e] if depth[e] else ready[e])
            changed |= push
            place = self.place[e]
            if place is not None and push:
                self.sinks[place].append(self.clock)
            if depth[e]:
                pop = ready[e] and (words > 0 or (self.transparent and push))
                if push and not (pop and not words):
                    self.needed[e] = max(self.needed[e], words + 1)
                stored[e] = words + push - pop
            if len(self.readers[s]) > 1:
                taken[e] = not moves[s] and (taken[e] or push)
        for k, s in enumerate(self.sources):
            if moves[s]:
                self.left[k] -= 1
                self.start = self.clock if self.start is None else self.start
        quiet = 0
        if not changed:  # only counters run: straight to the clock at which one is done
            least = min((e.idle(f) for e, f in zip(self.engines, free, strict=True)), default=FOREVER)
            if least == FOREVER:
                raise DeadlockError("no block can go on")
            quiet = least - 1
        for engine, is_free, takes in zip(self.engines, free, accepted, strict=True):
            if quiet:
                engine.skip(quiet)
            engine.step(free=is_free, taken=takes)
        self.clock += 1 + quiet
