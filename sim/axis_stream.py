"""Bench for a design with one AXI-Stream input and output: random stalls, exact latency, reset in mid-stream.

The job is a JSON file named by FPGAQ_JOB; the observations go into another one. Comparing them with the golden model is
left to the caller, so that the bench knows nothing of the design.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

DEADLOCK_CYCLES = 20_000


class Stream:
    """Drives the input, reads the output, one step a clock, and checks the protocol of the output."""

    def __init__(self, dut, probes: int) -> None:
        self.dut = dut
        self.probes = [{s: getattr(dut, f"{s}_{k}") for s in ("valid", "ready", "data")} for k in range(probes)]
        self.cycle = 0
        self.held: tuple[int, int] | None = None

    async def run(self, words: list[int], lasts: list[int], idle: float, stall: float, rng: random.Random) -> dict:
        """Send every word and wait for as many results.

        `idle` is the probability that the source pauses, `stall` the one that the sink does.
        """
        dut, n = self.dut, len(words)
        accepted: list[int] = []
        seen: dict[str, list] = {"words": [], "lasts": [], "cycles": []}
        probed: list[list[int]] = [[] for _ in self.probes]
        offering = ready = False
        position = waited = 0
        while len(seen["words"]) < n and waited < DEADLOCK_CYCLES:
            if not offering and position < n and rng.random() >= idle:
                offering = True
                dut.s_axis_tdata.value = words[position]
                dut.s_axis_tlast.value = lasts[position]
            ready = rng.random() >= stall
            dut.s_axis_tvalid.value = int(offering)
            dut.m_axis_tready.value = int(ready)
            await RisingEdge(dut.aclk)
            self.cycle += 1
            waited += 1
            if offering and int(dut.s_axis_tready.value):
                accepted.append(self.cycle)
                position, offering = position + 1, False
            result = self._read(ready)
            if result is not None:
                seen["words"].append(result[0])
                seen["lasts"].append(result[1])
                seen["cycles"].append(self.cycle)
                waited = 0
            for taps, record in zip(self.probes, probed, strict=True):
                if int(taps["valid"].value) and int(taps["ready"].value):
                    record.append(int(taps["data"].value))
        dut.s_axis_tvalid.value = 0
        return {
            "words": [format(w, "x") for w in seen["words"]],
            "lasts_equal": seen["lasts"] == lasts[: len(seen["lasts"])],
            "complete": len(seen["words"]) == n,
            "accepted": accepted,
            "cycles": seen["cycles"],
            "probes": [[format(w, "x") for w in record] for record in probed],
        }

    def _read(self, ready: bool) -> tuple[int, int] | None:
        dut = self.dut
        if not int(dut.m_axis_tvalid.value):
            assert self.held is None, "m_axis_tvalid was withdrawn before the transfer"
            return None
        word = (int(dut.m_axis_tdata.value), int(dut.m_axis_tlast.value))
        assert self.held in (None, word), "m_axis_tdata changed before the transfer"
        self.held = None if ready else word
        return word if ready else None

    async def reset(self, cycles: int = 3) -> None:
        """Reset; nothing may be offered afterwards."""
        self.dut.aresetn.value = 0
        self.dut.s_axis_tvalid.value = 0
        self.dut.m_axis_tready.value = 0
        for _ in range(cycles):
            await RisingEdge(self.dut.aclk)
            self.cycle += 1
        self.dut.aresetn.value = 1
        self.held = None


async def abandon(stream: Stream, words: list[int], cycles: int) -> int:
    """Feed the design for some cycles, then reset it; return how many clocks after it a stale result was offered."""
    dut = stream.dut
    for k in range(cycles):
        dut.s_axis_tvalid.value = 1
        dut.s_axis_tdata.value = words[k % len(words)]
        dut.m_axis_tready.value = 0
        await RisingEdge(dut.aclk)
        stream.cycle += 1
    await stream.reset()
    stale = 0
    for _ in range(cycles):
        await RisingEdge(dut.aclk)
        stream.cycle += 1
        stale += int(dut.m_axis_tvalid.value)
    return stale


@cocotb.test()
async def streams(dut) -> None:
    """Back to back, then with stalls, then after a reset in mid-stream."""
    job = json.loads(Path(os.environ["FPGAQ_JOB"]).read_text())
    rng = random.Random(job["seed"])
    words = [int(w, 16) for w in job["words"]]
    lasts = [rng.randrange(2) for _ in words]
    cocotb.start_soon(Clock(dut.aclk, 10, unit="ns").start())
    stream = Stream(dut, job["probes"])
    await stream.reset()
    result = {"stream": await stream.run(words, lasts, 0.0, 0.0, rng)}
    some = words[: job["stalled_samples"]]
    if some:
        result["stalled"] = await stream.run(some, lasts[: len(some)], 0.4, 0.4, rng)
        result["stale"] = await abandon(stream, some, job["reset_after"])
        result["after_reset"] = await stream.run(some, lasts[: len(some)], 0.2, 0.2, rng)
    target = Path(job["result"])
    partial = target.with_suffix(".part")
    partial.write_text(json.dumps(result))
    partial.rename(target)
