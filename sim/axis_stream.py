"""Bench for a design with AXI-Stream ports: stalls, exact latency, reset in mid-stream, surplus results.

The job is a JSON file named by FPGAQ_JOB; the observations go into another one. Comparing words with the golden model
is left to the caller, so that the bench knows nothing of the design. What it finds wrong with the protocol of an output
is an observation like any other: the simulation itself goes on.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge


class Source:
    """Drives one input, a step a clock."""

    def __init__(self, dut, prefix: str) -> None:
        self.valid, self.ready, self.last, self.data = (
            getattr(dut, f"{prefix}_t{signal}") for signal in ("valid", "ready", "last", "data")
        )
        self.begin([], [], 0.0)

    def begin(self, words: list[int], lasts: list[int], idle: float) -> None:
        """Take words to send; `idle` is the probability of a pause."""
        self.words, self.lasts, self.idle = words, lasts, idle
        self.offering = False
        self.accepted: list[int] = []

    @property
    def done(self) -> bool:
        """Whether every word was accepted."""
        return len(self.accepted) == len(self.words)

    def drive(self, rng: random.Random) -> None:
        """Offer the next word, or what is on offer still."""
        if not self.offering and not self.done and rng.random() >= self.idle:
            self.offering = True
            self.data.value = self.words[len(self.accepted)]
            self.last.value = self.lasts[len(self.accepted)]
        self.valid.value = int(self.offering)

    def observe(self, cycle: int) -> bool:
        """Note a transfer; say whether there was one."""
        moved = self.offering and bool(int(self.ready.value))
        if moved:
            self.accepted.append(cycle)
            self.offering = False
        return moved


class Sink:
    """Reads one output, a step a clock, and notes the first violation of its protocol."""

    def __init__(self, dut, prefix: str) -> None:
        self.prefix = prefix
        self.valid, self.ready, self.last, self.data = (
            getattr(dut, f"{prefix}_t{signal}") for signal in ("valid", "ready", "last", "data")
        )
        self.begin([], 0.0)

    def begin(self, lasts: list[int], stall: float) -> None:
        """Expect a result for every last; `stall` is the probability of not being ready."""
        self.lasts, self.stall = lasts, stall
        self.held: tuple[int, int] | None = None
        self.words: list[int] = []
        self.given_lasts: list[int] = []
        self.cycles: list[int] = []
        self.violation: dict | None = None

    @property
    def done(self) -> bool:
        """Whether every result came out."""
        return len(self.words) >= len(self.lasts)

    def drive(self, rng: random.Random, stalling: bool) -> None:
        """Choose whether to be ready."""
        self.taking = not stalling or rng.random() >= self.stall
        self.ready.value = int(self.taking)

    def observe(self, cycle: int) -> bool:
        """Note a transfer and check the protocol; say whether there was a transfer."""
        if not int(self.valid.value):
            if self.held is not None:
                self.violated(len(self.words), cycle, "tvalid was withdrawn before the transfer")
            self.held = None
            return False
        offered = (int(self.data.value), int(self.last.value))
        if self.held is not None and self.held[0] != offered[0]:
            self.violated(len(self.words), cycle, "tdata changed before the transfer")
        elif self.held not in (None, offered):
            self.violated(len(self.words), cycle, "tlast changed before the transfer")
        self.held = None if self.taking else offered
        if self.taking:
            self._take(cycle, *offered)
        return self.taking

    def _take(self, cycle: int, word: int, last: int) -> None:
        beat = len(self.words)
        if beat >= len(self.lasts):
            self.violated(beat, cycle, f"a surplus result: only {len(self.lasts)} vectors went in")
        self.words.append(word)
        self.given_lasts.append(last)
        self.cycles.append(cycle)

    def finish(self, cycle: int, patience: int) -> None:
        """Check what shows at the end only; a wrong tlast means something where nothing was lost or surplus."""
        if not self.done:
            self.violated(len(self.words), cycle, f"nothing came for {patience} cycles: a vector was lost")
        for beat, (got, want) in enumerate(zip(self.given_lasts, self.lasts, strict=False)):
            if got != want:
                self.violated(beat, self.cycles[beat], f"tlast is {got}, its vector came with {want}")

    def violated(self, beat: int, cycle: int, text: str) -> None:
        """Note the first violation: later ones are often consequences."""
        if self.violation is None:
            self.violation = {"port": self.prefix, "beat": beat, "cycle": cycle, "text": text}


class Bench:
    """All ports of the design, and taps on the streams inside it."""

    def __init__(self, dut, job: dict) -> None:
        self.dut = dut
        self.sources = {prefix: Source(dut, prefix) for prefix in job["inputs"]}
        self.sinks = {prefix: Sink(dut, prefix) for prefix in job["outputs"]}
        self.beats: dict[str, int] = job["beats"]
        self.span: int = job["span"]
        self.patience: int = job["patience"]
        self.taps = [{s: getattr(dut, f"{s}_{k}") for s in ("valid", "ready", "data")} for k in range(job["probes"])]
        self.cycle = 0

    async def run(self, inputs: dict[str, list[int]], lasts: list[int], how: dict, rng: random.Random) -> dict:
        """Send every word, wait for the results at every output, then look whether more come.

        `lasts` has the tlast of every sample. `how` holds the probability that a source pauses ("idle") and, by output,
        that a sink does ("stalls").
        """
        for prefix, source in self.sources.items():
            source.begin(inputs[prefix], self._at_ends(lasts, prefix), how["idle"])
        for prefix, sink in self.sinks.items():
            sink.begin(self._at_ends(lasts, prefix), how["stalls"][prefix])
        probed: list[list[int]] = [[] for _ in self.taps]
        waited = quiet = 0
        while waited < self.patience and quiet < self.span:
            done = all(end.done for end in (*self.sources.values(), *self.sinks.values()))
            moved = await self._step(rng, stalling=not done)
            waited = 0 if moved or done else waited + 1
            quiet += done
            for tap, record in zip(self.taps, probed, strict=True):
                if int(tap["valid"].value) and int(tap["ready"].value):
                    record.append(int(tap["data"].value))
        for source in self.sources.values():
            source.valid.value = 0
        for sink in self.sinks.values():
            sink.finish(self.cycle, self.patience)
        return self._observation(probed)

    def _at_ends(self, lasts: list[int], prefix: str) -> list[int]:
        """Return the tlast of every beat: that of its sample with the last one."""
        return [bit for last in lasts for bit in (*[0] * (self.beats[prefix] - 1), last)]

    async def _step(self, rng: random.Random, *, stalling: bool) -> bool:
        for source in self.sources.values():
            source.drive(rng)
        for sink in self.sinks.values():
            sink.drive(rng, stalling)
        await RisingEdge(self.dut.aclk)
        self.cycle += 1
        moved = [end.observe(self.cycle) for end in (*self.sources.values(), *self.sinks.values())]
        return any(moved)

    def _observation(self, probed: list[list[int]]) -> dict:
        violations = [sink.violation for sink in self.sinks.values() if sink.violation is not None]
        return {
            "words": {prefix: [format(w, "x") for w in sink.words] for prefix, sink in self.sinks.items()},
            "cycles": {prefix: sink.cycles for prefix, sink in self.sinks.items()},
            "accepted": {prefix: source.accepted for prefix, source in self.sources.items()},
            "violation": min(violations, key=lambda v: v["cycle"], default=None),
            "probes": [[format(w, "x") for w in record] for record in probed],
        }

    async def reset(self, cycles: int = 3) -> None:
        """Reset; nothing may be offered afterwards."""
        self.dut.aresetn.value = 0
        for source in self.sources.values():
            source.valid.value = 0
        for sink in self.sinks.values():
            sink.ready.value = 0
        await self._wait(cycles)
        self.dut.aresetn.value = 1

    async def _wait(self, cycles: int) -> None:
        for _ in range(cycles):
            await RisingEdge(self.dut.aclk)
            self.cycle += 1

    async def abandon(self, inputs: dict[str, list[int]]) -> int:
        """Fill the design, then reset it; return in how many clocks after it a stale result was offered."""
        for sink in self.sinks.values():
            sink.ready.value = 0
        for k in range(self.span):
            for prefix, source in self.sources.items():
                source.valid.value = 1
                source.data.value = inputs[prefix][k % len(inputs[prefix])]
            await self._wait(1)
        await self.reset()
        stale = 0
        for _ in range(self.span):
            await self._wait(1)
            stale += any(int(sink.valid.value) for sink in self.sinks.values())
        return stale


@cocotb.test()
async def streams(dut) -> None:
    """Every pass of the job in order, those that ask for it after a reset in mid-stream."""
    job = json.loads(Path(os.environ["FPGAQ_JOB"]).read_text())
    rng = random.Random(job["seed"])
    inputs = {prefix: [int(w, 16) for w in words] for prefix, words in job["inputs"].items()}
    samples = min(len(words) // job["beats"][prefix] for prefix, words in inputs.items())
    framed = max(job["beats"].values()) > 1  # the end of a frame is the end of a frame, whatever the input said
    lasts = [1 if framed else rng.randrange(2) for _ in range(samples)]
    cocotb.start_soon(Clock(dut.aclk, 10, unit="ns").start())
    bench = Bench(dut, job)
    await bench.reset()
    result: dict = {"passes": {}, "stale": 0}
    for how in job["passes"]:
        some = {prefix: words[: how["samples"] * job["beats"][prefix]] for prefix, words in inputs.items()}
        if how["after_reset"]:
            result["stale"] += await bench.abandon(some)
        result["passes"][how["name"]] = await bench.run(some, lasts[: how["samples"]], how, rng)
    target = Path(job["result"])
    partial = target.with_suffix(".part")
    partial.write_text(json.dumps(result))
    partial.rename(target)
