"""When each result leaves a design whose layers take longer for some vectors than for others.

The handshakes of the stage graph, cycle by cycle and without data: which stream is offered and taken when. It is exact
because every block behaves alike: a vector that was accepted is offered a known number of cycles later, the next one
may come a known number of cycles later, and the whole block stops while a result waits to be taken.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fpgaq.rtl.dataflow import Block, Dataflow, Edge

_FOREVER = 1 << 62


@dataclass(frozen=True)
class Timetable:
    """Clocks of all transfers, counted from the first vector accepted, when nothing outside ever waits.

    Parameters
    ----------
    sinks : sequence of sequence of int
        Of every output of the design, in order.
    """

    sinks: Sequence[Sequence[int]]

    def latency(self, sink: int) -> int:
        """Cycles from the first vector accepted to its result."""
        return self.sinks[sink][0]

    def gaps(self, sink: int) -> list[int]:
        """Cycles between results."""
        return [b - a for a, b in itertools.pairwise(self.sinks[sink])]


def timetable(flow: Dataflow, cycles: Mapping[str, Sequence[int]], samples: int) -> Timetable:
    """Return when the results of vectors that are offered back to back leave.

    Parameters
    ----------
    flow : Dataflow
    cycles : mapping of sequence of int
        For how many cycles each vector keeps a block, by the stream that it makes; blocks that are not there always
        take their II. The rest of the latency is the same for every vector.
    samples : int
        Vectors.
    """
    return _Network(flow, cycles, samples).run()


class _Engine:
    """A block: vectors under way with the clock at which they are offered, in clocks that the block was not stopped."""

    def __init__(self, block: Block, cycles: Sequence[int] | None) -> None:
        self.block = block
        self.cycles = cycles
        self.behind = block.hardware.latency - block.hardware.ii
        self.clock = self.free = self.accepted = 0
        self.under_way: deque[int] = deque()

    @property
    def offers(self) -> bool:
        return bool(self.under_way) and self.under_way[0] <= self.clock

    def step(self, *, stopped: bool, accepts: bool) -> None:
        """Let a clock pass."""
        if stopped:
            return
        if self.offers:
            self.under_way.popleft()
        if accepts:
            taken = self.block.hardware.ii if self.cycles is None else int(self.cycles[self.accepted])
            self.under_way.append(self.clock + taken + self.behind)
            self.free = self.clock + taken
            self.accepted += 1
        self.clock += 1

    def idle(self) -> int:
        """Return for how many clocks nothing changes by itself."""
        offered = self.under_way[0] - self.clock if self.under_way else _FOREVER
        return min(offered, self.free - self.clock if self.free > self.clock else _FOREVER)


class _Network:
    """Blocks, FIFOs and forks of a stage graph."""

    def __init__(self, flow: Dataflow, cycles: Mapping[str, Sequence[int]], samples: int) -> None:
        self.flow = flow
        self.samples = samples
        self.engines = [_Engine(block, cycles.get(block.output)) for block in flow.blocks]
        self.makers = {engine.block.output: engine for engine in self.engines}
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
        while any(len(clocks) < self.samples for clocks in self.sinks):
            self._step()
        return Timetable([[clock - (self.start or 0) for clock in clocks] for clocks in self.sinks])

    def _offered(self, stream: str) -> bool:
        if stream in self.sent:
            return self.sent[stream] < self.samples
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
        accepts, stopped = [False] * len(self.engines), [False] * len(self.engines)
        for number in reversed(range(len(self.engines))):  # ready runs backwards, as in the hardware
            engine = self.engines[number]
            output = engine.block.output
            free = self._ready(output, ready)
            moves[output] = engine.offers and free
            stopped[number] = engine.offers and not free
            edges = self.into[number]
            accepts[number] = (
                not stopped[number] and engine.free <= engine.clock and all(self._waits(edge) for edge in edges)
            )
            # A join is ready only when it offers; a single reader may be ready for nothing, which moves nothing.
            ready |= dict.fromkeys(edges, accepts[number])
        for source in self.sent:
            moves[source] = self._offered(source) and self._ready(source, ready)
        self._move(moves, ready, accepts, stopped)

    def _ready(self, stream: str, ready: Mapping[Edge, bool]) -> bool:
        return all(self._takes(edge, ready) or self.taken[edge] for edge in self.readers[stream])

    def _takes(self, edge: Edge, ready: Mapping[Edge, bool]) -> bool:
        return self.stored[edge] < edge.depth if edge.depth else ready[edge]

    def _move(
        self, moves: Mapping[str, bool], ready: Mapping[Edge, bool], accepts: Sequence[bool], stopped: Sequence[bool]
    ) -> None:
        changed = any(accepts) or any(moves.values())
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
            running = [e.idle() for e, stop in zip(self.engines, stopped, strict=True) if not stop]
            quiet = max(min(running, default=1) - 1, 0)
        for number, engine in enumerate(self.engines):
            if not stopped[number]:
                engine.clock += quiet
            engine.step(stopped=stopped[number], accepts=accepts[number])
        self.clock += 1 + quiet
