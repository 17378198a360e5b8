"""The stage graph: latency, pace and FIFOs, predicted and measured, also where branches meet again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fpgaq import resources, toolchain
from fpgaq.cosim import Simulation
from fpgaq.cosim.verdict import Expected, find_trouble
from fpgaq.ir import FixedType
from fpgaq.ir.node import Bounds, Operand
from fpgaq.rtl.dataflow import Block, Dataflow, Edge
from fpgaq.rtl.timetable import timetable
from fpgaq.rtl.top import Endpoint, top_module
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, instance

BYTE = FixedType(8, 0, False)


@dataclass(frozen=True)
class Delay:
    """Adds one to every byte of its vector, after some cycles; a vector every `ii` cycles."""

    name: str
    latency: int
    ii: int
    count: int

    summary = "test"

    def modules(self) -> list[Module]:
        bits = 8 * self.count
        module = Module(self.name, [self.name], stream_ports(bits, bits))
        control = {"clk": "clk", "rst_n": "rst_n", "enable": "enable"}
        control |= {f"{side}_{s}": f"{side}_{s}" for side in ("in", "out") for s in ("valid", "ready", "last")}
        control |= {"in_valid": "in_valid & rested", "in_ready": "taking"}
        stages = [f"data_{k}" for k in range(1, self.latency + 1)]
        module.body = [
            f"logic enable, taking, rested; logic [7:0] rest; logic [{bits - 1}:0] data_0, {', '.join(stages)};",
            "assign rested = rest == 8'd0; assign in_ready = taking & rested;",
            "always_ff @(posedge clk) if (!rst_n) rest <= '0;",
            f"    else if (enable) rest <= in_valid & in_ready ? 8'd{self.ii - 1} : rested ? '0 : rest - 8'd1;",
            instance("pipeline_control", "control", control, {"STAGES": self.latency}),
            *(f"assign data_0[{8 * k}+:8] = in_data[{8 * k}+:8] + 8'd1;" for k in range(self.count)),
            f"always_ff @(posedge clk) if (enable) {{{', '.join(stages)}}}",
            f"    <= {{{', '.join(['data_0', *stages[:-1]])}}};",
            f"assign out_data = data_{self.latency};",
        ]
        return [module]


class Network:
    """Delays connected at will; `nodes` maps a stream to its latency, II and inputs."""

    def __init__(self, inputs: str, nodes: dict[str, tuple[int, int, str]], outputs: str) -> None:
        self.nodes = nodes
        count = dict.fromkeys(inputs.split(), 1)
        self.values = {name: (k,) for k, name in enumerate(inputs.split())}
        blocks = []
        for name, (latency, ii, read) in nodes.items():
            count[name] = sum(count[r] for r in read.split())
            blocks.append(
                Block(
                    Delay(f"d_{name}", latency, ii, count[name]), name, tuple(read.split()), name, 8, count[name], name
                )
            )
        self.flow = Dataflow(dict.fromkeys(inputs.split(), 8), blocks, tuple(outputs.split()))
        self.inputs = [self._end(f"s_axis_{n}", n, count[n]) for n in inputs.split()]
        self.outputs = [self._end(f"m_axis_{k}_{n}", n, count[n]) for k, n in enumerate(outputs.split())]

    def _end(self, prefix: str, stream: str, count: int) -> Endpoint:
        bounds = Bounds(np.zeros(count, np.int64), np.full(count, 255))
        return Endpoint(stream, prefix, stream, Operand(BYTE, bounds), 8)

    def write(self, folder: Path) -> list[Path]:
        modules = [m for block in self.flow.blocks for m in block.hardware.modules()]
        modules.append(top_module("network", ["test"], self.flow, self.inputs, self.outputs))
        for module in modules:
            (folder / f"{module.name}.sv").write_text(str(module))
        names = ("pipeline_control", "skid_buffer", "stream_fork", "stream_join", "stream_fifo")
        return [*(folder / f"{m.name}.sv" for m in modules), *(resources.rtl_library() / f"{n}.sv" for n in names)]

    def want(self, stream: str, x: dict[str, np.ndarray]) -> np.ndarray:
        if stream in x:
            return x[stream]
        parts = [self.want(r, x) for r in self.nodes[stream][2].split()]
        return (np.concatenate(parts, axis=1) + 1) % 256

    def run(self, folder: Path, samples: int = 80) -> object:
        """Simulate; return what is wrong."""
        rng = np.random.default_rng(4)
        x = {end.node: rng.integers(0, 256, (samples, 1)) for end in self.inputs}
        span = max(self.flow.latency.values()) + 3 * max(self.flow.ii.values()) + 20
        sources = self.write(folder)
        toolchain.lint(sources, "network")
        result = Simulation(sources, "network", folder / "sim").run(
            {end.prefix: end.pack(x[end.node]) for end in self.inputs},
            [end.prefix for end in self.outputs],
            seed=2,
            span=span,
        )
        expected = {
            end.prefix: Expected(
                end.pack(self.want(end.node, x)), self.flow.latency[end.stream], self.flow.ii[end.stream]
            )
            for end in self.outputs
        }
        clocks = dict(zip(expected, timetable(self.flow, {}, samples).sinks, strict=True))
        timed = {port: dataclasses.replace(want, clocks=clocks[port]) for port, want in expected.items()}
        return find_trouble(result, expected) or find_trouble(result, timed)


#: A residual path, a path around two of them, two inputs, and an inner stream that is an output as well.
NETWORKS = {
    "residual": Network("x", {"a": (2, 1, "x"), "b": (3, 1, "a"), "c": (1, 1, "b a")}, "c"),
    "nested": Network(
        "x", {"a": (1, 1, "x"), "b": (4, 1, "a"), "c": (1, 1, "b a"), "d": (2, 1, "c"), "e": (1, 1, "x d c")}, "e c"
    ),
    "two inputs": Network("x y", {"a": (5, 1, "x"), "b": (1, 1, "a y"), "c": (2, 1, "y")}, "b c"),
    "slow branch": Network("x", {"a": (1, 1, "x"), "b": (6, 4, "a"), "c": (1, 1, "b a"), "d": (3, 2, "a")}, "c d"),
    "slow join": Network("x", {"a": (7, 3, "x"), "b": (1, 1, "x"), "c": (2, 2, "a b x"), "d": (4, 5, "c")}, "d b"),
    "side by side": Network("x y", {"a": (2, 3, "x"), "b": (1, 1, "y")}, "a b"),
    "twice": Network("x", {"a": (2, 1, "x"), "b": (1, 1, "a a")}, "b a a"),
    "wire": Network("x", {"a": (3, 1, "x")}, "a x"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_and_values_hold(name: str, tmp_path: Path) -> None:
    """Stalls at all outputs and at one only, a reset in mid-stream, latency and II of every output, and every cycle."""
    assert NETWORKS[name].run(tmp_path) is None


def test_without_fifos_a_residual_path_is_slower(tmp_path: Path) -> None:
    """The FIFO is what keeps II 1; nothing is lost without it."""
    network = Network("x", {"a": (1, 1, "x"), "b": (5, 1, "a"), "c": (1, 1, "b a")}, "c")
    network.flow = dataclasses.replace(network.flow, depths={})
    trouble = network.run(tmp_path)
    assert "latency 7 and II" in str(trouble)
    assert "7 and 1 predicted" in str(trouble)


def test_fifos_are_as_deep_as_the_schedules_differ() -> None:
    flow = NETWORKS["nested"].flow
    assert dict(flow.latency) == {"x": 0, "a": 1, "b": 5, "c": 6, "d": 8, "e": 9}
    deep = {(e.stream, e.block): e.depth for e in flow.edges if e.depth}
    assert deep == {("a", 2): 5, ("x", 4): 9, ("c", 4): 3}
    assert [e for e in flow.edges if e.block is None] == [Edge("e", None, 0, 0), Edge("c", None, 1, 0)]


def test_what_belongs_to_one_input_alone_waits_outside() -> None:
    """An input that is late for a join needs no FIFO, unless something else reads what it is made of."""
    alone = Network("x y", {"a": (5, 1, "x"), "b": (1, 1, "y"), "c": (1, 1, "a b")}, "c").flow
    assert not any(e.depth for e in alone.edges)
    shown = Network("x y", {"a": (5, 1, "x"), "b": (1, 1, "y"), "c": (1, 1, "a b")}, "c b").flow
    assert {(e.stream, e.depth) for e in shown.edges if e.depth} == {("b", 5)}


def test_what_is_connected_goes_at_one_pace() -> None:
    assert set(NETWORKS["slow branch"].flow.ii.values()) == {4}
    assert dict(NETWORKS["side by side"].flow.ii) == {"x": 3, "a": 3, "y": 1, "b": 1}
    slow = {e.depth for e in NETWORKS["slow branch"].flow.edges if e.depth}
    assert slow == {3}  # six cycles are at most two vectors of four cycles
