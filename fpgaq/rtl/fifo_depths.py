"""How long FIFOs in front of joins must be where frames travel beat by beat: found on the timetable.

Branches that meet again take different times, and not the same for every beat. A FIFO has to hold what comes early, so
that it never stops the fork that the late branch hangs on, too: that would be slow, or wait for itself forever.
"""

from __future__ import annotations

import dataclasses

from fpgaq.rtl.dataflow import Dataflow, Edge
from fpgaq.rtl.timetable import SETTLED, UNBOUNDED, DeadlockError, Handshakes, Pace, settled

_Depths = dict[tuple[int, int], int]
#: Words of the shortest FIFO.
_LEAST = 2


def with_fifos(flow: Dataflow) -> Dataflow:
    """Return a stage graph of frames with the shortest FIFOs that keep its latency and II.

    Reference is what unlimited FIFOs would give. They stand where words wait when FIFOs cost no time at all; each is
    then made as short as can be, one after the other.
    """
    loops = [(edge.block, edge.place) for edge in flow.edges if edge.block is not None and _closes_loop(flow, edge)]
    fastest = _Trial(flow, dict.fromkeys(loops, UNBOUNDED), transparent=True)
    if not loops:
        return dataclasses.replace(flow, depths={})
    held = [place for place in loops if fastest.needed[place]]
    free = _Trial(flow, dict.fromkeys(held, UNBOUNDED))
    if any(slow.ii > fast.ii for slow, fast in zip(free.paces, fastest.paces, strict=True)):
        free = _Trial(flow, dict.fromkeys(loops, UNBOUNDED))
    depths = {place: max(words, _LEAST) for place, words in free.needed.items()}
    for place in depths:
        depths[place] = _shortest(flow, depths, place, free)
    return dataclasses.replace(flow, depths={place: depth for place, depth in depths.items() if depth})


def _closes_loop(flow: Dataflow, edge: Edge) -> bool:
    """Whether an input of a join is connected with its other inputs in another way, too."""
    block = flow.blocks[edge.block or 0]
    if len(block.inputs) < 2:
        return False
    links = [(e.stream, flow.blocks[e.block].output) for e in flow.edges if e.block is not None and e is not edge]
    reached, pending = {edge.stream}, [edge.stream]
    while pending:
        here = pending.pop()
        near = {b if a == here else a for a, b in links if here in (a, b)} - reached
        reached |= near
        pending += near
    return block.output in reached


class _Trial:
    """A run with some FIFOs."""

    def __init__(self, flow: Dataflow, depths: _Depths, *, transparent: bool = False, until: int | None = None) -> None:
        trial = dataclasses.replace(flow, depths=depths)
        run = Handshakes(trial, {}, SETTLED, transparent=transparent, until=until)
        table = run.run()
        self.paces: list[Pace] = settled(table)
        self.end = max(clocks[-1] for clocks in table.sinks)
        edges = zip(trial.edges, run.needed, strict=True)
        self.needed: _Depths = {(e.block, e.place): words for e, words in edges if e.block is not None and e.depth}


def _shortest(flow: Dataflow, depths: _Depths, place: tuple[int, int], free: _Trial) -> int:
    """Return the least depth of one FIFO that changes no figure; the longest that is too short is one less."""

    def suffices(depth: int) -> bool:
        try:
            trial = _Trial(flow, {**depths, place: depth}, until=free.end)
        except DeadlockError:
            return False
        figures = zip(trial.paces, free.paces, strict=True)
        return all(a.first <= b.first and a.last <= b.last and a.ii <= b.ii for a, b in figures)

    enough = depths[place]
    if enough > _LEAST and not suffices(enough - 1):  # as a rule
        return enough
    too_short = _LEAST - 1
    while enough - too_short > 1:
        middle = (enough + too_short) // 2
        enough, too_short = (middle, too_short) if suffices(middle) else (enough, middle)
    return 0 if enough == _LEAST and suffices(0) else enough
