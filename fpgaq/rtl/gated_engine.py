"""A gated matrix with a reuse factor: an engine that predicts every output, then updates those with open gates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fpgaq.ir.node import Operand
from fpgaq.ir.ops import GatedMatMul
from fpgaq.ir.ops.gated import reach
from fpgaq.ir.types import IntArray, signed_bits
from fpgaq.rtl.gated_schedule import GatedSchedule, gated_schedule
from fpgaq.rtl.rom import address_width, rom, rom_ports
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, instance

#: Registers between the last beat of a pass and what it gives, without those of the adder tree.
_PIPELINE = 4


@dataclass(frozen=True)
class GatedEngine:
    """Hardware of a gated matrix with a reuse factor above 1; how long it takes depends on the vector.

    Parameters
    ----------
    name : str
        Module name.
    matrix : GatedMatMul
    source : Operand
        Input vector.
    """

    name: str
    matrix: GatedMatMul
    source: Operand

    @cached_property
    def schedule(self) -> GatedSchedule:
        """What is multiplied when."""
        return gated_schedule(self.matrix.n_in, self.matrix.n_out, self.matrix.reuse)

    @property
    def _pipeline(self) -> int:
        return _PIPELINE + (self.schedule.inputs - 1).bit_length() // 2

    @property
    def latency(self) -> int:
        """Cycles from a vector accepted to its result when all gates are open: the most there can be."""
        return self.ii + self._pipeline

    @property
    def ii(self) -> int:
        """Cycles between vectors when all gates are open."""
        return int(self.cycles(np.ones((1, self.matrix.n_out), bool))[0])

    @property
    def least_ii(self) -> int:
        """Cycles between vectors when all gates are closed."""
        return int(self.cycles(np.zeros((1, self.matrix.n_out), bool))[0])

    def cycles(self, gates: np.ndarray) -> IntArray:
        """Return for how many cycles each vector keeps the engine, sample by sample and pixel by pixel.

        Parameters
        ----------
        gates : bool array, shape (samples, ..., n_out)
            Which are open; of `fpgaq.ir.activity.open_gates`.
        """
        plan = self.schedule
        in_lane = gates.reshape(-1, plan.groups, plan.lanes).sum(axis=1)
        return plan.groups * plan.beats + self._pipeline + plan.beats * in_lane.max(axis=1)

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        plan = self.schedule
        return (
            f"gated: reuse factor {self.matrix.reuse}, {plan.lanes} lanes x {plan.inputs} inputs, {self.least_ii} to "
            f"{self.ii} cycles a vector, ROM {plan.lanes} x {plan.groups * plan.beats} x "
            f"{plan.inputs * self.weight_width} bits"
        )

    @cached_property
    def weight_width(self) -> int:
        """Bits of a weight in the ROM."""
        return max(signed_bits(int(self.matrix.weight.min())), signed_bits(int(self.matrix.weight.max())))

    @cached_property
    def thresholds(self) -> IntArray:
        """Thresholds, no further out than the predictions reach."""
        high = reach(self.matrix.weight, self.matrix.parts(self.source.bounds)[0])
        return np.clip(self.matrix.thresholds, high.lo - 1, high.hi)

    @cached_property
    def sum_width(self) -> int:
        """Bits of the sums of both parts, and of the thresholds."""
        parts = self.matrix.parts(self.source.bounds)
        ends = [int(end) for part in parts for end in reach(self.matrix.weight, part).hull]
        return max(signed_bits(value) for value in [*ends, *self.thresholds.tolist()])

    def weight_words(self, lane: int) -> list[int]:
        """Return the ROM of a lane: the weights of its outputs in order, input 0 in the low bits."""
        plan = self.schedule
        columns = self.matrix.weight[:, lane :: plan.lanes].T.reshape(plan.groups * plan.beats, plan.inputs)
        return [_packed(row, self.weight_width) for row in columns]

    def threshold_words(self) -> list[int]:
        """Return the thresholds of every group."""
        return [_packed(row, self.sum_width) for row in self.thresholds.reshape(-1, self.schedule.lanes)]

    def modules(self) -> list[Module]:
        """Return the ROMs and the engine, the layer itself last."""
        source, result, node, plan = self.source.type, self.matrix.type, self.matrix, self.schedule
        word, count = plan.inputs * self.weight_width, node.n_out.bit_length()
        address, group = address_width(plan.groups * plan.beats), address_width(plan.groups)
        module = Module(
            self.name,
            [
                f"{self.name}: gated matmul {node.name}, {node.n_in} x {node.n_out}, {node.low_bits} low bits",
                f"Input   {node.n_in} x {source}, element 0 in the low bits.",
                f"Output  {node.n_out} x {result}.",
                f"Latency {self.least_ii + self._pipeline} to {self.latency} cycles, II {self.least_ii} to {self.ii}.",
                f"{self.summary}.",
            ],
            stream_ports(node.n_in * source.width, node.n_out * result.width),
        )
        streams = {s.name: s.name for s in module.ports}
        engine = {k: k for k in ("updates", "enable", "address", "weights", "group", "thresholds")}
        roms = [
            instance(
                f"{self.name}_weights_{lane}",
                f"weight_rom_{lane}",
                rom_ports(f"address[{lane * address}+:{address}]", f"weights[{lane * word}+:{word}]"),
            )
            for lane in range(plan.lanes)
        ]
        module.body = [
            "logic enable;",
            f"logic [{plan.lanes * address - 1}:0] address;",
            f"logic [{group - 1}:0] group;",
            f"logic [{plan.lanes * word - 1}:0] weights;",
            f"logic [{plan.lanes * self.sum_width - 1}:0] thresholds;",
            "// Outputs of the vector on out_data that were updated, for a bench to read.",
            f"logic [{count - 1}:0] updates /* verilator public_flat_rd */;",
            "",
            instance("gated_engine", "engine", {**streams, **engine}, self._parameters()),
            *roms,
            instance(f"{self.name}_thresholds", "threshold_rom", rom_ports("group", "thresholds")),
        ]
        return [
            *(rom(f"{self.name}_weights_{lane}", self.weight_words(lane), word) for lane in range(plan.lanes)),
            rom(f"{self.name}_thresholds", self.threshold_words(), plan.lanes * self.sum_width),
            module,
        ]

    def _parameters(self) -> dict[str, object]:
        plan = self.schedule
        return {
            "N_IN": self.matrix.n_in,
            "IN_W": self.source.type.width,
            "LOW": self.matrix.low_bits,
            "INPUTS": plan.inputs,
            "LANES": plan.lanes,
            "BEATS": plan.beats,
            "GROUPS": plan.groups,
            "WEIGHT_W": self.weight_width,
            "SUM_W": self.sum_width,
            "OUT_W": self.matrix.type.width,
        }


def _packed(values: IntArray, width: int) -> int:
    word = 0
    for k, value in enumerate(values.tolist()):
        word |= (value & ((1 << width) - 1)) << (k * width)
    return word
