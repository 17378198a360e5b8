"""The hardware of a whole design: layers with their schedules, the AXI-Stream top, files and predictions."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from fpgaq import resources
from fpgaq.errors import ConfigError, ModelError
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Bounds, Node, Operand, frozen_array
from fpgaq.ir.ops import ArgMax, Softmax
from fpgaq.ir.passes import optimize
from fpgaq.ir.types import FixedType
from fpgaq.rtl.argmax_layer import ArgMaxLayer
from fpgaq.rtl.delays import MODELS, adder_inputs
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.softmax_layer import SoftmaxLayer
from fpgaq.rtl.stages import Layer, split
from fpgaq.rtl.unroll import rounding_half
from fpgaq.rtl.unrolled_layer import UnrolledLayer
from fpgaq.rtl.verilog import Module, Port, instance


class LayerHardware(Protocol):
    """What every schedule of a layer offers."""

    @property
    def name(self) -> str: ...
    @property
    def latency(self) -> int: ...
    @property
    def ii(self) -> int: ...
    @property
    def summary(self) -> str: ...
    def modules(self) -> list[Module]: ...


@dataclass(frozen=True)
class Block:
    """One module of the chain, and what flows out of it.

    `probe` is the graph node whose codes its output vector holds, None inside a layer.
    """

    hardware: LayerHardware
    layer: str
    out_width: int
    out_count: int
    probe: str | None


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
        """The chain of modules."""
        return [block for layer in split(self.optimized) for block in self._blocks(layer)]

    @cached_property
    def optimized(self) -> Graph:
        """The graph that is built: the same outputs, without what the hardware does not need."""
        return optimize(self.graph)

    def _blocks(self, layer: Layer) -> list[Block]:
        width, count = layer.result.type.width, layer.n_out
        matrix = layer.matrix
        if isinstance(layer.nodes[0], ArgMax):
            argmax = ArgMaxLayer(layer.name, layer.source, layer.result.type.width)
            return [Block(argmax, layer.nodes[0].layer, width, count, layer.output)]
        if isinstance(layer.nodes[0], Softmax):
            softmax = SoftmaxLayer(layer.name, layer.nodes[0], layer.source)
            return [Block(softmax, layer.nodes[0].layer, width, count, layer.output)]
        if matrix is None or matrix.reuse == 1:
            unrolled = self._unrolled(layer.name, layer.nodes, layer.source, layer.result, 0)
            return [Block(unrolled, layer.nodes[0].layer, width, count, layer.output)]
        rest = layer.nodes[1:]
        half = rounding_half(layer.nodes, 0)
        folded = FoldedMatrix(f"{layer.name}_matrix" if rest else layer.name, matrix, layer.source, half)
        acc = folded.result_type
        if not rest:
            return [Block(folded, matrix.layer, acc.width, matrix.n_out, layer.output)]
        exact = matrix.infer([layer.source])
        shifted = Bounds(frozen_array(exact.lo + half), frozen_array(exact.hi + half))
        unrolled = self._unrolled(layer.name, rest, Operand(acc, shifted), layer.result, half)
        return [
            Block(folded, matrix.layer, acc.width, matrix.n_out, None),
            Block(unrolled, matrix.layer, width, count, layer.output),
        ]

    def _unrolled(self, name: str, nodes: Sequence[Node], source: Operand, result: Operand, half: int) -> UnrolledLayer:
        return UnrolledLayer(
            name,
            nodes,
            source,
            result,
            self.clock_period,
            MODELS[self.family],
            adder_inputs(self.family),
            half,
        )

    @property
    def latency(self) -> int:
        """Cycles from an input vector accepted to its result at the output, without stalls."""
        return sum(block.hardware.latency for block in self.blocks)

    @property
    def ii(self) -> int:
        """Cycles between vectors."""
        return max(block.hardware.ii for block in self.blocks)

    @property
    def source(self) -> Operand:
        """The input vector."""
        return self.graph.operand(self.graph.inputs[0].name)

    @property
    def result(self) -> Operand:
        """The output vector."""
        return self.graph.operand(self.graph.outputs[0])

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
        """Return the AXI-Stream top: the chain of layers, and a skid buffer that cuts the ready path."""
        in_bits, out_bits = _bits(self.source), self.blocks[-1].out_width * self.blocks[-1].out_count
        in_bytes, out_bytes = math.ceil(in_bits / 8), math.ceil(out_bits / 8)
        module = Module(
            self.graph.name,
            [
                f"{self.graph.name}: AXI-Stream, one vector a beat, element 0 in the low bits, padded to bytes.",
                f"Input   {self.source.bounds.lo.size} x {self.source.type} in {in_bytes} bytes; tlast travels along.",
                f"Output  {self.result.bounds.lo.size} x {self.result.type} in {out_bytes} bytes.",
                f"Latency {self.latency} cycles, II {self.ii}, without stalls.",
            ],
            [
                Port("input", "aclk"),
                Port("input", "aresetn"),
                Port("input", "s_axis_tvalid"),
                Port("output", "s_axis_tready"),
                Port("input", "s_axis_tlast"),
                Port("input", "s_axis_tdata", 8 * in_bytes, unused=in_bits < 8 * in_bytes),
                Port("output", "m_axis_tvalid"),
                Port("input", "m_axis_tready"),
                Port("output", "m_axis_tlast"),
                Port("output", "m_axis_tdata", 8 * out_bytes),
            ],
        )
        module.body = self._top_body(in_bits, out_bits, 8 * out_bytes)
        return module

    def _top_body(self, in_bits: int, out_bits: int, out_padded: int) -> list[str]:
        bits = [in_bits, *(b.out_width * b.out_count for b in self.blocks)]
        lines = []
        for k, width in enumerate(bits):
            lines.append(f"logic valid_{k}, ready_{k}, last_{k};")
            lines.append(f"logic [{width - 1}:0] data_{k};")
        lines += [
            "",
            "assign valid_0 = s_axis_tvalid;",
            "assign s_axis_tready = ready_0;",
            "assign last_0 = s_axis_tlast;",
            f"assign data_0 = s_axis_tdata[{in_bits - 1}:0];",
            "",
        ]
        for k, block in enumerate(self.blocks):
            ports = {"clk": "aclk", "rst_n": "aresetn"}
            for side, j in (("in", k), ("out", k + 1)):
                ports |= {f"{side}_{signal}": f"{signal}_{j}" for signal in ("valid", "ready", "last", "data")}
            lines.append(instance(block.hardware.name, f"u_{block.hardware.name}", ports))
        last = len(self.blocks)
        skid = {
            "clk": "aclk",
            "rst_n": "aresetn",
            "in_valid": f"valid_{last}",
            "in_ready": f"ready_{last}",
            "in_data": f"{{last_{last}, data_{last}}}",
            "out_valid": "m_axis_tvalid",
            "out_ready": "m_axis_tready",
            "out_data": "{m_axis_tlast, result}",
        }
        padding = f"{{{out_padded - out_bits}'d0, result}}" if out_padded > out_bits else "result"
        return [
            *lines,
            "",
            f"logic [{out_bits - 1}:0] result;",
            instance("skid_buffer", "output_skid", skid, {"WIDTH": out_bits + 1}),
            f"assign m_axis_tdata = {padding};",
        ]

    def write(self, folder: Path) -> list[Path]:
        """Write library blocks and generated modules; return all source files, the top last."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        generated = self.modules()
        texts = {name: str(module) for name, module in generated.items()}
        written += [Path(shutil.copy(block, folder / block.name)) for block in _library_blocks(texts.values())]
        for name, text in texts.items():
            path = folder / f"{name}.sv"
            path.write_text(text)
            written.append(path)
        return written


def _library_blocks(texts: Iterable[str]) -> list[Path]:
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


def _bits(operand: Operand) -> int:
    type_: FixedType = operand.type
    return type_.width * int(operand.bounds.lo.size)
