"""Gated matrices with a reuse factor: values, cycles of every vector, the counter of updates; planted faults."""

from __future__ import annotations

import dataclasses
import itertools
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from batches import Batch, Trace, assert_held, codes, first_difference, results
from hypothesis import given, settings
from hypothesis import strategies as st
from random_layers import KINDS, Chain

from fpgaq import resources, toolchain
from fpgaq.ir import FixedType, Graph, IntArray, Overflow, Rounding, activity, golden
from fpgaq.ir.ops import GatedMatMul
from fpgaq.rtl.gated_engine import GatedEngine
from fpgaq.rtl.gated_schedule import gated_schedule, legal_reuse
from fpgaq.rtl.hardware import Hardware, make_hardware
from fpgaq.rtl.verilog import Module, Port
from fpgaq.rtl.words import pack, unpack
from fpgaq.synth import simulate

#: Its fixtures compile: once, on one worker.
pytestmark = pytest.mark.xdist_group("gated engine")


def chain(name: str, shape: tuple[int, int], bits: int, low_bits: int, kind: str, reuse: int, seed: int) -> Chain:
    return Chain(name, shape[0], FixedType(bits, 1, False), seed).gated(shape[1], kind, 4, low_bits, reuse)


def engine(graph: Graph) -> GatedEngine:
    return next(b.hardware for b in make_hardware(graph, 5.0, "xc7").blocks if isinstance(b.hardware, GatedEngine))


def fields(word: int, width: int, count: int) -> list[int]:
    raw = [(word >> (k * width)) & ((1 << width) - 1) for k in range(count)]
    return [f - (1 << width) if f >> (width - 1) else f for f in raw]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(KINDS), st.integers(1, 5), st.integers(0, 999))
def test_roms_and_schedule_are_the_matrix(n_in: int, n_out: int, kind: str, low_bits: int, seed: int) -> None:
    """Every legal reuse factor: the multipliers it says, all weights once, thresholds that decide as the real ones."""
    for reuse in legal_reuse(n_in, n_out)[1:]:
        graph = chain("net", (n_in, n_out), 4, low_bits, kind, reuse, seed).graph
        layer = engine(graph)
        plan = gated_schedule(n_in, n_out, reuse)
        assert plan.inputs * plan.lanes * reuse == n_in * n_out
        assert plan.beats * plan.groups == reuse
        for lane in range(plan.lanes):
            words = [fields(w, layer.weight_width, plan.inputs) for w in layer.weight_words(lane)]
            columns = np.array(words).reshape(plan.groups, n_in)
            assert np.array_equal(columns, layer.matrix.weight.T[lane :: plan.lanes])
        found = [fields(w, layer.sum_width, plan.lanes) for w in layer.threshold_words()]
        x = np.random.default_rng(seed).integers(0, 16, (30, n_in))
        gates = (x >> low_bits) @ layer.matrix.weight > np.array(found).reshape(-1)
        assert np.array_equal(gates, layer.matrix.open_gates(x))
        pipeline = layer.latency - layer.ii
        assert layer.least_ii == reuse + pipeline
        assert layer.ii == 2 * reuse + pipeline


#: shape, bits, low bits, weights, reuse: one and several lanes, one and several cycles an output, one output a lane
CONFIGURATIONS = [
    ((8, 5), 4, 2, "dense", 5),
    ((5, 4), 3, 1, "ternary", 20),
    ((8, 6), 4, 2, "dense", 2),
    ((6, 4), 5, 7, "dense", 4),
    ((4, 8), 4, 2, "sparse", 32),
    ((9, 3), 6, 3, "dense", 9),
    ((1, 2), 2, 1, "dense", 2),
]


def graphs(sequential: bool) -> list[Graph]:
    found = []
    for k, (shape, bits, low_bits, kind, reuse) in enumerate(CONFIGURATIONS):
        made = chain(f"{'s' if sequential else 'p'}{k}", shape, bits, low_bits, kind, reuse if sequential else 1, k)
        if k % 2 == 0:
            made.relu().requantize(4, False, 2, Rounding.RND_CONV, Overflow.SAT)
        if k == 2:  # results wait between two engines that take longer in turn
            made.gated(3, "dense", 4, 2, 6 if sequential else 1)
        found.append(made.graph)
    return found


def check(graph: Graph, hardware: Hardware, traces: list[Trace]) -> list[int]:
    """Values, order, tlast and protocol in every stretch; until it stalls, each result in the predicted cycle.

    Returns how many results of each stretch were in time.
    """
    punctual = []
    for trace in traces:
        x, given = codes(hardware, [t.word for t in trace.taken]), len(trace.given)
        want = golden.run(graph, [x])[0][:given].reshape(given, -1)
        got = results(hardware, [t.word for t in trace.given])
        assert np.array_equal(got, want), (graph.name, first_difference(got, want))
        assert [t.last for t in trace.given] == [t.last for t in trace.taken[:given]]
        assert_held(trace)
        table = hardware.timetable([x])
        assert table is not None
        pairs = zip(trace.given, table.sinks[0], strict=False)
        late = (k for k, (t, clock) in enumerate(pairs) if t.cycle - trace.taken[0].cycle != clock)
        punctual.append(next(late, given))
    return punctual


