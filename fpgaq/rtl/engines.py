"""How blocks take and give beats: what the compiled handshakes want to know of each.

A model agrees with its block in every clock and under any stalls: it says what the block offers, whether it takes what
is there, and then lets a clock pass. What each kind of block does stands in `fpgaq.rtl._handshakes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fpgaq.rtl.dataflow import LayerHardware
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.stream_concatenate import StreamConcatenate
from fpgaq.rtl.stream_pad import StreamPad
from fpgaq.rtl.stream_repeat import StreamRepeat
from fpgaq.rtl.stream_split import StreamSplit

if TYPE_CHECKING:
    from fpgaq.rtl._handshakes import Engines


@dataclass(frozen=True)
class Model:
    """The handshakes of a block.

    Parameters
    ----------
    kind : str
        Name in `fpgaq.rtl._handshakes`.
    one, two : sequence of bool
        Its patterns over the beats of a frame.
    latency, ii : int
        Of a beat in a pipeline, in clocks in which it was not stopped.
    cycles : sequence of int or None
        For how many clocks each beat keeps it, where that is not always its II; the rest of the latency is the same.
    early : bool
        Whether a margin waits for the first frame only.
    turns : sequence of int or None
        Which input of a pipeline each beat is taken from, over and over; None where all of them give a beat at once.
    """

    kind: str
    one: Sequence[bool]
    two: Sequence[bool] | None = None
    latency: int = 1
    ii: int = 1
    cycles: Sequence[int] | None = None
    early: bool = False
    turns: Sequence[int] | None = None


def model_of(hardware: LayerHardware, cycles: Sequence[int] | None = None) -> Model:
    """Return the model of a block.

    Parameters
    ----------
    hardware : LayerHardware
    cycles : sequence of int, optional
        For how many clocks each beat keeps it, where that is not always its II.
    """
    if isinstance(hardware, StreamPad):
        return Model("MARGIN", hardware.margin, early=hardware.early)
    if isinstance(hardware, (StreamRepeat, StreamSplit)):
        return Model("UNPACKING", hardware.waits, hardware.ends)
    if isinstance(hardware, StreamConcatenate):
        return Model("PIPELINE", (True,) * len(hardware.turns), turns=hardware.turns)
    gives = hardware.gives if isinstance(hardware, (FoldedMatrix, PixelBlock)) else (True,)
    return Model("PIPELINE", gives, latency=hardware.latency, ii=hardware.ii, cycles=cycles)


def make_engines(models: Sequence[Model]) -> Engines:
    """Return the blocks as they are after a reset."""
    from fpgaq.rtl import _handshakes as kernel  # compiled with numba, which is slow to import

    def ints(values: Sequence[int]) -> kernel.Ints:
        return np.array(values, np.int64)

    def zeros() -> kernel.Ints:
        return np.zeros(len(models), np.int64)

    def flags() -> kernel.Bools:
        return np.zeros(len(models), np.bool_)

    lengths = [len(m.one) for m in models]
    counts = [len(m.cycles or ()) for m in models]
    cycles_start = [0 if m.cycles else -1 for m in models] + np.cumsum([0, *counts[:-1]]) * (np.array(counts) > 0)
    # Results under way: one for every beat that the rest of the pipeline holds, and one that waits at its end.
    slots = max((m.latency + 2 for m in models), default=1)
    return kernel.Engines(
        kind=ints([getattr(kernel, m.kind) for m in models]),
        ii=ints([m.ii for m in models]),
        behind=ints([m.latency - m.ii for m in models]),
        early=np.array([m.early for m in models], np.bool_),
        start=np.cumsum([0, *lengths[:-1]]),
        length=ints(lengths),
        one=np.array([flag for m in models for flag in m.one], np.bool_),
        two=np.array([flag for m in models for flag in m.two or [False] * len(m.one)], np.bool_),
        turn=ints([turn for m in models for turn in m.turns or [-1] * len(m.one)]),
        cycles_start=ints(cycles_start.tolist()),
        cycles=ints([count for m in models for count in m.cycles or ()]),
        clock=zeros(),
        free=zeros(),
        accepted=zeros(),
        place=zeros(),
        full=flags(),
        started=flags(),
        head=zeros(),
        waiting=zeros(),
        queue=np.zeros((len(models), slots), np.int64),
    )


def state(engines: Engines, e: int) -> tuple[int, ...]:
    """Return what the future of a block depends on, clocks counted from now; not where beats take different cycles."""
    clock, slots = int(engines.clock[e]), engines.queue.shape[1]
    queue = [int(engines.queue[e, (engines.head[e] + k) % slots]) for k in range(engines.waiting[e])]
    return (
        int(engines.accepted[e] % engines.length[e]),
        max(int(engines.free[e]) - clock, 0),
        int(engines.place[e]),
        int(engines.full[e]),
        int(engines.started[e]),
        *(max(due - clock, 0) for due in queue),
    )
