"""What a pipelined datapath takes: registers exactly, and the logic of every kind of operation as numbers of bits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from fpgaq.estimate.counts import ALL_BITS, Counts, Device
from fpgaq.estimate.tables import table_luts
from fpgaq.estimate.wires import KNOWN, Bits, Wires, both_live, known
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
from fpgaq.rtl.emit_adder import passed_low_bits
from fpgaq.rtl.emit_datapath import unread_bits
from fpgaq.rtl.emit_staircase import table_codes
from fpgaq.rtl.pipeline import Schedule


def count_datapath(path: Datapath, schedule: Schedule, device: Device, read: Sequence[int] | None = None) -> Counts:
    """Return what a datapath takes, without the control of its pipeline.

    Parameters
    ----------
    path : Datapath
    schedule : Schedule
    device : Device
    read : sequence of int, optional
        Bits of every element of the result that something reads.
    """
    wires = Wires.of(path)
    counting = _Counting(path, schedule, wires, device)
    for ref, wanted in zip(path.outputs, read or [ALL_BITS] * len(path.outputs), strict=True):
        bits = [bit for k, bit in enumerate(wires.whole(ref)) if wanted >> k & 1]
        counting.read(bits, schedule.stages)
    for node in reversed(range(len(path.ops))):
        counting.visit(node)
    counting.count_registers()
    counting.count_reads()
    return counting.counts


class _Counting:
    """Goes through a datapath from its end: what is not read is not built."""

    def __init__(self, path: Datapath, schedule: Schedule, wires: Wires, device: Device) -> None:
        self.path, self.schedule, self.wires, self.device = path, schedule, wires, device
        self.reads: list[set[int]] = [set() for _ in wires.made_by]
        self.unread = unread_bits(path)
        self.forced: set[int] = set()
        self.counts = Counts("datapath")

    def read(self, bits: Sequence[int], stage: int) -> None:
        """Note that an operation of a stage reads some bits."""
        for bit in bits:
            if bit != KNOWN:
                self.reads[bit].add(stage)

    def visit(self, node: int) -> None:
        """Count one operation, if something reads its result, and note what it reads."""
        op, bits = self.path.ops[node], self.wires.bits[node]
        made = [k for k, bit in enumerate(bits) if bit != KNOWN and self.wires.made_by[bit] == node]
        needed = [k for k in made if self.reads[bits[k]]]
        if not needed or isinstance(op, (Source, Constant)):
            return
        stage, logic = self.schedule.stage[node], self.counts.logic
        for kind, amount, read in self._logic(node, op, needed[-1] + 1):
            logic[kind] += amount
            self.read(read, stage)

    def _logic(self, node: int, op: Op, end: int) -> Iterator[tuple[str, float, Bits]]:
        """Tell kinds of logic, how much of it there is, and the bits that it reads, for result bits below `end`."""
        if isinstance(op, Sum):
            yield from self._sum(node, op, end)
        elif isinstance(op, Max0):
            kept, x = self._kept(op.x, 0, end), self.wires.bits[op.x.node]
            yield from self._forced("rectified", node, len(kept))
            yield "wired", 0, [*kept, x[-1]]
        elif isinstance(op, Cast):
            yield from self._cast(node, op, end)
        elif isinstance(op, Limit):
            yield from self._clamp(node, self.wires.whole(op.x), self.path.ref_bounds(op.x), op.least, op.most)
        elif isinstance(op, Stair):
            yield from self._stair(node, op)
        elif isinstance(op, Probe):
            yield from self._probe(op)
        elif isinstance(op, Lookup):
            bits = [self.wires.bits[bit.node][0] for bit in op.bits]
            yield "tables", table_luts(op.codes, self.path.width(node)), bits
        elif isinstance(op, Masked):
            kept = self._kept(op.x, 0, end)
            yield from self._forced("gated", node, len(kept))
            yield "wired", 0, [*kept, *self.wires.bits[op.gate.node]]
        elif isinstance(op, (Larger, Smaller)):
            yield from self._choice(node, op)
        elif isinstance(op, Product):
            sides = [known(self.wires.bits[ref.node]) for ref in (op.x, op.y)]
            yield "products", len(sides[0]) * len(sides[1]), [*sides[0], *sides[1]]

    def _kept(self, ref: Ref, low: int, high: int) -> Bits:
        return known(self.wires.range(ref, low, high))

    def _sum(self, node: int, op: Sum, end: int) -> Iterator[tuple[str, float, Bits]]:
        adder, width = op.adder, self.path.width(node)
        if adder.lifts:
            (term,) = adder.terms
            yield "inverted", 1, [self.wires.bits[term.node][-1]]
            return
        through = passed_low_bits(adder, width)
        operands = [self.wires.range(Ref(t.node, t.shift), through, end) for t in adder.terms]
        read = [bit for operand in operands for bit in operand]
        live = both_live(operands)
        if adder.operands == 3:
            yield "added3", end - through - _known_sums(live) - self._fused(node, operands, through), read
            yield "adders3", 1, []
            return
        if self.device.chain_bits:
            yield *self._chain(end - through), read
            return
        if adder.operands == 1:
            yield "negated", end - through, read
            return
        if adder.constant:
            yield "constant_added", live.count(1), read
        else:
            yield "added", live.count(2), read
            yield "passed", live.count(1), []
        yield "adders", 1, []

    def _chain(self, bits: int) -> tuple[str, float]:
        """Tell what adds so many bits where a carry chain has one or two a cell, whatever these add."""
        if bits < self.device.chain_bits:
            return f"short_{bits}", bits
        return "chained", -(-bits // self.device.chain_cell) * self.device.chain_cell

    def _fused(self, node: int, operands: list[Bits], through: int) -> bool:
        """Whether one LUT gives both carries of the two lowest bits, which nothing reads."""
        unread = self.unread.get(node, 0) - through
        last = operands[-1][:2] if len(operands) == 3 else [KNOWN, KNOWN]
        return unread > 1 and len(operands[0]) > 2 and last == [KNOWN, KNOWN]

    def _cast(self, node: int, op: Cast, end: int) -> Iterator[tuple[str, float, Bits]]:
        lo, hi = self.path.ref_bounds(op.x)
        total = max(interval_width(lo, hi), op.shift + 1)
        if self.wires.rounds_by_adding(op):
            whole = known(self.wires.range(op.x, 0, total))
            yield "rounded", len(whole), whole
        if op.rounding.name == "RND_CONV" and op.shift:
            low = self._kept(op.x, 0, op.shift)
            yield "ties", 1 + len(low) / 5, low
        kept = self.wires.range(op.x, op.shift, total)
        bounds = lo >> op.shift, hi >> op.shift
        if op.wrap is not None:
            yield "wired", 0, kept[:1]
        elif op.zero_outside is not None:
            yield "compared", 2 * len(kept), kept
            yield from self._forced("clamped", node, end)
        else:
            yield from self._clamp(node, kept, bounds, op.least, op.most)

    def _clamp(
        self, node: int, bits: Bits, bounds: tuple[int, int], least: int | None, most: int | None
    ) -> Iterator[tuple[str, float, Bits]]:
        """Tell the tests of a clamp, which look at the bits above a power of two, and its choice."""
        least = None if least is None or least <= bounds[0] else least
        most = None if most is None or most >= bounds[1] else most
        width = self.path.width(node)
        if least is None and most is None:
            yield "wired", 0, bits[:1]
            return
        tests = 0.0
        if least is not None and least != 0:
            yield "compared", len(known(bits)), bits
        if most is not None:
            above = most.bit_length()
            if most == (1 << above) - 1:
                tests += max(len(bits) - above, 1) / 5
            else:
                yield "compared", len(known(bits)), bits
        yield "tests", tests, bits
        kind = "rectified" if most is None else "limited" if least is None else "clamped"
        yield from self._forced(kind, node, width)

    def _forced(self, kind: str, node: int, bits: int) -> Iterator[tuple[str, float, Bits]]:
        """Tell the bits that a condition sets or clears; where they go into registers, those may have inputs for it."""
        stage = self.schedule.stage[node]
        registered = all(min(self.reads[bit], default=stage) > stage for bit in known(self.wires.bits[node]))
        if registered:
            self.forced.add(node)
            yield "registers_forced", 1, []
        yield f"{kind}_in_registers" if registered else kind, bits, []

    def _stair(self, node: int, op: Stair) -> Iterator[tuple[str, float, Bits]]:
        bits, width = self.wires.whole(op.x), self.path.width(node)
        if op.table:
            codes = table_codes(op, len(bits), self.path.signed(op.x.node))
            yield "tables", table_luts(codes, width), bits
            return
        yield "comparators", len(op.thresholds) * len(known(bits)), bits
        yield "chosen_codes", (len(op.thresholds) - 1) * width, []

    def _probe(self, op: Probe) -> Iterator[tuple[str, float, Bits]]:
        bits = self.wires.whole(op.x)
        chosen = [self.wires.bits[bit.node][0] for bit in op.bits]
        limits = [t - 1 for t in op.thresholds]
        yield "probed", len(known(bits)), [*bits, *chosen]
        if chosen:
            mask = (1 << len(bits)) - 1
            yield "probe_tables", table_luts([v & mask for v in limits], len(bits)), []

    def _choice(self, node: int, op: Larger | Smaller) -> Iterator[tuple[str, float, Bits]]:
        sides = [self.wires.whole(ref) for ref in (op.x, op.y)]
        bits = max(map(len, sides))
        # Of one or two bits the larger is a function that goes into other LUTs.
        yield f"larger_{bits}" if bits < 3 else "larger", bits, [*sides[0], *sides[1]]

    def count_registers(self) -> None:
        """Count the registers between where every bit is made and where it is read."""
        for bit, stages in enumerate(self.reads):
            node = self.wires.made_by[bit]
            place = self.schedule.stage[node]
            if node in self.forced and stages:
                self.counts.ff += 1  # it can be set or cleared, which a shift register cannot
                place += 1
            for stage in sorted(stages):
                self.counts.registers(stage - place, 1, self.device)
                place = stage

    def count_reads(self) -> None:
        """Note which bits of the elements that come in are read."""
        read = {
            op.index: sum((1 << k) for k, bit in enumerate(self.wires.bits[node]) if self.reads[bit])
            for node, op in enumerate(self.path.ops)
            if isinstance(op, Source)
        }
        self.counts.reads = [read[index] for index in sorted(read)]


def _known_sums(live: Sequence[int]) -> int:
    """Return the bits of a sum of three that no operand has, and at most one the bit below, which are known."""
    return sum(here == 0 and below <= 1 for below, here in itertools.pairwise(live))