@pytest.mark.slow
def test_sequential_equals_parallel_equals_golden(tmp_path: Path) -> None:
    """With stalls and a reset in mid-stream; at full speed every vector takes the cycles predicted for it."""
    found, parallel = graphs(True), graphs(False)
    batch = Batch([*found, *parallel], tmp_path)
    toolchain.lint(batch.sources, "batch")
    traces = batch.run(batch.stimulus(3))
    for one, other in zip(found, parallel, strict=True):
        hardware = batch.hardware[one.name]
        assert min(check(one, hardware, traces[one.name])) > 10
        assert hardware.ii > batch.hardware[other.name].ii == 1
        assert batch.hardware[other.name].timetable([np.zeros((1, *one.inputs[0].shape), np.int64)]) is None
        known = {t.word: g.word for s in traces[other.name] for t, g in zip(s.taken, s.given, strict=False)}
        common = [
            (g.word, known[t.word])
            for s in traces[one.name]
            for t, g in zip(s.taken, s.given, strict=False)
            if t.word in known
        ]
        assert len(common) > 10
        assert all(a == b for a, b in common)


# --- engines alone, with their counters; sound ones and broken ones in one build --------------------------------------

FAULTS = {
    "off_by_one": ("sum > threshold", "sum >= threshold"),
    "skipped_counted": ("if (active[l] & done & update)", "if (done & update)"),  # lanes that have nothing to do, too
    "taken_twice": ("if (choose & first[g])", "if (choose & first[g] & update)"),
    "early": ("waited == DRAIN_W'(DRAIN - 1)", "waited == DRAIN_W'(DRAIN - 2)"),  # before the last gate is known
}
TWO_LANES = ((6, 6), 4, 2, "dense", 3)
SOUND = {"two_lanes": TWO_LANES, "two_beats": ((8, 3), 6, 3, "dense", 12), "one_output": ((4, 1), 4, 2, "dense", 4)}


def even(graph: Graph) -> Graph:
    """Thresholds that predictions meet often, on both sides and exactly."""
    node = next(n for n in graph.nodes.values() if isinstance(n, GatedMatMul))
    x = np.random.default_rng(0).integers(0, 16, (99, node.n_in))
    middle = np.sort((x >> node.low_bits) @ node.weight, axis=0)[50]
    wide = dataclasses.replace(node, thresholds=middle, type=FixedType(24, node.type.frac, True))
    return Graph(graph.name, [graph.inputs[0], wide], (wide.name,))


@dataclass(frozen=True)
class Seen:
    """What an engine took, and what it gave with which count, each with its clock, between two resets."""

    taken: list[tuple[int, int]]
    given: list[tuple[int, int, int]]


