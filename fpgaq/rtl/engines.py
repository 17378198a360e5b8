"""How blocks take and give beats: the handshakes of one block clock by clock, without data.

A model agrees with its block in every clock and under any stalls: it says what the block offers, whether it takes what
is there, and then lets a clock pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from fpgaq.rtl.dataflow import LayerHardware
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.stream_collect import StreamCollect
from fpgaq.rtl.stream_crop import StreamCrop
from fpgaq.rtl.stream_pad import StreamPad
from fpgaq.rtl.stream_reduce import StreamReduce
from fpgaq.rtl.stream_repeat import StreamRepeat
from fpgaq.rtl.stream_split import StreamSplit
from fpgaq.rtl.stream_window import StreamWindow

#: More clocks than anything takes.
FOREVER = 1 << 62


class Engine(Protocol):
    """What the timetable wants to know of a block."""

    @property
    def offers(self) -> bool:
        """Whether a beat is offered at the output."""
        ...

    def accepts(self, free: bool) -> bool:
        """Whether a beat would be taken at the input; `free` says that the output is ready."""
        ...

    def step(self, *, free: bool, taken: bool) -> None:
        """Let a clock pass; `taken` says that a beat was taken at the input."""
        ...

    def idle(self, free: bool) -> int:
        """For how many clocks nothing changes by itself."""
        ...

    def skip(self, clocks: int) -> None:
        """Let clocks pass in which nothing changes."""
        ...

    def state(self) -> tuple[int, ...]:
        """What the future depends on, clocks counted from now; not for blocks whose beats take different cycles."""
        ...


def make_engine(hardware: LayerHardware, cycles: Sequence[int] | None = None) -> Engine:
    """Return the model of a block.

    Parameters
    ----------
    hardware : LayerHardware
    cycles : sequence of int, optional
        For how many clocks each beat keeps it, where that is not always its II.
    """
    if isinstance(hardware, StreamPad):
        return Margin(hardware.margin, hardware.early)
    if isinstance(hardware, (StreamRepeat, StreamSplit)):
        return Unpacking(hardware.waits, hardware.ends)
    changing = (FoldedMatrix, StreamCollect, StreamCrop, StreamReduce, StreamWindow)
    gives = hardware.gives if isinstance(hardware, changing) else (True,)
    return Pipeline(hardware.latency, hardware.ii, cycles, gives)


class Pipeline:
    """A block that stops as a whole while a result waits to be taken.

    Parameters
    ----------
    latency, ii : int
        Of a beat, in clocks in which the block was not stopped.
    cycles : sequence of int, optional
        For how many clocks each beat keeps it; the rest of the latency is the same for all.
    gives : sequence of bool
        Which beats have a result, over and over.
    """

    def __init__(self, latency: int, ii: int, cycles: Sequence[int] | None, gives: Sequence[bool]) -> None:
        self.ii = ii
        self.cycles = cycles
        self.gives = gives
        self.behind = latency - ii
        self.clock = self.free = self.accepted = 0
        self.under_way: deque[int] = deque()

    @property
    def offers(self) -> bool:
        return bool(self.under_way) and self.under_way[0] <= self.clock

    def accepts(self, free: bool) -> bool:
        return (free or not self.offers) and self.free <= self.clock

    def step(self, *, free: bool, taken: bool) -> None:
        if self.offers:
            if not free:
                return
            self.under_way.popleft()
        if taken:
            busy = self.ii if self.cycles is None else int(self.cycles[self.accepted])
            if self.gives[self.accepted % len(self.gives)]:
                self.under_way.append(self.clock + busy + self.behind)
            self.free = self.clock + busy
            self.accepted += 1
        self.clock += 1

    def idle(self, free: bool) -> int:
        if self.offers:
            return 1 if free else FOREVER
        offered = self.under_way[0] - self.clock if self.under_way else FOREVER
        return min(offered, self.free - self.clock if self.free > self.clock else FOREVER)

    def skip(self, clocks: int) -> None:
        if not self.offers:
            self.clock += clocks

    def state(self) -> tuple[int, ...]:
        waiting = (max(clock - self.clock, 0) for clock in self.under_way)
        return (self.accepted % len(self.gives), max(self.free - self.clock, 0), *waiting)


class Margin:
    """`stream_pad`: one pixel waits for its place among those of the margin.

    Parameters
    ----------
    margin : sequence of bool
        Whether each beat of a frame of the result belongs to the margin.
    early : bool
        Whether only the first frame is waited for.
    """

    def __init__(self, margin: Sequence[bool], early: bool) -> None:
        self.margin = margin
        self.early = early
        self.started = False
        self.place = 0
        self.full = False

    @property
    def offers(self) -> bool:
        return self.full or (self.margin[self.place] and (self.place > 0 or (self.early and self.started)))

    def accepts(self, free: bool) -> bool:
        return not self.full or (free and not self.margin[self.place])

    def step(self, *, free: bool, taken: bool) -> None:
        if self.offers and free:
            self.full &= self.margin[self.place]
            self.place = (self.place + 1) % len(self.margin)
        self.full |= taken
        self.started |= taken

    def idle(self, free: bool) -> int:
        return 1 if self.offers and free else FOREVER

    def skip(self, clocks: int) -> None:
        """Nothing counts clocks here."""

    def state(self) -> tuple[int, ...]:
        return (self.place, self.full, self.started)


class Unpacking:
    """`stream_repeat` and `stream_split`: one beat stays while several are made of it.

    Parameters
    ----------
    waits : sequence of bool
        Whether each beat of a frame of the result is of the beat that came last; the others are there anyway.
    ends : sequence of bool
        Whether that one makes room for another with each of them.
    """

    def __init__(self, waits: Sequence[bool], ends: Sequence[bool]) -> None:
        self.waits = waits
        self.ends = ends
        self.place = 0
        self.full = False

    @property
    def offers(self) -> bool:
        return self.full or not self.waits[self.place]

    def accepts(self, free: bool) -> bool:
        return not self.full or (free and self.ends[self.place])

    def step(self, *, free: bool, taken: bool) -> None:
        if self.offers and free:
            self.full &= not self.ends[self.place]
            self.place = (self.place + 1) % len(self.waits)
        self.full |= taken

    def idle(self, free: bool) -> int:
        return 1 if self.offers and free else FOREVER

    def skip(self, clocks: int) -> None:
        """Nothing counts clocks here."""

    def state(self) -> tuple[int, ...]:
        return (self.place, self.full)
