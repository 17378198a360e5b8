"""The handshakes of the blocks of a stage graph, clock by clock and without data: the inner loop of the timetable.

Blocks, streams and edges are numbers, what is known of them stands in arrays. All of it is in one file because numba's
cache notices changes only in the file of the function that is called.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Kinds of blocks.
PIPELINE = 0  # stops as a whole while a result waits to be taken
MARGIN = 1  # one beat waits for its place among those of a margin
UNPACKING = 2  # one beat stays while several are made of it

#: More clocks than anything takes.
FOREVER = 1 << 62

#: Why `advance` came back.
COMPLETE, AT_FRAME, STUCK, LATE = range(4)


class Engines(NamedTuple):
    """Blocks; every array has an element for each, but for those that say otherwise."""

    kind: Ints
    ii: Ints  # clocks that a beat keeps a pipeline
    behind: Ints  # clocks from then to its result
    early: Bools  # whether a margin waits for the first frame only
    start: Ints  # where the patterns begin, one element for each beat of a frame
    length: Ints
    one: Bools  # [all patterns] pipeline: gives a result; margin: is of the margin; unpacking: waits for a beat
    two: Bools  # [all patterns] unpacking: makes room for another beat
    turn: Ints  # [all patterns] pipeline: input that gives the beat, -1 where all do
    cycles_start: Ints  # where `cycles` begins, -1 where every beat takes `ii`
    cycles: Ints  # [all cycles]
    # What changes:
    clock: Ints
    free: Ints  # clock from which a pipeline takes a beat
    accepted: Ints  # beats that it has taken
    place: Ints  # beat of the pattern
    full: Bools
    started: Bools
    head: Ints  # first one of the results under way
    waiting: Ints  # how many there are
    queue: Ints  # [engines, slots] clocks of results under way, a ring


class Network(NamedTuple):
    """Edges and streams."""

    stream: Ints  # [edges]
    depth: Ints  # [edges] words of the FIFO
    sink: Ints  # [edges] number of the output, -1 for readers that are blocks
    reader_start: Ints  # [streams + 1]
    reader: Ints  # [edges] edges that read a stream
    into_start: Ints  # [engines + 1]
    into: Ints  # edges into a block
    makes: Ints  # [engines] streams
    sources: Ints  # [sources] streams
    due: Ints  # [sinks] beats wanted
    # What changes:
    stored: Ints  # [edges]
    taken: Bools  # [edges]
    ready: Bools  # [edges]
    needed: Ints  # [edges] most words that a FIFO held
    left: Ints  # [sources] beats to come
    given: Ints  # [sinks]
    clocks: Ints  # [sinks, most beats]
    clock: Ints  # [2] now, and of the first beat accepted; -1 before


@njit(cache=True)
def offers(s: Engines, e: int) -> bool:
    """Whether a beat is offered at the output."""
    if s.kind[e] == PIPELINE:
        return bool(s.waiting[e] > 0 and s.queue[e, s.head[e]] <= s.clock[e])
    if s.full[e]:
        return True
    here = s.one[s.start[e] + s.place[e]]
    if s.kind[e] == MARGIN:
        return bool(here and (s.place[e] > 0 or (s.early[e] and s.started[e])))
    return not here


@njit(cache=True)
def accepts(s: Engines, e: int, free: bool) -> bool:
    """Whether a beat would be taken at the input; `free` says that the output is ready."""
    if s.kind[e] == PIPELINE:
        return bool((free or not offers(s, e)) and s.free[e] <= s.clock[e])
    if not s.full[e]:
        return True
    here = s.start[e] + s.place[e]
    return bool(free and (s.two[here] if s.kind[e] == UNPACKING else not s.one[here]))


@njit(cache=True)
def step(s: Engines, e: int, free: bool, taken: bool) -> None:
    """Let a clock pass; `taken` says that a beat was taken at the input."""
    offered = offers(s, e)
    if s.kind[e] == PIPELINE:
        if offered:
            if not free:
                return
            s.head[e] = (s.head[e] + 1) % s.queue.shape[1]
            s.waiting[e] -= 1
        if taken:
            busy = s.ii[e]
            if s.cycles_start[e] >= 0:
                busy = s.cycles[s.cycles_start[e] + s.accepted[e]]
            if s.one[s.start[e] + s.accepted[e] % s.length[e]]:
                last = (s.head[e] + s.waiting[e]) % s.queue.shape[1]
                s.queue[e, last] = s.clock[e] + busy + s.behind[e]
                s.waiting[e] += 1
            s.free[e] = s.clock[e] + busy
            s.accepted[e] += 1
        s.clock[e] += 1
        return
    if offered and free:
        here = s.start[e] + s.place[e]
        s.full[e] = s.full[e] and (not s.two[here] if s.kind[e] == UNPACKING else s.one[here])
        s.place[e] = (s.place[e] + 1) % s.length[e]
    if taken:
        s.full[e] = True
        s.started[e] = True


@njit(cache=True)
def idle(s: Engines, e: int, free: bool) -> int:
    """For how many clocks nothing changes by itself."""
    if offers(s, e):
        return 1 if free else FOREVER
    least = FOREVER
    if s.kind[e] == PIPELINE:
        if s.waiting[e] > 0:
            least = s.queue[e, s.head[e]] - s.clock[e]
        if s.free[e] > s.clock[e]:
            least = min(least, s.free[e] - s.clock[e])
    return least


@njit(cache=True)
def _is_free(n: Network, stream: int) -> bool:
    """Whether all readers of a stream are ready for its beat, or have it already."""
    for k in range(n.reader_start[stream], n.reader_start[stream + 1]):
        e = n.reader[k]
        if not n.taken[e] and not (n.stored[e] < n.depth[e] if n.depth[e] > 0 else n.ready[e]):
            return False
    return True


@njit(cache=True)
def _negotiate(
    s: Engines, n: Network, transparent: bool, offered: Bools, moves: Bools, free: Bools, accepted: Bools
) -> None:
    """Work out who takes what in this clock. Ready runs backwards, as in the hardware."""
    for k in range(n.sources.size):
        offered[n.sources[k]] = n.left[k] > 0
    for b in range(n.makes.size):
        offered[n.makes[b]] = offers(s, b)
    for b in range(n.makes.size - 1, -1, -1):
        free[b] = _is_free(n, n.makes[b])
        moves[n.makes[b]] = free[b] and offered[n.makes[b]]
        takes = accepts(s, b, free[b])
        turn = s.turn[s.start[b] + s.accepted[b] % s.length[b]]
        for k in range(n.into_start[b], n.into_start[b + 1]):
            if turn >= 0 and k - n.into_start[b] != turn:
                continue
            e = n.into[k]
            arrives = offered[n.stream[e]] and not n.taken[e]
            takes = takes and (n.stored[e] > 0 or (transparent and arrives) if n.depth[e] > 0 else arrives)
        accepted[b] = takes
        # A join is ready only when it offers; a single reader may be ready for nothing, which moves nothing.
        for k in range(n.into_start[b], n.into_start[b + 1]):
            n.ready[n.into[k]] = takes and (turn < 0 or k - n.into_start[b] == turn)
    for k in range(n.sources.size):
        source = n.sources[k]
        moves[source] = offered[source] and _is_free(n, source)


@njit(cache=True)
def _move(n: Network, transparent: bool, offered: Bools, moves: Bools) -> bool:
    """Move what moves; return whether anything did."""
    changed = False
    for e in range(n.stream.size):
        stream, words = n.stream[e], n.stored[e]
        push = offered[stream] and not n.taken[e] and (words < n.depth[e] if n.depth[e] > 0 else n.ready[e])
        changed = changed or push
        if push and n.sink[e] >= 0:
            n.clocks[n.sink[e], n.given[n.sink[e]]] = n.clock[0]
            n.given[n.sink[e]] += 1
        if n.depth[e] > 0:
            pop = n.ready[e] and (words > 0 or (transparent and push))
            if push and not (pop and words == 0):
                n.needed[e] = max(n.needed[e], words + 1)
            n.stored[e] = words + int(push) - int(pop)
        if n.reader_start[stream + 1] - n.reader_start[stream] > 1:
            n.taken[e] = not moves[stream] and (n.taken[e] or push)
    for k in range(n.sources.size):
        if moves[n.sources[k]]:
            n.left[k] -= 1
            if n.clock[1] < 0:
                n.clock[1] = n.clock[0]
    return changed


@njit(cache=True)
def advance(s: Engines, n: Network, stop: int, until: int, transparent: bool) -> int:
    """Let clocks pass; return why that ended.

    Parameters
    ----------
    s, n : Engines, Network
        Changed in place.
    stop : int
        Beats left at the first source at which to come back, -1 for never.
    until : int
        Clock after which to give up, counted from the first beat accepted; -1 for never.
    transparent : bool
        FIFOs hand on a word in the cycle in which it comes.
    """
    streams, engines = n.reader_start.size - 1, n.makes.size
    offered, moves = np.zeros(streams, np.bool_), np.zeros(streams, np.bool_)
    free, accepted = np.zeros(engines, np.bool_), np.zeros(engines, np.bool_)
    while np.any(n.given < n.due):
        if n.left[0] == stop:
            return AT_FRAME
        _negotiate(s, n, transparent, offered, moves, free, accepted)
        changed = _move(n, transparent, offered, moves) or np.any(accepted) or np.any(moves)
        quiet = 0
        if not changed:  # only counters run: straight to the clock at which one is done
            least = FOREVER
            for b in range(engines):
                least = min(least, idle(s, b, free[b]))
            if least == FOREVER:
                return STUCK
            quiet = least - 1
        for b in range(engines):
            if quiet > 0 and s.kind[b] == PIPELINE and not offers(s, b):
                s.clock[b] += quiet
            step(s, b, free[b], accepted[b])
        n.clock[0] += 1 + quiet
        if until >= 0 and n.clock[0] - max(n.clock[1], 0) > until + 1:
            return LATE
    return COMPLETE
