"""The text of scalar operations against the golden model, on every input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from random_layers import MODES, Chain, linear_first

from fpgaq import resources, toolchain
from fpgaq.ir import FixedType, Graph, IntArray, golden
from fpgaq.rtl.delays import MODELS
from fpgaq.rtl.emit_datapath import DatapathWriter
from fpgaq.rtl.pipeline import schedule
from fpgaq.rtl.unroll import unroll
from fpgaq.rtl.verilog import Module, Port
from fpgaq.rtl.words import pack, unpack
from fpgaq.synth import simulate


@dataclass
class Bank:
    """Small datapaths that read the same word, in one module each; their results lie side by side.

    With a clock this slow they have one stage, and a latency of one cycle.
    """

    graphs: list[Graph]

    def sources(self, folder: Path) -> list[Path]:
        paths, low = [], 0
        body = []
        for graph in self.graphs:
            module = self._module(graph)
            width = module.ports[-1].width
            body.append(f"{graph.name} u_{graph.name} (.clk, .x, .y(y[{low} +: {width}]));")
            low += width
            paths.append(folder / f"{graph.name}.sv")
            paths[-1].write_text(str(module))
        top = Module("bank", [], [Port("input", "clk"), Port("input", "x", self.bits), Port("output", "y", low)], body)
        (folder / "bank.sv").write_text(str(top))
        return [*paths, folder / "bank.sv", resources.rtl_library() / "add3.sv"]

    @property
    def bits(self) -> int:
        source = self.graphs[0].operand(self.graphs[0].inputs[0].name)
        return source.type.width * source.bounds.lo.size

    def _module(self, graph: Graph) -> Module:
        nodes, source = linear_first(graph)
        result = graph.operand(graph.outputs[0])
        path = unroll(nodes, source)
        plan = schedule(path, 1e6, MODELS["xc7"])
        assert plan.stages == 1
        out = result.type.width * result.bounds.lo.size
        inputs = [Port("input", "clk", unused=True), Port("input", "x", self.bits, unused=True)]
        body = DatapathWriter(path, plan, "1'b1").body(
            "x", [source.type.width] * source.bounds.lo.size, "y", result.type.width
        )
        quiet = ["/* verilator lint_off UNUSEDSIGNAL */", *body, "/* verilator lint_on UNUSEDSIGNAL */"]
        return Module(graph.name, str(graph).splitlines(), [*inputs, Port("output", "y", out)], quiet)

    def check(self, x: IntArray, folder: Path) -> None:
        """Compare every datapath with the golden model on the inputs."""
        source = self.graphs[0].inputs[0].type
        sources = self.sources(folder)
        words = pack(x, source)
        vectors = [{"x": w} for w in [*words, 0]]
        rows = simulate(sources, "bank", vectors, inputs=["x"], outputs=["y"], work=folder / "sim", clock="clk")
        found = [row["y"] for row in rows[1:]]
        low = 0
        for graph in self.graphs:
            result = graph.operand(graph.outputs[0])
            width, count = result.type.width, result.bounds.lo.size
            mask = (1 << width * count) - 1
            got = unpack([(word >> low) & mask for word in found], result.type, width, count)
            want = golden.run(graph, [x])[0]
            wrong = np.argwhere(got != want)
            assert not wrong.size, (str(graph), x[wrong[0, 0]], got[wrong[0, 0]], want[wrong[0, 0]])
            low += width * count
        toolchain.lint(sources, "bank")


@pytest.mark.slow
@pytest.mark.parametrize("signed", [False, True])
def test_every_cast_on_every_input(signed: bool, tmp_path: Path) -> None:
    """All modes; shifts in both directions and beyond the width; results narrower and wider than the operand."""
    type_ = FixedType(6, 3, signed)
    graphs = [
        Chain(f"cast{k}", 1, type_, 0).requantize(width, to_signed, drop, *mode).graph
        for k, (mode, drop, (width, to_signed)) in enumerate(
            (mode, drop, to)
            for mode in MODES
            for drop in (-1, 1, 3, 6, 8)
            for to in ((1, False), (2, True), (4, False), (8, True), (9, False))
        )
    ]
    codes = np.arange(type_.min, type_.max + 1)[:, None]
    Bank(graphs).check(codes, tmp_path)


def test_other_operations_on_every_pair(tmp_path: Path) -> None:
    """Rectifiers, clamps, staircases, scales and small sums, alone and one behind the other."""
    type_ = FixedType(4, 1, True)
    graphs = []
    for seed in range(12):

        def chain(name: str, seed: int = seed) -> Chain:
            return Chain(f"{name}{seed}", 2, type_, seed)

        mode = MODES[seed % len(MODES)]
        graphs += [
            chain("relu").relu().graph,
            chain("clip").clip().graph,
            chain("stair").stairs(1 + seed, 3).graph,
            chain("scale").affine("dense", 4).relu().graph,
            chain("sum").matmul(3, "dense", 4).clip().relu().graph,
            chain("steps").matmul(2, "ternary", 2).stairs(6, 2).graph,
            chain("fold").affine("negative", 3).clip().requantize(5, True, 1, *mode).graph,
            chain("narrow").clip().matmul(2, "dense", 3).relu().requantize(3, False, 2, *mode).graph,
        ]
    codes = np.stack(np.meshgrid(*[np.arange(-8, 8)] * 2), axis=-1).reshape(-1, 2)
    Bank(graphs).check(codes, tmp_path)


@pytest.mark.extended
def test_single_bits(tmp_path: Path) -> None:
    """One-bit types, signed ones too, through everything."""
    for signed in (False, True):
        type_ = FixedType(1, 0, signed)
        graphs = [
            Chain("bit_relu", 3, type_, 0).relu().graph,
            Chain("bit_sum", 3, type_, 1).matmul(4, "binary", 1).graph,
            Chain("bit_zero", 3, type_, 2).matmul(2, "zero", 1).relu().graph,
            Chain("bit_stair", 3, type_, 3).stairs(3, 1).graph,
            Chain("bit_clip", 3, type_, 4).clip(0, 0).graph,
        ]
        graphs += [
            Chain(f"bit_cast{k}", 3, type_, 5).requantize(width, to, drop, *mode).graph
            for k, (mode, drop, width, to) in enumerate(
                (mode, drop, width, to) for mode in MODES for drop in (0, 1) for width in (1, 3) for to in (False, True)
            )
        ]
        folder = tmp_path / str(signed)
        folder.mkdir()
        codes = np.stack(np.meshgrid(*[[type_.min, type_.max]] * 3), axis=-1).reshape(-1, 3)
        Bank(graphs).check(codes, folder)
