"""Many designs in one Verilator build: a generated top feeds them all from one stream and shows every output.

Each cycle offers every design the same new word (its low bits); a design takes it when its own tready is high. What
each design took, and what it gave, is found in the trace afterwards, so one run serves any mix of latencies and
initiation intervals, with stalls and resets.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fpgaq.ir import Graph, IntArray, golden
from fpgaq.rtl.hardware import Hardware, make_hardware
from fpgaq.synth import simulate

INPUTS = ("aresetn", "s_valid", "s_last", "s_data", "m_ready")
_SIGNALS = ("s_ready", "m_valid", "m_last", "m_data")

Cycle = dict[str, int]


@dataclass(frozen=True)
class Transfer:
    """One word at a port of a design: when, what, and its tlast."""

    cycle: int
    word: int
    last: int


@dataclass(frozen=True)
class Trace:
    """What one design took and gave between two resets.

    `waiting` is what it offered while its consumer was not ready, as (cycle, word, last).
    """

    taken: list[Transfer]
    given: list[Transfer]
    waiting: list[Transfer]


class Batch:
    """Designs simulated together.

    Parameters
    ----------
    graphs : sequence of Graph
        Chains with different names.
    folder : Path
        For sources and the compiled model.
    clock_period : float
        In ns.
    family : str
    """

    def __init__(self, graphs: Sequence[Graph], folder: Path, clock_period: float = 5.0, family: str = "xc7") -> None:
        self.hardware = {g.name: make_hardware(g, clock_period, family) for g in graphs}
        self.folder = folder
        found = {path.name: path for h in self.hardware.values() for path in h.write(folder / "rtl")}
        self.sources = [*found.values(), self._top(folder / "batch.sv")]

    def _top(self, path: Path) -> Path:
        bits = max(_word_bits(h) for h in self.hardware.values())
        ports = ["input logic clk, aresetn, s_valid, s_last, m_ready", f"input logic [{bits - 1}:0] s_data"]
        body = []
        for name, h in self.hardware.items():
            out = 8 * h.outputs[0].bytes
            ports += [f"output logic {name}_s_ready, {name}_m_valid, {name}_m_last"]
            ports += [f"output logic [{out - 1}:0] {name}_m_data"]
            body.append(
                f"  {name} u_{name} (.aclk(clk), .aresetn, .s_axis_tvalid(s_valid), .s_axis_tready({name}_s_ready), "
                f".s_axis_tlast(s_last), .s_axis_tdata(s_data[{_word_bits(h) - 1}:0]), "
                f".m_axis_tvalid({name}_m_valid), .m_axis_tready(m_ready), .m_axis_tlast({name}_m_last), "
                f".m_axis_tdata({name}_m_data));"
            )
        path.write_text("\n".join(["module batch (", "  " + ",\n  ".join(ports), ");", *body, "endmodule", ""]))
        return path

    def run(self, cycles: Sequence[Cycle]) -> dict[str, list[Trace]]:
        """Simulate; return for every design one trace per stretch between resets."""
        outputs = [f"{name}_{signal}" for name in self.hardware for signal in _SIGNALS]
        work = self.folder / "sim"
        rows = simulate(self.sources, "batch", cycles, inputs=INPUTS, outputs=outputs, work=work, clock="clk")
        return {name: _traces(name, h, cycles, rows) for name, h in self.hardware.items()}

    def stimulus(self, seed: int, words: Sequence[int] = ()) -> list[Cycle]:
        """Reset, full speed, random stalls, a reset in mid-stream with the output blocked, full speed, stalls.

        `words` come first in every stretch, random ones follow.
        """
        rng = random.Random(seed)
        bits = max(_word_bits(h) for h in self.hardware.values())
        length = 4 * max(h.latency + 3 * h.ii for h in self.hardware.values()) + 40
        cycles: list[Cycle] = []

        def stretch(count: int, valid: float, ready: float) -> None:
            for k in range(count):
                data = words[k] if k < len(words) else rng.getrandbits(bits)
                on = {"s_valid": int(rng.random() < valid), "m_ready": int(rng.random() < ready)}
                cycles.append({"aresetn": 1, "s_last": rng.getrandbits(1), "s_data": data, **on})

        def reset() -> None:
            for _ in range(3):
                cycles.append({"aresetn": 0, "s_valid": 1, "s_last": 1, "s_data": rng.getrandbits(bits), "m_ready": 0})

        reset()
        stretch(max(length, len(words)), 1.0, 1.0)
        stretch(2 * length, 0.6, 0.6)
        stretch(length, 1.0, 0.0)
        reset()
        stretch(length, 1.0, 1.0)
        stretch(2 * length, 0.8, 0.3)
        stretch(length, 0.3, 0.8)
        return cycles


def _word_bits(h: Hardware) -> int:
    return 8 * h.inputs[0].bytes


def _traces(name: str, h: Hardware, cycles: Sequence[Cycle], rows: Sequence[Cycle]) -> list[Trace]:
    traces: list[Trace] = []
    before = False
    for k, (cycle, row) in enumerate(zip(cycles, rows, strict=True)):
        if not cycle["aresetn"]:
            before = True
            continue
        if before:
            traces.append(Trace([], [], []))
            before = False
        trace = traces[-1]
        if cycle["s_valid"] and row[f"{name}_s_ready"]:
            word = cycle["s_data"] & ((1 << _word_bits(h)) - 1)
            trace.taken.append(Transfer(k, word, cycle["s_last"]))
        if row[f"{name}_m_valid"]:
            seen = Transfer(k, row[f"{name}_m_data"], row[f"{name}_m_last"])
            (trace.given if cycle["m_ready"] else trace.waiting).append(seen)
    return traces


def codes(h: Hardware, words: Sequence[int]) -> IntArray:
    """Input words as codes shaped like the input."""
    (end,) = h.inputs
    return end.unpack(words).reshape(-1, *end.operand.shape)


def results(h: Hardware, words: Sequence[int]) -> IntArray:
    """Output words as codes."""
    (end,) = h.outputs
    return end.unpack(words)


def check(graph: Graph, h: Hardware, traces: Sequence[Trace]) -> None:
    """Values, order, tlast, protocol, latency and II of one design, in every stretch between resets."""
    for trace in traces:
        label = (graph.name, str(graph))
        given = len(trace.given)
        assert len(trace.taken) - given <= h.latency + 2, label  # nothing is lost, what is missing is under way
        want = golden.run(graph, [codes(h, [t.word for t in trace.taken])])[0][:given].reshape(given, -1)
        got = results(h, [t.word for t in trace.given])
        assert np.array_equal(got, want), (*label, first_difference(got, want))
        assert [t.last for t in trace.given] == [t.last for t in trace.taken[:given]], label
        assert_held(trace)
        delays = {g.cycle - t.cycle for t, g in zip(trace.taken[:1], trace.given[:1], strict=True)}
        assert delays == {h.latency}, label
        # Full speed until the first stall.
        gaps = np.diff([t.cycle for t in trace.given[:4]])
        assert set(gaps.tolist()) == {h.ii}, label


def first_difference(got: IntArray, want: IntArray) -> str:
    """Say where two arrays differ first."""
    if got.shape != want.shape:
        return f"shapes {got.shape} and {want.shape}"
    row, column = (int(a[0]) for a in np.nonzero(got != want))
    return f"vector {row}, element {column}: got {got[row, column]}, want {want[row, column]}"


def assert_held(trace: Trace) -> None:
    """What is offered stays as it is until it is taken."""
    offers = sorted([*((t, False) for t in trace.waiting), *((t, True) for t in trace.given)], key=lambda o: o[0].cycle)
    for (a, taken), (b, _) in itertools.pairwise(offers):
        if not taken:
            assert b.cycle == a.cycle + 1, f"the word offered in cycle {a.cycle} was withdrawn"
            assert (a.word, a.last) == (b.word, b.last), f"the word offered in cycle {a.cycle} changed"
