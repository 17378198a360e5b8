"""When each beat leaves a design whose layers take longer for some vectors, or give other beats than they take.

The handshakes of the stage graph, cycle by cycle and without data: which stream is offered and taken when. It is exact
because the model of every block is, see `fpgaq.rtl.engines`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fpgaq.errors import FpgaqError
from fpgaq.rtl.dataflow import Dataflow
from fpgaq.rtl.engines import make_engines, model_of, state

if TYPE_CHECKING:
    from fpgaq.rtl._handshakes import Network


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

    Parameters
    ----------
    flow, cycles, samples
        As of `timetable`.
    transparent : bool
        FIFOs hand on a word in the cycle in which it comes, which no hardware does: what is fastest.
    until : int or None
        Clock after which to give up, counted from the first beat accepted.
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
        self.whole = flow.beats[next(iter(flow.sources))]
        self.engines = make_engines([model_of(block.hardware, cycles.get(block.output)) for block in flow.blocks])
        self.network = _network(flow, samples)

    @property
    def needed(self) -> list[int]:
        """Words that the FIFO of every edge must hold so that what happened would not have been another."""
        return [int(words) for words in self.network.needed]

    def run(self) -> Timetable:
        """Let clocks pass until every result has left."""
        from fpgaq.rtl import _handshakes as kernel  # compiled with numba, which is slow to import

        seen: dict[tuple[object, ...], _Mark] = {}
        network, frames = self.network, 0
        until = -1 if self.until is None else self.until
        while True:
            stop = (self.samples - frames) * self.whole if self.alike and frames < self.samples else -1
            why = kernel.advance(self.engines, network, stop, until, self.transparent)
            if why == kernel.COMPLETE:
                break
            if why == kernel.STUCK:
                raise DeadlockError("no block can go on")
            if why == kernel.LATE:
                raise DeadlockError(f"results are not complete after {self.until} clocks")
            here = _Mark(frames, int(network.clock[0]), network.given.tolist())
            before = seen.setdefault(self._state(frames), here)
            if before is not here:
                self._repeat(before, here)
                break
            frames += 1
        start = max(int(network.clock[1]), 0)
        clocks = [(row[:due] - start).tolist() for row, due in zip(network.clocks, network.due, strict=True)]
        return Timetable(clocks, [self.flow.beats[stream] for stream in self.flow.sinks])

    def _state(self, frames: int) -> tuple[object, ...]:
        """What the future depends on when so many frames have come from the first source."""
        network, beats = self.network, list(self.flow.beats.values())
        return (
            tuple(state(self.engines, e) for e in range(len(self.flow.blocks))),
            tuple(network.stored.tolist()),
            tuple(network.taken.tolist()),
            tuple((self.samples - frames) * each - left for left, each in zip(network.left, beats, strict=False)),
            tuple(
                given - frames * self.flow.beats[sink]
                for given, sink in zip(network.given, self.flow.sinks, strict=True)
            ),
        )

    def _repeat(self, before: _Mark, here: _Mark) -> None:
        """Complete the clocks from here on: the same state leads to the same, so many frames and clocks later.

        That the frames come to an end changes nothing for those that are there: a beat never waits for a later one.
        """
        frames, clocks = here.frames - before.frames, here.clock - before.clock
        for place, stream in enumerate(self.flow.sinks):
            row, beats = self.network.clocks[place], frames * self.flow.beats[stream]
            assert here.given[place] >= before.given[place] + beats
            for k in range(here.given[place], self.network.due[place]):
                row[k] = row[k - beats] + clocks


def _network(flow: Dataflow, samples: int) -> Network:
    """Return edges and streams as numbers, before the first clock."""
    from fpgaq.rtl import _handshakes as kernel

    number = {stream: k for k, stream in enumerate(flow.bits)}
    edges = flow.edges
    stream = [number[edge.stream] for edge in edges]
    due = np.array([samples * flow.beats[sink] for sink in flow.sinks], np.int64)
    readers = [[e for e, s in enumerate(stream) if s == k] for k in range(len(number))]
    into = [[e for e, edge in enumerate(edges) if edge.block == b] for b in range(len(flow.blocks))]
    outside = np.array([edge.block is None for edge in edges], np.bool_)

    def ints(values: Iterable[int]) -> kernel.Ints:
        return np.array(list(values), np.int64)

    def starts(groups: list[list[int]]) -> kernel.Ints:
        return ints(itertools.accumulate((len(group) for group in groups), initial=0))

    return kernel.Network(
        stream=ints(stream),
        depth=ints(edge.depth for edge in edges),
        sink=ints(edge.place if edge.block is None else -1 for edge in edges),
        reader_start=starts(readers),
        reader=ints(itertools.chain(*readers)),
        into_start=starts(into),
        into=ints(itertools.chain(*into)),
        makes=ints(number[block.output] for block in flow.blocks),
        sources=ints(number[source] for source in flow.sources),
        due=due,
        stored=np.zeros(len(edges), np.int64),
        taken=np.zeros(len(edges), np.bool_),
        ready=outside,  # outputs always are, the rest is worked out
        needed=np.zeros(len(edges), np.int64),
        left=ints(samples * flow.beats[source] for source in flow.sources),
        given=np.zeros(len(due), np.int64),
        clocks=np.zeros((len(due), int(due.max())), np.int64),
        clock=np.array([0, -1]),
    )