class Alone:
    """Engines side by side, their counters as ports, under random stalls and with a reset in mid-frame."""

    def __init__(self, folder: Path) -> None:
        library = resources.rtl_library()
        texts = {name: (library / f"{name}.sv").read_text() for name in ("gated_engine", "table_bit")}
        for name, (pattern, replacement) in FAULTS.items():
            assert pattern in texts["gated_engine"]
            broken = texts["gated_engine"].replace(pattern, replacement)
            texts[f"gated_engine_{name}"] = broken.replace("module gated_engine", f"module gated_engine_{name}")
        made = {name: even(chain(name, *SOUND.get(name, TWO_LANES), 5).graph) for name in (*SOUND, *FAULTS)}
        self.layers = {name: engine(graph) for name, graph in made.items()}
        for name, layer in self.layers.items():
            block = f"gated_engine_{name}" if name in FAULTS else "gated_engine"
            texts |= {m.name: str(m).replace("gated_engine #", f"{block} #") for m in self._modules(layer)}
        texts["alone"] = self._top()
        self.sources = [folder / f"{name}.sv" for name in texts]
        for path, text in zip(self.sources, texts.values(), strict=True):
            path.write_text(text)
        self.seen = self._run(folder / "sim")

    def _modules(self, layer: GatedEngine) -> list[Module]:
        *roms, module = layer.modules()
        body = [line for line in module.body if "public_flat_rd" not in line]
        assert len(body) == len(module.body) - 1
        updates = Port("output", "updates", layer.matrix.n_out.bit_length())
        return [*roms, Module(module.name, module.comment, [*module.ports, updates], body)]

    def _top(self) -> str:
        self.bits = max(layer.matrix.n_in * layer.source.type.width for layer in self.layers.values())
        ports = ["input logic clk, rst_n, in_valid, out_ready", f"input logic [{self.bits - 1}:0] in_data"]
        body = []
        for name, layer in self.layers.items():
            node, taken = layer.matrix, layer.matrix.n_in * layer.source.type.width
            ports += [f"output logic {name}_ready, {name}_valid, {name}_last"]
            ports += [f"output logic [{node.n_out * node.type.width - 1}:0] {name}_data"]
            ports += [f"output logic [{node.n_out.bit_length() - 1}:0] {name}_updates"]
            body.append(
                f"{layer.name} u_{name} (.clk, .rst_n, .in_valid, .in_ready({name}_ready), .in_last(1'b0), "
                f".in_data(in_data[{taken - 1}:0]), .out_valid({name}_valid), .out_ready, .out_last({name}_last), "
                f".out_data({name}_data), .updates({name}_updates));"
            )
        return "\n".join(["module alone (", ",\n".join(ports), ");", *body, "endmodule", ""])

    def _run(self, work: Path) -> dict[str, list[Seen]]:
        rng = random.Random(1)
        cycles: list[dict[str, int]] = []
        for part, (valid, ready) in enumerate([(1.0, 1.0), (0.7, 0.5), (1.0, 1.0), (0.2, 1.0)]):
            held = {"rst_n": 0, "in_valid": 1, "in_data": 0, "out_ready": 1}
            cycles += [held] * (2 if part % 2 == 0 else 0)
            for _ in range(1000):
                on = {"in_valid": int(rng.random() < valid), "out_ready": int(rng.random() < ready)}
                cycles.append({"rst_n": 1, "in_data": rng.getrandbits(self.bits), **on})
        outputs = [f"{name}_{s}" for name in self.layers for s in ("ready", "valid", "data", "updates")]
        inputs = ("rst_n", "in_valid", "in_data", "out_ready")
        rows = simulate(self.sources, "alone", cycles, inputs=inputs, outputs=outputs, work=work, clock="clk")
        seen: dict[str, list[Seen]] = {name: [] for name in self.layers}
        for (name, stretches), (k, (cycle, row)) in itertools.product(
            seen.items(), enumerate(zip(cycles, rows, strict=True))
        ):
            if not cycle["rst_n"]:
                stretches += [Seen([], [])] * (not stretches or bool(stretches[-1].taken))
                continue
            if cycle["in_valid"] and row[f"{name}_ready"]:
                stretches[-1].taken.append((k, cycle["in_data"]))
            if cycle["out_ready"] and row[f"{name}_valid"]:
                stretches[-1].given.append((k, row[f"{name}_data"], row[f"{name}_updates"]))
        return seen

    def check(self, name: str) -> None:
        """Compare with the operation itself: values, counts, and the least number of cycles in between."""
        layer = self.layers[name]
        node, type_ = layer.matrix, layer.source.type
        assert len(self.seen[name]) == 2
        for seen in self.seen[name]:
            assert len(seen.given) >= len(seen.taken) - 2 > 20, "lost"
            mask = (1 << node.n_in * type_.width) - 1
            words = [word & mask for _, word in seen.taken[: len(seen.given)]]
            x = unpack(words, type_, type_.width, node.n_in)
            gates = node.open_gates(x)
            assert [word for _, word, _ in seen.given] == pack(node.evaluate([x]), node.type), "values"
            assert [count for _, _, count in seen.given] == gates.sum(axis=1).tolist(), "updates"
            least = layer.cycles(gates) + layer.latency - layer.ii
            took = np.array([g[0] - t[0] for t, g in zip(seen.taken, seen.given, strict=False)])
            assert took[0] == least[0], "cycles"
            assert (took >= least).all(), "cycles"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    return Alone(tmp_path_factory.mktemp("alone"))


@pytest.mark.parametrize("name", SOUND)
def test_the_counter_says_how_many_outputs_were_updated(name: str, alone: Alone) -> None:
    alone.check(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [("off_by_one", "values"), ("skipped_counted", "updates"), ("taken_twice", "values"), ("early", "values|cycles")],
)
def test_planted_faults_are_found(name: str, message: str, alone: Alone) -> None:
    with pytest.raises(AssertionError, match=message):
        alone.check(name)


# --- predictions ------------------------------------------------------------------------------------------------------


def test_closed_gates_save_cycles() -> None:
    graph = even(chain("net", (32, 32), 4, 2, "dense", 64, 1).graph)
    hardware, x = make_hardware(graph, 5.0, "xc7"), np.random.default_rng(1).integers(0, 16, (50, 32))
    table = hardware.timetable([x])
    assert table is not None
    opened = activity.open_gates(graph, [x]).popitem()[1].sum(axis=1)
    layer = hardware.blocks[0].hardware
    assert isinstance(layer, GatedEngine)
    want: IntArray = layer.least_ii + 2 * opened
    assert table.gaps(0) == want[1:].tolist()  # the last one's own does not show, the first one's is in its latency
    assert table.latency(0) == want[0] + layer.latency - layer.ii
    assert layer.least_ii <= want.min() < want.max() <= hardware.ii


def test_a_reuse_factor_is_never_ignored() -> None:
    header = str(make_hardware(chain("net", (8, 4), 4, 2, "dense", 4, 1).graph, 5.0, "xc7").modules()["net_gated1"])
    assert "gated: reuse factor 4, 1 lanes x 8 inputs" in header
