"""Bench for library blocks with valid/ready streams: idle cycles x back-pressure x frame length, for many instances.

The instances lie side by side in a top written by the caller, each with ports ``<name>_s_t*`` and ``<name>_m_t*``. The
job is a JSON file named by FPGAQ_JOB: for every instance the words to send and the results to expect.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Combine, RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

JOB = json.loads(Path(os.environ["FPGAQ_JOB"]).read_text())


def pauses(kind: str) -> Iterator[int] | None:
    """Return a generator of pauses, None for none."""
    if kind == "none":
        return None
    if kind == "cycle":
        return itertools.cycle([1, 1, 1, 0])
    rng = random.Random(kind)
    return (rng.randrange(2) for _ in itertools.count())


async def hold(dut, name: str) -> None:
    """Check that what is offered stays as it is until it is taken."""
    valid, ready, data, last = (getattr(dut, f"{name}_m_t{s}") for s in ("valid", "ready", "data", "last"))
    offered = None
    while True:
        await RisingEdge(dut.clk)
        if not int(dut.rst_n.value):
            offered = None
            continue
        now = (int(data.value), int(last.value)) if int(valid.value) else None
        assert offered is None or now == offered, f"{name}: the offered word was withdrawn or changed"
        offered = None if int(ready.value) else now


async def reset(dut) -> None:
    """Hold the reset for some clocks."""
    dut.rst_n.value = 0
    for _ in range(4):
        await RisingEdge(dut.clk)
    dut.rst_n.value = 1


async def frames(dut, name: str, source: AxiStreamSource, sink: AxiStreamSink, length: int) -> None:
    """Send frames of one length and compare what comes out."""
    words, results = JOB[name]["words"], JOB[name]["results"]
    starts = range(0, min(len(words), 4 * length), length)
    for k in starts:
        await source.send(AxiStreamFrame([int(w, 16) for w in words[k : k + length]]))
    for k in starts:
        frame = await sink.recv()
        want = [int(r, 16) for r in results[k : k + length]]
        assert list(frame.tdata) == want, f"{name}, frame {k // length}: got {list(frame.tdata)}, want {want}"
    assert sink.empty(), f"{name}: more came out than went in"


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(idle=["none", "cycle", "random"], backpressure=["none", "cycle", "random"], length=[1, 2, 7, 20])
async def passes_frames(dut, idle: str, backpressure: str, length: int) -> None:
    """Every instance at the same time; then a reset in mid-stream, after which nothing may come out."""
    dut.rst_n.value = 0
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    ends = {}
    for k, name in enumerate(JOB):
        clocked = (dut.clk, dut.rst_n, False)
        source = AxiStreamSource(AxiStreamBus.from_prefix(dut, f"{name}_s"), *clocked, byte_lanes=1)
        sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, f"{name}_m"), *clocked, byte_lanes=1)
        for end in (source, sink):
            end.log.setLevel("WARNING")
        for end, kind in ((source, idle), (sink, backpressure)):
            generator = pauses(f"{kind}{k}" if kind == "random" else kind)
            if generator is not None:
                end.set_pause_generator(generator)
        cocotb.start_soon(hold(dut, name))
        ends[name] = (source, sink)
    await reset(dut)
    await Combine(*(cocotb.start_soon(frames(dut, name, *pair, length)) for name, pair in ends.items()))
    for name, (source, sink) in ends.items():
        sink.clear_pause_generator()
        sink.pause = True
        await source.send(AxiStreamFrame([int(w, 16) for w in JOB[name]["words"][:9]]))
    for _ in range(40):
        await RisingEdge(dut.clk)
    await reset(dut)
    for _, sink in ends.values():
        sink.pause = False
    for _ in range(40):
        await RisingEdge(dut.clk)
        for name in JOB:
            assert not int(getattr(dut, f"{name}_m_tvalid").value), f"{name}: a stale word came out after a reset"
