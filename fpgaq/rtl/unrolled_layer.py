"""A layer with reuse factor 1: the datapath as a pipeline that takes one vector per clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fpgaq.ir.node import Node, Operand
from fpgaq.rtl.datapath import Datapath, Source, Sum
from fpgaq.rtl.delays import DelayModel
from fpgaq.rtl.emit_datapath import DatapathWriter
from fpgaq.rtl.pipeline import Schedule, schedule
from fpgaq.rtl.unroll import unroll
from fpgaq.rtl.verilog import Module, Port, instance


@dataclass(frozen=True)
class UnrolledLayer:
    """Hardware of a layer that accepts a vector every clock.

    Parameters
    ----------
    name : str
        Module name.
    nodes : sequence of Node
        What it computes.
    sources : sequence of Operand
        Vectors in, side by side.
    result : Operand
        Vector out.
    clock_period : float
        Clock target in ns.
    model : DelayModel
    adder_inputs : int
        3 where the device has three-input adders.
    half : int
        Rounding constant that the input vector already contains.
    """

    name: str
    nodes: Sequence[Node]
    sources: Sequence[Operand]
    result: Operand
    clock_period: float
    model: DelayModel
    adder_inputs: int = 3
    half: int = 0

    @cached_property
    def path(self) -> Datapath:
        """The scalar operations."""
        return unroll(self.nodes, *self.sources, adder_inputs=self.adder_inputs, half=self.half)

    @cached_property
    def schedule(self) -> Schedule:
        """Where its registers are."""
        return schedule(self.path, self.clock_period * 1000, self.model)

    @property
    def latency(self) -> int:
        """Cycles from a vector accepted to its result."""
        return self.schedule.stages

    @property
    def ii(self) -> int:
        """Cycles between vectors."""
        return 1

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        adders = sum(isinstance(op, Sum) for op in self.path.ops)
        return f"unrolled: {adders} adders, {self.schedule.register_bits(self.path)} register bits"

    @property
    def in_widths(self) -> list[int]:
        """Bits of every element that comes in."""
        return [source.type.width for source in self.sources for _ in range(source.bounds.lo.size)]

    @property
    def _reads_less(self) -> bool:
        """Whether some bits of the input carry nothing."""
        elements = ((n, op.index) for n, op in enumerate(self.path.ops) if isinstance(op, Source))
        return any(self.path.width(n) < self.in_widths[index] for n, index in elements)

    def modules(self) -> list[Module]:
        """Return the modules, the layer itself last."""
        n_out, out_width = self.result.bounds.lo.size, self.result.type.width
        vectors = " and ".join(f"{source.bounds.lo.size} x {source.type}" for source in self.sources)
        module = Module(
            self.name,
            [
                f"{self.name}: {' -> '.join(f'{n.op} {n.name}' for n in self.nodes)}",
                f"Input   {vectors}, element 0 in the low bits.",
                f"Output  {n_out} x {self.result.type}.",
                f"Latency {self.latency} cycles, II 1. {self.summary}.",
            ],
            stream_ports(sum(self.in_widths), n_out * out_width, in_unused=self._reads_less),
        )
        control = {"clk": "clk", "rst_n": "rst_n", "enable": "enable"}
        control |= {f"{side}_{s}": f"{side}_{s}" for side in ("in", "out") for s in ("valid", "ready", "last")}
        body = DatapathWriter(self.path, self.schedule, "enable").body("in_data", self.in_widths, "out_data", out_width)
        module.body = [
            "// Bits below a rounding point and above a clamp are computed but not read; constants need no register.",
            "/* verilator lint_off UNUSEDSIGNAL */",
            "logic enable;",
            instance("pipeline_control", "control", control, {"STAGES": self.latency}),
            "",
            *body,
            "/* verilator lint_on UNUSEDSIGNAL */",
        ]
        return [module]


def stream_ports(in_bits: int, out_bits: int, *, in_unused: bool = False) -> list[Port]:
    """Return clock, reset and the two valid/ready streams of a layer.

    `in_unused` says that some bits of the input carry nothing, because the bounds of an element are narrower than its
    type.
    """
    return [
        Port("input", "clk"),
        Port("input", "rst_n"),
        Port("input", "in_valid"),
        Port("output", "in_ready"),
        Port("input", "in_last"),
        Port("input", "in_data", in_bits, unused=in_unused),
        Port("output", "out_valid"),
        Port("input", "out_ready"),
        Port("output", "out_last"),
        Port("output", "out_data", out_bits),
    ]
