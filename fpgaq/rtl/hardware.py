"""The hardware of a whole design: layers with their schedules, how they are connected, files and predictions."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fpgaq import resources
from fpgaq.errors import ConfigError, ModelError
from fpgaq.ir import activity
from fpgaq.ir.graph import Graph
from fpgaq.ir.passes import optimize
from fpgaq.ir.types import IntArray
from fpgaq.rtl.dataflow import Block, Dataflow
from fpgaq.rtl.delays import MODELS
from fpgaq.rtl.fifo_depths import with_fifos
from fpgaq.rtl.frames import beats
from fpgaq.rtl.gated_engine import GatedEngine
from fpgaq.rtl.layer_blocks import BlockMaker
from fpgaq.rtl.stages import streams
from fpgaq.rtl.timetable import Pace, Timetable, paces, timetable
from fpgaq.rtl.top import Endpoint, top_module
from fpgaq.rtl.verilog import Module, identifiers


@dataclass(frozen=True)
class Hardware:
    """A design as SystemVerilog.

    Parameters
    ----------
    graph : Graph
    clock_period : float
        Clock target in ns.
    family : str
        FPGA family, for the delay model and the kind of adders.
    """

    graph: Graph
    clock_period: float
    family: str

    @cached_property
    def blocks(self) -> list[Block]:
        """The modules, in topological order."""
        return BlockMaker(self.optimized, self.clock_period, self.family).blocks()

    @cached_property
    def optimized(self) -> Graph:
        """The graph that is built: the same outputs, without what the hardware does not need."""
        return optimize(self.graph)

    @cached_property
    def flow(self) -> Dataflow:
        """How the modules are connected."""
        made = streams(self.optimized)
        frames = {node.name: beats(self.optimized, node.name) for node in self.optimized.inputs}
        sources = {
            node.name: node.type.width * math.prod(node.shape) // frames[node.name] for node in self.optimized.inputs
        }
        flow = Dataflow(sources, self.blocks, tuple(made[output] for output in self.graph.outputs), frames)
        return with_fifos(flow) if flow.has_frames else flow

    @cached_property
    def inputs(self) -> list[Endpoint]:
        """The AXI-Stream inputs, in the order of the graph's."""
        nodes = [node.name for node in self.graph.inputs]
        return [
            Endpoint(
                node, prefix, node, self.graph.operand(node), self.graph.nodes[node].type.width, self.flow.beats[node]
            )
            for node, prefix in zip(nodes, self._prefixes("s_axis", nodes), strict=True)
        ]

    @cached_property
    def outputs(self) -> list[Endpoint]:
        """The AXI-Stream outputs, in the order of the graph's."""
        nodes = self.graph.outputs
        return [
            Endpoint(node, prefix, stream, operand, self.flow.bits[stream] * beats // operand.bounds.lo.size, beats)
            for node, prefix, stream in zip(nodes, self._prefixes("m_axis", nodes), self.flow.sinks, strict=True)
            for operand, beats in [(self.graph.operand(node), self.flow.beats[stream])]
        ]

    def _prefixes(self, side: str, nodes: Sequence[str]) -> list[str]:
        """Return the names of ports: the layer's where there are several."""
        return [side] if len(nodes) == 1 else identifiers(f"{side}_{self.graph.nodes[node].layer}" for node in nodes)

    def timetable(self, inputs: Sequence[IntArray]) -> Timetable | None:
        """Return when every beat of the results leaves; None where all vectors take latency and II of their layers.

        It is told where it depends on the vectors, and where they come and go as frames of several beats.

        Parameters
        ----------
        inputs : sequence of int array
            As of `fpgaq.ir.golden.trace`.
        """
        if not self.has_varying_cycles and not self.flow.has_frames:
            return None
        gates = activity.open_gates(self.optimized, inputs)
        cycles = {stream: engine.cycles(gates[engine.matrix.name]) for stream, engine in self._engines.items()}
        return timetable(self.flow, {s: c.tolist() for s, c in cycles.items()}, len(inputs[0]))

    @property
    def _engines(self) -> dict[str, GatedEngine]:
        return {b.output: b.hardware for b in self.blocks if isinstance(b.hardware, GatedEngine)}

    @property
    def has_varying_cycles(self) -> bool:
        """Whether cycles depend on what is in the vectors."""
        return bool(self._engines)

    @cached_property
    def paces(self) -> list[Pace]:
        """Latency and II of every output, without stalls; at most so many cycles where they depend on the vectors."""
        if not self.flow.has_frames:
            return [
                Pace(*(figures[s] for figures in (f.latency, f.latency, f.ii))) for f in [self.flow] for s in f.sinks
            ]
        return paces(self.flow)

    @property
    def latency(self) -> int:
        """Cycles from the first beat accepted to the last one of the last output, without stalls; at most so many."""
        return max(pace.last for pace in self.paces)

    @property
    def ii(self) -> int:
        """Cycles between vectors or frames; at most so many."""
        return max(pace.ii for pace in self.paces)

    def modules(self) -> Mapping[str, Module]:
        """Return the generated modules by name, the top last; each goes into a file of its own."""
        modules: dict[str, Module] = {}
        library = {path.stem for path in resources.rtl_library().glob("*.sv")}
        for module in [*(m for block in self.blocks for m in block.hardware.modules()), self.top()]:
            if module.name in modules or module.name in library:
                raise ModelError(
                    f"design {self.graph.name!r}: two modules are called {module.name!r}; rename the design or a layer"
                )
            modules[module.name] = module
        return modules

    def top(self) -> Module:
        """Return the AXI-Stream top."""
        pixels = self.flow.has_frames
        beat = "one vector or pixel" if pixels else "one vector"
        comment = [f"{self.graph.name}: AXI-Stream, {beat} a beat, element 0 in the low bits, padded to bytes."]
        along = "" if pixels else "; tlast travels along"
        for what, ends, more in (("Input ", self.inputs, along), ("Output", self.outputs, "")):
            for end in ends:
                port = f" at {end.prefix}" if len(ends) > 1 else ""
                frame = f" a beat, {end.beats} beats" if pixels else ""
                comment.append(f"{what}  {end.count} x {end.operand.type} in {end.bytes} bytes{frame}{port}{more}.")
        if pixels:
            comment.append("tlast comes with the last beat of a frame, and must do so at the inputs.")
        for end, pace in zip(self.outputs, self.paces, strict=True):
            port = f" at {end.prefix}" if len(self.outputs) > 1 else ""
            complete = f", {pace.last} to the last beat" if pixels else ""
            comment.append(f"Latency {pace.first} cycles{complete}, II {pace.ii}{port}, without stalls.")
        return top_module(self.graph.name, comment, self.flow, self.inputs, self.outputs)

    def write(self, folder: Path) -> list[Path]:
        """Write library blocks and generated modules; return all source files, the top last."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        generated = self.modules()
        texts = {name: str(module) for name, module in generated.items()}
        written += [Path(shutil.copy(block, folder / block.name)) for block in library_blocks(texts.values())]
        for name, text in texts.items():
            path = folder / f"{name}.sv"
            path.write_text(text)
            written.append(path)
        return written


def library_blocks(texts: Iterable[str]) -> list[Path]:
    """Return the library blocks that are instantiated, also by other library blocks."""
    library = {path.stem: path for path in sorted(resources.rtl_library().glob("*.sv"))}
    pending, found = list(texts), set()
    while pending:
        text = pending.pop()
        for name, path in library.items():
            if name not in found and re.search(rf"\b{name}\s+(#\s*\(|\w+\s*\()", text):
                found.add(name)
                pending.append(path.read_text())
    return [path for name, path in library.items() if name in found]


def make_hardware(graph: Graph, clock_period: float, family: str) -> Hardware:
    """Return the hardware of a graph.

    Raises
    ------
    ConfigError
        If the FPGA family has no delay model.
    """
    if family not in MODELS:
        raise ConfigError(f"FPGA family {family!r} is unknown; known are {', '.join(MODELS)}")
    return Hardware(graph, clock_period, family)
