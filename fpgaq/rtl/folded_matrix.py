"""A matrix with a reuse factor: multiply-accumulate lanes, a weight ROM, and decoders where it holds codes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fpgaq.errors import ConfigError
from fpgaq.estimate.folded_cost import Cost, folded_cost
from fpgaq.ir.node import Operand
from fpgaq.ir.ops import MatMul
from fpgaq.ir.types import FixedType, IntArray
from fpgaq.rtl.folded_forms import FoldedForm, Product, folded_forms
from fpgaq.rtl.folded_schedule import FoldedSchedule
from fpgaq.rtl.input_bits import InputBits
from fpgaq.rtl.rom import address_width, rom, rom_ports
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, Port, instance

#: Registers between the last beat of a vector and its result, without those of the adder tree.
_PIPELINE = 4
#: Bits that the engine counts at once.
_COUNTED_BITS = 36


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
    levels : tuple of int, optional
        Values that elements of the input vector have, where more is known than their bounds.
    wanted : str, optional
        Name of the form to build; the cheapest one where it is None.
    pixels : int
        Beats that bring the input vector, which are multiplied as they come.
    """

    name: str
    matrix: MatMul
    source: Operand
    half: int = 0
    levels: tuple[int, ...] | None = None
    wanted: str | None = None
    pixels: int = 1

    def __post_init__(self) -> None:
        if not self.schedule.is_legal:
            m = self.matrix
            raise m.fail(f"reuse factor {m.reuse} does not divide its {m.n_in}x{m.n_out} matrix")

    @property
    def schedule(self) -> FoldedSchedule:
        """What is multiplied when."""
        return FoldedSchedule(self.matrix.n_in, self.matrix.n_out, self.matrix.reuse)

    @cached_property
    def _found(self) -> tuple[list[FoldedForm], dict[str, str]]:
        return folded_forms(self.matrix, self.source, self.levels)

    @cached_property
    def forms(self) -> Sequence[tuple[FoldedForm, Cost]]:
        """Every form that there is and its estimated cost, the cheapest first."""
        costs = [
            (form, folded_cost(form, self.schedule, self.source, self.result_type.width)) for form in self._found[0]
        ]
        return sorted(costs, key=lambda row: row[1].equivalents)

    @property
    def left_out(self) -> Mapping[str, str]:
        """Why the other forms are none."""
        return self._found[1]

    @cached_property
    def form(self) -> FoldedForm:
        """The form that is built.

        Raises
        ------
        ConfigError
            If the wanted one is not available.
        """
        by_name = {form.name: form for form, _ in self.forms}
        if self.wanted is None:
            return self.forms[0][0]
        if self.wanted not in by_name:
            why = self.left_out.get(self.wanted, f"known are {', '.join(by_name)}")
            raise ConfigError(f"layer {self.matrix.layer!r}: form {self.wanted!r} is not available: {why}")
        return by_name[self.wanted]

    @classmethod
    def takes(cls, matrix: MatMul, pixels: int) -> bool:
        """Whether a vector may come in so many beats: each takes the same cycles, in which all outputs are computed."""
        return 1 < matrix.reuse <= matrix.n_in and matrix.reuse % pixels == 0

    @property
    def ii(self) -> int:
        """Cycles between beats: the reuse factor, where a vector is one beat."""
        return self.schedule.reuse // self.pixels

    @property
    def gives(self) -> tuple[bool, ...]:
        """Whether the result is complete with each beat."""
        return (*[False] * (self.pixels - 1), True)

    @property
    def latency(self) -> int:
        """Cycles from the last beat of a vector accepted to its result."""
        bits, terms = self.form.bits, self.schedule.inputs_per_cycle
        if bits is not None:
            terms = -(-terms * bits.count // _COUNTED_BITS)
        return self.ii + _PIPELINE + (terms - 1).bit_length() // 2

    @cached_property
    def result_type(self) -> FixedType:
        """Type of an accumulator: exact, rounding constant included. Sums are modulo its width, so any sign will do."""
        if not self.half:
            return self.matrix.type
        # The union of all pixels of an image may lead to more than the type of the results has to hold.
        wide = dataclasses.replace(self.matrix, type=FixedType(63, self.matrix.type.frac, True))
        lo, hi = (bound + self.half for bound in wide.infer([self.source]).hull)
        return FixedType.from_interval(lo, hi, self.matrix.type.frac)

    @property
    def _word_width(self) -> int:
        return self.schedule.lanes * self.schedule.inputs_per_cycle * self.form.stored_width

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        lanes, inputs = self.schedule.lanes, self.schedule.inputs_per_cycle
        return (
            f"folded: reuse factor {self.schedule.reuse}, {lanes} lanes x {inputs} inputs, {self.form.name}, "
            f"ROM {self.schedule.reuse} x {self._word_width} bits"
        )

    def weight_words(self) -> list[int]:
        """Return the ROM: per cycle the codes of all lanes, lane 0 input 0 in the low bits."""
        return [_pack(row, self.form.stored_width) for row in self.schedule.by_cycle(self.form.stored)]

    def bias_words(self) -> list[int]:
        """Return the biases of every group of lanes, each with the shift of its output above it."""
        width, mask = self.result_type.width, (1 << self.result_type.width) - 1
        fields = [
            (int(bias) + self.half & mask) | int(scale) << width
            for bias, scale in zip(self.form.biases, self.form.scales, strict=True)
        ]
        lanes = self.schedule.lanes
        groups = [fields[start : start + lanes] for start in range(0, len(fields), lanes)]
        return [_pack(group, width + self.form.scale_width) for group in groups]

    @property
    def _part(self) -> int:
        """Elements of a beat."""
        return self.matrix.n_in // self.pixels

    @property
    def _in_beats(self) -> str:
        return f"; {self.pixels} beats are a vector" if self.pixels > 1 else ""

    def modules(self) -> list[Module]:
        """Return the ROMs, the decoder and the engine, the layer itself last."""
        source, result, node, form = self.source.type, self.result_type, self.matrix, self.form
        read = set(range(source.width)) if form.bits is None else {t.bit for b in form.bits.bits for t in b}
        module = Module(
            self.name,
            [
                f"{self.name}: matmul {node.name}, {node.n_in} x {node.n_out}",
                f"Input   {self._part} x {source}, element 0 in the low bits{self._in_beats}.",
                f"Output  {node.n_out} x {result}{f', {self.half} added for rounding' if self.half else ''}.",
                f"Latency {self.latency} cycles, II {self.ii}. {self.summary}.",
            ],
            stream_ports(self._part * source.width, node.n_out * result.width, in_unused=len(read) < source.width),
        )
        lanes, multipliers = self.schedule.lanes, self.schedule.lanes * self.schedule.inputs_per_cycle
        bias_word = lanes * (result.width + form.scale_width)
        address, group = address_width(self.schedule.reuse), address_width(self.schedule.groups)
        streams = {s.name: s.name for s in module.ports}
        engine = {k: k for k in ("enable", "address", "weights", "group", "biases")}
        if form.bits is not None:
            streams["in_data"] = "in_bits"
        codes = "weights" if form.decoder is None else "codes"
        module.body = [
            "logic enable;",
            f"logic [{address - 1}:0] address;",
            f"logic [{group - 1}:0] group;",
            f"logic [{multipliers * form.weight_width - 1}:0] weights;",
            f"logic [{bias_word - 1}:0] biases;",
            *_bits_of_inputs(form.bits, self._part, source.width),
            *self._decoders(multipliers),
            "",
            instance("folded_matrix", "engine", {**streams, **engine}, self._parameters()),
            instance(f"{self.name}_weights", "weight_rom", rom_ports("address", codes)),
            instance(f"{self.name}_biases", "bias_rom", rom_ports("group", "biases")),
        ]
        return [
            rom(f"{self.name}_weights", self.weight_words(), self._word_width),
            rom(f"{self.name}_biases", self.bias_words(), bias_word),
            *([] if form.decoder is None else [self._decoder(form.decoder)]),
            module,
        ]

    def _decoders(self, multipliers: int) -> list[str]:
        """Return a decoder for every weight that the ROM shows."""
        if self.form.decoder is None:
            return []
        stored, width = self.form.stored_width, self.form.weight_width
        ports = {"code": f"codes[{stored}*k+:{stored}]", "weight": f"weights[{width}*k+:{width}]"}
        return [
            "",
            f"logic [{multipliers * stored - 1}:0] codes;",
            f"for (genvar k = 0; k < {multipliers}; k++) begin : decoders",
            f"    {instance(f'{self.name}_decoder', 'decoder', ports)}",
            "end",
        ]

    def _decoder(self, table: Mapping[int, int]) -> Module:
        """Return the module that turns a code into what the product wants."""
        form = self.form
        meaning = {
            Product.MULTIPLY: "a signed integer",
            Product.SHIFT: "exponent, enable and sign, from the low bits",
            Product.COUNT: "enable and sign, from the low bits",
        }[form.product]
        values = self.matrix.format.table() if self.matrix.format is not None else {}
        stored, width = form.stored_width, form.weight_width
        lines = [f"    {stored}'d{c}: weight = {width}'b{table[c]:0{width}b};  // {values[c]}" for c in sorted(table)]
        if len(table) < 1 << stored:
            lines.append("    default: weight = 'x;  // no weight has such a code")
        return Module(
            f"{self.name}_decoder",
            [f"{self.name}_decoder: a code of {self.matrix.format} as {meaning}."],
            [Port("input", "code", form.stored_width), Port("output", "weight", form.weight_width)],
            ["always_comb case (code)", *lines, "endcase"],
        )

    def _parameters(self) -> dict[str, object]:
        source, form, schedule = self.source.type, self.form, self.schedule
        counted = form.bits is not None
        return {
            "N_IN": self.matrix.n_in,
            "IN_W": form.bits.count if form.bits is not None else source.width,
            "IN_SIGNED": f"1'b{int(source.signed and not counted)}",
            "INPUTS": schedule.inputs_per_cycle,
            "LANES": schedule.lanes,
            "BEATS": schedule.beats,
            "GROUPS": schedule.groups,
            **({"PIXELS": self.pixels} if self.pixels > 1 else {}),
            "PRODUCT": int(form.product),
            "WEIGHT_W": form.weight_width,
            "MAX_SHIFT": form.max_shift,
            "SCALE_W": form.scale_width,
            "ACC_W": self.result_type.width,
        }


def _bits_of_inputs(bits: InputBits | None, count: int, width: int) -> list[str]:
    """Return the bits of every element that are counted."""
    if bits is None:
        return []
    # A port of one bit has no index.
    texts = bits.texts(f"in_data[{width}*k+{{}}]" if count * width > 1 else "in_data")
    return [
        "",
        f"// An element is {bits.least} plus {bits.step} for each of its bits.",
        f"logic [{count * bits.count - 1}:0] in_bits;",
        f"for (genvar k = 0; k < {count}; k++) begin : elements",
        *(f"    assign in_bits[{bits.count}*k+{b}] = {text};" for b, text in enumerate(texts)),
        "end",
    ]


def _pack(values: IntArray | Sequence[int], width: int) -> int:
    word = 0
    for k, value in enumerate(map(int, values)):
        word |= (value & ((1 << width) - 1)) << (k * width)
    return word
