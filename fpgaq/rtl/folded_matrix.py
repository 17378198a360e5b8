"""A matrix with a reuse factor: multiply-accumulate lanes and a weight ROM.

The schedule is hls4ml's: with reuse factor R there are ``n_in * n_out / R`` multipliers. Up to ``R = n_in`` all
outputs are computed together, ``n_in / R`` inputs a cycle; beyond, one input a cycle and ``n_in * n_out / R`` outputs
at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fpgaq.ir.node import Operand
from fpgaq.ir.ops import MatMul
from fpgaq.ir.types import FixedType, IntArray, signed_bits
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, Port, constant, instance

#: Depth from which a ROM is a block RAM; below it is logic. In between a tool's own choice is poor.
BLOCK_ROM_DEPTH = 512
#: Registers between the last beat of a vector and its result, without those of the adder tree.
_PIPELINE = 4


@dataclass(frozen=True)
class FoldedMatrix:
    """Hardware of ``x @ weight + bias`` with a reuse factor above 1.

    Parameters
    ----------
    name : str
        Module name.
    matrix : MatMul
    source : Operand
        Input vector.
    half : int
        Rounding constant that rides along with the biases, for the cast that follows.
    """

    name: str
    matrix: MatMul
    source: Operand
    half: int = 0

    def __post_init__(self) -> None:
        reuse, n_in, n_out = self.matrix.reuse, self.matrix.n_in, self.matrix.n_out
        if n_in * n_out % reuse or (n_in % reuse if reuse <= n_in else reuse % n_in):
            raise self.matrix.fail(f"reuse factor {reuse} does not divide its {n_in}x{n_out} matrix")

    @property
    def inputs_per_cycle(self) -> int:
        """Elements of the input vector multiplied in a cycle."""
        return max(self.matrix.n_in // self.matrix.reuse, 1)

    @property
    def lanes(self) -> int:
        """Outputs computed together."""
        return self.matrix.n_in * self.matrix.n_out // (self.matrix.reuse * self.inputs_per_cycle)

    @property
    def beats(self) -> int:
        """Cycles of one group of outputs."""
        return self.matrix.n_in // self.inputs_per_cycle

    @property
    def groups(self) -> int:
        """Groups of outputs."""
        return self.matrix.n_out // self.lanes

    @property
    def ii(self) -> int:
        """Cycles between vectors: the reuse factor."""
        return self.beats * self.groups

    @property
    def latency(self) -> int:
        """Cycles from a vector accepted to its result."""
        tree_levels = (self.inputs_per_cycle - 1).bit_length()
        return self.ii + _PIPELINE + tree_levels // 2

    @cached_property
    def result_type(self) -> FixedType:
        """Type of an accumulator: exact, rounding constant included. Sums are modulo its width, so any sign will do."""
        if not self.half:
            return self.matrix.type
        lo, hi = (bound + self.half for bound in self.matrix.infer([self.source]).hull)
        return FixedType.from_interval(lo, hi, self.matrix.type.frac)

    @cached_property
    def weight_width(self) -> int:
        """Bits of a weight in the ROM."""
        return max(signed_bits(int(self.matrix.weight.min())), signed_bits(int(self.matrix.weight.max())))

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return (
            f"folded: reuse factor {self.ii}, {self.lanes} lanes x {self.inputs_per_cycle} inputs, "
            f"ROM {self.ii} x {self.lanes * self.inputs_per_cycle * self.weight_width} bits"
        )

    def weight_words(self) -> list[int]:
        """Return the ROM: per cycle the weights of all lanes, lane 0 input 0 in the low bits."""
        p, lanes = self.inputs_per_cycle, self.lanes
        words = []
        for group in range(self.groups):
            columns = self.matrix.weight[:, group * lanes : (group + 1) * lanes]
            for beat in range(self.beats):
                block = columns[beat * p : (beat + 1) * p]
                words.append(_pack(block.T.reshape(-1), self.weight_width))
        return words

    def bias_words(self) -> list[int]:
        """Return the biases of every group of lanes."""
        biases = self.matrix.bias.reshape(self.groups, self.lanes) + self.half
        return [_pack(row, self.result_type.width) for row in biases]

    def modules(self) -> list[Module]:
        """Return the ROMs and the engine, the layer itself last."""
        source, result, node = self.source.type, self.result_type, self.matrix
        module = Module(
            self.name,
            [
                f"{self.name}: matmul {node.name}, {node.n_in} x {node.n_out}",
                f"Input   {node.n_in} x {source}, element 0 in the low bits.",
                f"Output  {node.n_out} x {result}{f', {self.half} added for rounding' if self.half else ''}.",
                f"Latency {self.latency} cycles, II {self.ii}. {self.summary}.",
            ],
            stream_ports(node.n_in * source.width, node.n_out * result.width),
        )
        word = self.lanes * self.inputs_per_cycle * self.weight_width
        address, group = _address_width(self.ii), _address_width(self.groups)
        streams = {s.name: s.name for s in module.ports}
        engine = {k: k for k in ("enable", "address", "weights", "group", "biases")}
        module.body = [
            "logic enable;",
            f"logic [{address - 1}:0] address;",
            f"logic [{group - 1}:0] group;",
            f"logic [{word - 1}:0] weights;",
            f"logic [{self.lanes * result.width - 1}:0] biases;",
            "",
            instance("folded_matrix", "engine", {**streams, **engine}, self._parameters()),
            instance(f"{self.name}_weights", "weight_rom", _rom_ports("address", "weights")),
            instance(f"{self.name}_biases", "bias_rom", _rom_ports("group", "biases")),
        ]
        return [
            rom(f"{self.name}_weights", self.weight_words(), word),
            rom(f"{self.name}_biases", self.bias_words(), self.lanes * result.width),
            module,
        ]

    def _parameters(self) -> dict[str, object]:
        return {
            "N_IN": self.matrix.n_in,
            "IN_W": self.source.type.width,
            "IN_SIGNED": f"1'b{int(self.source.type.signed)}",
            "INPUTS": self.inputs_per_cycle,
            "LANES": self.lanes,
            "BEATS": self.beats,
            "GROUPS": self.groups,
            "WEIGHT_W": self.weight_width,
            "ACC_W": self.result_type.width,
        }


def rom(name: str, words: list[int], width: int) -> Module:
    """Return a ROM with a registered output: logic when shallow, block RAM when deep."""
    style = "block" if len(words) >= BLOCK_ROM_DEPTH else "logic"
    address = _address_width(len(words))
    module = Module(
        name,
        [f"{name}: ROM of {len(words)} x {width} bits, one cycle, {style}."],
        [
            Port("input", "clk"),
            Port("input", "enable"),
            Port("input", "address", address),
            Port("output", "data", width),
        ],
    )
    if len(words) == 1:
        module.ports[2] = Port("input", "address", address, unused=True)
        module.body = [f"always_ff @(posedge clk) if (enable) data <= {constant(words[0], width)};"]
        return module
    module.body = [
        f'(* rom_style = "{style}" *) logic [{width - 1}:0] words [0:{(1 << address) - 1}];',
        "initial begin",
        *(f"    words[{k}] = {width}'h{w:x};" for k, w in enumerate(words + [0] * ((1 << address) - len(words)))),
        "end",
        "always_ff @(posedge clk) if (enable) data <= words[address];",
    ]
    return module


def _rom_ports(address: str, data: str) -> dict[str, str]:
    return {"clk": "clk", "enable": "enable", "address": address, "data": data}


def _address_width(depth: int) -> int:
    return max((depth - 1).bit_length(), 1)


def _pack(values: IntArray, width: int) -> int:
    word = 0
    for k, value in enumerate(np.asarray(values).tolist()):
        word |= (value & ((1 << width) - 1)) << (k * width)
    return word
