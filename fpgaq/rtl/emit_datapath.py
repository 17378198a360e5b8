"""A scheduled datapath as SystemVerilog: one line an operation, one register block a stage."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from fpgaq.ir.types import Rounding
from fpgaq.rtl import emit_staircase
from fpgaq.rtl.datapath import (
    Cast,
    Constant,
    Datapath,
    Larger,
    Limit,
    Lookup,
    Masked,
    Max0,
    Op,
    Probe,
    Product,
    Ref,
    Smaller,
    Source,
    Stair,
    Sum,
    interval_width,
)
from fpgaq.rtl.emit_adder import addition
from fpgaq.rtl.emit_cast import cast, clamp
from fpgaq.rtl.pipeline import Schedule
from fpgaq.rtl.signals import Signals
from fpgaq.rtl.verilog import constant, vector


@dataclass
class DatapathWriter:
    """Writes the body of one datapath.

    Parameters
    ----------
    path : Datapath
    schedule : Schedule
    enable : str
        Signal that lets the registers load.
    """

    path: Datapath
    schedule: Schedule
    enable: str
    _lines: list[list[str]] = field(default_factory=list)
    _unread: dict[int, int] = field(default_factory=dict)

    def body(self, in_data: str, in_widths: Sequence[int], out_data: str, out_width: int) -> list[str]:
        """Return declarations, logic and registers.

        Parameters
        ----------
        in_data, out_data : str
            Packed vectors, element 0 in the low bits.
        in_widths : sequence of int
            Bits of every element that comes in.
        out_width : int
            Bits of an element that leaves.
        """
        stages = self.schedule.stages
        outputs, lowest = len(self.path.outputs), list(itertools.accumulate(in_widths, initial=0))
        self._lines = [[] for _ in range(stages + 1)]
        self._unread = unread_bits(self.path)
        for n, op in enumerate(self.path.ops):
            if isinstance(op, Source):
                low = lowest[op.index]
                high = low + self.path.width(n) - 1
                # One element of one bit is no vector.
                text = in_data if lowest[-1] == 1 else f"{in_data}[{high}:{low}]"
                self._lines[0].append(f"assign {self._signals.name(n)} = {text};")
            elif not isinstance(op, Constant):
                self._emit(n, op)
        for j, ref in enumerate(self.path.outputs):
            text = self._signals.bits(ref, out_width, 0, stages)
            target = out_data if outputs * out_width == 1 else f"{out_data}[{j * out_width} +: {out_width}]"
            self._lines[stages].append(f"assign {target} = {text};")
        registers = [self._registers(stage) for stage in range(stages)]
        return [*self._declarations(), "", *self._stage_text(registers)]

    def _stage_text(self, registers: list[list[str]]) -> list[str]:
        text: list[str] = []
        for stage, lines in enumerate(self._lines):
            title = f"// stage {stage}" if stage < self.schedule.stages else "// results"
            text += [title, *lines, *(registers[stage] if stage < len(registers) else []), ""]
        return text[:-1]

    def _declarations(self) -> list[str]:
        lines = []
        for n, op in enumerate(self.path.ops):
            if isinstance(op, Constant):
                continue
            width = self.path.width(n)
            for stage in range(self.schedule.stage[n], self.schedule.last_use[n] + 1):
                name = self._signals.name(n, stage)
                lines.append(f"logic {vector(width)}{name};")
        return lines

    def _registers(self, stage: int) -> list[str]:
        moves = [
            f"        {self._signals.name(n, stage + 1)} <= {self._signals.name(n, stage)};"
            for n, op in enumerate(self.path.ops)
            if not isinstance(op, Constant) and self.schedule.stage[n] <= stage < self.schedule.last_use[n]
        ]
        if not moves:
            return []
        return ["always_ff @(posedge clk) begin", f"    if ({self.enable}) begin", *moves, "    end", "end"]

    def _emit(self, node: int, op: Op) -> None:
        stage = self.schedule.stage[node]
        lines = self._lines[stage]
        if isinstance(op, Sum):
            lines += addition(self._signals, node, op.adder, stage, self._unread.get(node, 0))
        elif isinstance(op, Cast):
            lines += cast(self._signals, node, op, stage)
        elif isinstance(op, Max0):
            width = self.path.width(node)
            source = Ref(op.x.node, op.x.shift)
            sign, value = self._signals.sign(source, stage), self._signals.bits(source, width, 0, stage)
            lines.append(f"assign {self._signals.name(node)} = {value} & {{{width}{{~{sign}}}}};")
        elif isinstance(op, Masked):
            width, gate = self.path.width(node), self._signals.name(op.gate.node, stage)
            value = self._signals.bits(op.x, width, 0, stage)
            lines.append(f"assign {self._signals.name(node)} = {gate} ? {value} : {constant(op.closed, width)};")
        elif isinstance(op, (Larger, Smaller)):
            lines.append(self._chosen(node, op, stage))
        elif isinstance(op, Product):
            lines.append(self._product(node, op, stage))
        elif isinstance(op, Limit):
            lo, hi = self.path.ref_bounds(op.x)
            least, most = op.least if op.least > lo else None, op.most if op.most < hi else None
            lines += clamp(self._signals, node, self._signals.whole(op.x, stage), (lo, hi), least, most)
        else:
            assert isinstance(op, Stair | Probe | Lookup)
            lines += self._staircase(node, op, stage)

    @property
    def _signals(self) -> Signals:
        return Signals(self.path, self.schedule)

    def _chosen(self, node: int, op: Larger | Smaller, stage: int) -> str:
        hulls = [self.path.ref_bounds(ref) for ref in (op.x, op.y)]
        lo, hi = min(h[0] for h in hulls), max(h[1] for h in hulls)
        compared = [self._signals.bits(ref, interval_width(lo, hi), 0, stage) for ref in (op.x, op.y)]
        if lo < 0:
            compared = [f"$signed({text})" for text in compared]
        x, y = (self._signals.bits(ref, self.path.width(node), 0, stage) for ref in (op.x, op.y))
        than = ">" if isinstance(op, Larger) else "<"
        return f"assign {self._signals.name(node)} = {compared[0]} {than} {compared[1]} ? {x} : {y};"

    def _product(self, node: int, op: Product, stage: int) -> str:
        """Return a product of operands with its own width, of which synthesis drops what repeats the sign."""
        width, signed = self.path.width(node), self.path.signed(node)
        x, y = (self._signals.bits(ref, width, 0, stage) for ref in (op.x, op.y))
        text = f"$signed({x}) * $signed({y})" if signed else f"{x} * {y}"
        return f"assign {self._signals.name(node)} = {text};"

    def _staircase(self, node: int, op: Stair | Probe | Lookup, stage: int) -> list[str]:
        name, width = self._signals.name(node), self.path.width(node)
        bits = [] if isinstance(op, Stair) else [self._signals.name(bit.node, stage) for bit in op.bits]
        if isinstance(op, Lookup):
            return emit_staircase.lookup(name, width, bits, op)
        signed = self.path.signed(op.x.node)
        x = self._signals.whole(op.x, stage), interval_width(*self.path.ref_bounds(op.x)), signed
        if isinstance(op, Probe):
            return emit_staircase.probe(name, x, bits, op.thresholds)
        return emit_staircase.stair(name, width, x, op)


def unread_bits(path: Datapath) -> dict[int, int]:
    """Return the low bits of the nodes that casts alone read, and drop."""
    unread: dict[int, int] = {}
    for n, op in enumerate(path.ops):
        dropped = 0
        if isinstance(op, Cast) and (op.rounding is Rounding.TRN or (op.biased and op.rounding is Rounding.RND)):
            dropped = max(op.shift - op.x.shift, 0)
        for o in path.operands(n):
            unread[o] = min(unread.get(o, dropped), dropped)
    return unread | {ref.node: 0 for ref in path.outputs}
