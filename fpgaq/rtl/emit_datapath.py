"""A scheduled datapath as SystemVerilog: one line an operation, one register block a stage."""

from __future__ import annotations

from dataclasses import dataclass, field

from fpgaq.cmvm import Adder
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
    Ref,
    Source,
    Stair,
    Sum,
    interval_width,
)
from fpgaq.rtl.pipeline import Schedule
from fpgaq.rtl.verilog import constant, instance, vector

_PREFIXES: dict[type, str] = {
    Source: "x",
    Sum: "s",
    Cast: "q",
    Larger: "w",
    Limit: "c",
    Masked: "g",
    Max0: "m",
    Stair: "t",
    Probe: "b",
    Lookup: "t",
}


@dataclass
class _Operand:
    """One operand of an adder: a shifted value or a constant."""

    text: str
    lowest: int
    negative: bool


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

    def body(self, in_data: str, in_width: int, out_data: str, out_width: int) -> list[str]:
        """Return declarations, logic and registers.

        Parameters
        ----------
        in_data, out_data : str
            Packed vectors, element 0 in the low bits.
        in_width, out_width : int
            Bits of one element.
        """
        stages = self.schedule.stages
        inputs, outputs = sum(isinstance(op, Source) for op in self.path.ops), len(self.path.outputs)
        self._lines = [[] for _ in range(stages + 1)]
        self._unread = _unread_bits(self.path)
        for n, op in enumerate(self.path.ops):
            if isinstance(op, Source):
                low = op.index * in_width
                high = low + self.path.width(n) - 1
                # One element of one bit is no vector.
                text = in_data if inputs * in_width == 1 else f"{in_data}[{high}:{low}]"
                self._lines[0].append(f"assign {self.name(n)} = {text};")
            elif not isinstance(op, Constant):
                self._emit(n, op)
        for j, ref in enumerate(self.path.outputs):
            text = self.extended(ref, out_width, stages)
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

    def name(self, node: int, stage: int | None = None) -> str:
        """Return the name of a node's value as it is available in a stage."""
        base = f"{_PREFIXES[type(self.path.ops[node])]}{node}"
        late = 0 if stage is None else stage - self.schedule.stage[node]
        return f"{base}_d{late}" if late else base

    def extended(self, ref: Ref, width: int, stage: int) -> str:
        """Return ``width`` bits of a shifted value, sign-extended or cut at the top."""
        return self._bits(ref, width, 0, stage)

    def _bits(self, ref: Ref, width: int, low: int, stage: int, above: int = 0) -> str:
        """Return bits ``[low, width)`` of a shifted value, sign-extended where it ends before.

        `above` is added to a value that is never negative, and has no bits where it has some.
        """
        op = self.path.ops[ref.node]
        if isinstance(op, Constant):
            return constant((op.value << ref.shift) >> low, width - low)
        name, bits = self.name(ref.node, stage), self.path.width(ref.node)
        first = max(low - ref.shift, 0)
        last = min(width - ref.shift, bits)
        parts: list[str] = []
        missing = width - max(ref.shift + bits, low)
        if missing > 0:
            sign = self.path.signed(ref.node)
            one = f"{name}[{bits - 1}]" if bits > 1 else name
            if above:
                parts.append(constant(above >> (width - missing), missing))
            else:
                parts.append(f"{{{missing}{{{one}}}}}" if sign else f"{missing}'d0")
        if last > first:
            whole = first == 0 and last == bits
            parts.append(name if whole else f"{name}[{last - 1}:{first}]" if last - first > 1 else f"{name}[{first}]")
        zeros = min(ref.shift, width) - low
        if zeros > 0:
            parts.append(f"{zeros}'d0")
        return parts[0] if len(parts) == 1 else f"{{{', '.join(parts)}}}"

    def _declarations(self) -> list[str]:
        lines = []
        for n, op in enumerate(self.path.ops):
            if isinstance(op, Constant):
                continue
            width = self.path.width(n)
            for stage in range(self.schedule.stage[n], self.schedule.last_use[n] + 1):
                name = self.name(n, stage)
                lines.append(f"logic {vector(width)}{name};")
        return lines

    def _registers(self, stage: int) -> list[str]:
        moves = [
            f"        {self.name(n, stage + 1)} <= {self.name(n, stage)};"
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
            lines += self._sum(node, op.adder, stage)
        elif isinstance(op, Cast):
            lines += self._cast(node, op, stage)
        elif isinstance(op, Max0):
            width = self.path.width(node)
            source = Ref(op.x.node, op.x.shift)
            sign = self._sign(source, stage)
            lines.append(f"assign {self.name(node)} = {self._bits(source, width, 0, stage)} & {{{width}{{~{sign}}}}};")
        elif isinstance(op, Masked):
            width, gate = self.path.width(node), self.name(op.gate.node, stage)
            value = self._bits(op.x, width, 0, stage)
            lines.append(f"assign {self.name(node)} = {gate} ? {value} : {constant(op.closed, width)};")
        elif isinstance(op, Larger):
            lines.append(self._larger(node, op, stage))
        elif isinstance(op, Limit):
            lo, hi = self.path.ref_bounds(op.x)
            least, most = op.least if op.least > lo else None, op.most if op.most < hi else None
            lines += self._clamp(node, self._whole(op.x, stage), (lo, hi), least, most)
        else:
            assert isinstance(op, Stair | Probe | Lookup)
            lines += self._staircase(node, op, stage)

    def _larger(self, node: int, op: Larger, stage: int) -> str:
        hulls = [self.path.ref_bounds(ref) for ref in (op.x, op.y)]
        lo, hi = min(h[0] for h in hulls), max(h[1] for h in hulls)
        compared = [self._bits(ref, interval_width(lo, hi), 0, stage) for ref in (op.x, op.y)]
        if lo < 0:
            compared = [f"$signed({text})" for text in compared]
        x, y = (self._bits(ref, self.path.width(node), 0, stage) for ref in (op.x, op.y))
        return f"assign {self.name(node)} = {compared[0]} > {compared[1]} ? {x} : {y};"

    def _staircase(self, node: int, op: Stair | Probe | Lookup, stage: int) -> list[str]:
        name, width = self.name(node), self.path.width(node)
        bits = [] if isinstance(op, Stair) else [self.name(bit.node, stage) for bit in op.bits]
        if isinstance(op, Lookup):
            return emit_staircase.lookup(name, width, bits, op)
        signed = self.path.signed(op.x.node)
        x = self._whole(op.x, stage), interval_width(*self.path.ref_bounds(op.x)), signed
        if isinstance(op, Probe):
            return emit_staircase.probe(name, x, bits, op.thresholds)
        return emit_staircase.stair(name, width, x, op)

    def _sign(self, ref: Ref, stage: int) -> str:
        name, bits = self.name(ref.node, stage), self.path.width(ref.node)
        return f"{name}[{bits - 1}]" if bits > 1 else name

    def _whole(self, ref: Ref, stage: int) -> str:
        return self._bits(ref, interval_width(*self.path.ref_bounds(ref)), 0, stage)

    # --- adders ---------------------------------------------------------------------------------------------------

    def _sum(self, node: int, adder: Adder, stage: int) -> list[str]:
        """One adder; low bits in which only one operand lives are wired through."""
        if adder.lifts:
            return self._lifted(node, adder, stage)
        name, width = self.name(node), self.path.width(node)
        lowest = [t.shift for t in adder.terms]
        if adder.constant:
            lowest.append((adder.constant & -adder.constant).bit_length() - 1)
        through = _passed_low_bits(adder, lowest, width)
        above = self._extensions(adder)
        operands = [
            _Operand(self._bits(Ref(t.node, t.shift), width, through, stage, extension), t.shift, t.negative)
            for t, extension in zip(adder.terms, above, strict=True)
        ]
        if adder.constant:
            operands.append(_Operand(constant(adder.constant >> through, width - through), lowest[-1], False))
        lines = [f"// {name} = {self._formula(adder, stage)}"]
        target = name
        if through:
            target = f"{name}[{width - 1}:{through}]"
            lines.append(f"assign {name}[{through - 1}:0] = {self._low_bits(adder, lowest, above, through, stage)};")
        unread = min(max(self._unread.get(node, 0) - through, 0), width - through)
        return [*lines, _addition(target, name, width - through, operands, unread)]

    def _lifted(self, node: int, adder: Adder, stage: int) -> list[str]:
        """One term with its sign bit inverted; where it is never positive, that bit is known."""
        (term,) = adder.terms
        ref = Ref(term.node, term.shift)
        width, below = self.path.width(node), term.shift + self.path.width(term.node) - 1
        text = self._bits(ref, min(width, below), 0, stage) if below else ""
        if width > below:
            inverted = f"~{self._sign(ref, stage)}"
            text = f"{{{inverted}, {text}}}" if text else inverted
        name = self.name(node)
        return [f"// {name} = {self._formula(adder, stage)}", f"assign {name} = {text};"]

    def _extensions(self, adder: Adder) -> list[int]:
        """Split the offset of an adder into constants that stand above its terms.

        Ones above a term that is subtracted are zeros in the adder, so those that cannot be negative get them first.
        The term that ends lowest has room for what is left.
        """
        tops = {k: t.shift + self.path.width(t.node) for k, t in enumerate(adder.terms) if not self.path.signed(t.node)}
        extensions = [0] * len(adder.terms)
        if not adder.offset or not tops:
            return extensions
        rest = adder.offset
        for k, top in tops.items():
            if adder.terms[k].negative:
                extensions[k] = -(1 << top)
                rest -= 1 << top
        first = min(tops, key=tops.__getitem__)
        extensions[first] += -rest if adder.terms[first].negative else rest
        return extensions

    def _low_bits(self, adder: Adder, lowest: list[int], above: list[int], through: int, stage: int) -> str:
        k = min(range(len(lowest)), key=lowest.__getitem__)
        if k == len(adder.terms):
            return constant(adder.constant, through)
        return self._bits(Ref(adder.terms[k].node, adder.terms[k].shift), through, 0, stage, above[k])

    def _formula(self, adder: Adder, stage: int) -> str:
        parts = []
        for t in adder.terms:
            factor = f"{1 << t.shift}*" if t.shift else ""
            parts.append(f"{'-' if t.negative else '+'} {factor}{self.name(t.node, stage)}")
        for number in filter(None, (adder.constant, adder.offset)):
            parts.append(f"{'-' if number < 0 else '+'} {abs(number)}")
        return " ".join(parts).removeprefix("+ ")

    # --- casts ----------------------------------------------------------------------------------------------------

    def _cast(self, node: int, op: Cast, stage: int) -> list[str]:
        lines: list[str] = []
        lo, hi = self.path.ref_bounds(op.x)
        if op.shift and not op.biased and op.rounding is not Rounding.TRN:
            text, (lo, hi) = self._round_addend(node, op, (lo, hi), stage, lines)
        else:
            text = ""
        width = max(interval_width(lo, hi) - op.shift, 1)
        rounded = f"{self.name(node)}_r"
        lines.append(f"logic {vector(width)}{rounded};")
        even = op.rounding is Rounding.RND_CONV and op.shift > 0
        if text:  # the rounding adder was built here
            total = interval_width(lo, hi)
            kept = text if not op.shift else f"{text}[{total - 1}:{op.shift}]"
            low = f"{text}[{op.shift - 1}:0]"
        else:
            kept = self._bits(op.x, max(interval_width(lo, hi), op.shift + 1), op.shift, stage)
            low = self._bits(op.x, op.shift, 0, stage) if even else ""
        if even:  # a tie leaves zeros below: clear the last bit, half to even
            tie = f"{low} == {op.shift}'d0"
            mask = f"{{{width - 1}'d0, {tie}}}" if width > 1 else f"({tie})"
            lines.append(f"assign {rounded} = {kept} & ~{mask};")
        else:
            lines.append(f"assign {rounded} = {kept};")
        bounds = (lo >> op.shift, hi >> op.shift)
        if op.wrap is not None:
            return [*lines, self._wrapped(node, rounded, width)]
        if op.zero_outside is not None:
            lower, upper = (f"$signed({rounded})" if bounds[0] < 0 else rounded), op.zero_outside
            return [*lines, *self._zeroed(node, rounded, width, lower, (upper.min, upper.max), bounds)]
        return [*lines, *self._clamp(node, rounded, bounds, op.least, op.most)]

    def _round_addend(
        self, node: int, op: Cast, bounds: tuple[int, int], stage: int, lines: list[str]
    ) -> tuple[str, tuple[int, int]]:
        """Add what the rounding mode wants added before bits are dropped: (for x >= 0, for x < 0)."""
        half = 1 << (op.shift - 1)
        positive, negative = {
            Rounding.RND: (half, half),
            Rounding.RND_CONV: (half, half),
            Rounding.RND_MIN_INF: (half - 1, half - 1),
            Rounding.RND_INF: (half, half - 1),
            Rounding.RND_ZERO: (half - 1, half),
            Rounding.TRN_ZERO: (0, 2 * half - 1),
        }[op.rounding]
        lo, hi = bounds
        total = (lo + min(positive, negative) if lo < 0 else lo + positive, hi + max(positive, negative))
        total = (min(total[0], lo), max(total[1], hi))
        width = max(interval_width(*total), op.shift + 1)
        name = f"{self.name(node)}_a"
        addend = constant(positive, width)
        if positive != negative and lo < 0:
            sign = self._sign(Ref(op.x.node), stage)
            addend = f"({sign} ? {constant(negative, width)} : {constant(positive, width)})"
        lines.append(f"logic {vector(width)}{name};")
        lines.append(f"assign {name} = {self._bits(op.x, width, 0, stage)} + {addend};")
        limit = 1 << (width - 1) if total[0] < 0 else 1 << width
        return name, ((-limit, limit - 1) if total[0] < 0 else (0, limit - 1))

    def _wrapped(self, node: int, rounded: str, width: int) -> str:
        wanted = self.path.width(node)
        text = _slice(rounded, width, wanted)
        if wanted > width:  # a negative number becomes a large one: only its sign leaves the range of the type
            sign = f"{rounded}[{width - 1}]" if width > 1 else rounded
            text = f"{{{{{wanted - width}{{{sign}}}}}, {rounded}}}"
        return f"assign {self.name(node)} = {text};"

    def _zeroed(
        self, node: int, rounded: str, width: int, value: str, allowed: tuple[int, int], bounds: tuple[int, int]
    ) -> list[str]:
        inside = _comparisons(value, bounds, allowed, width)
        wanted = self.path.width(node)
        return [f"assign {self.name(node)} = ({inside}) ? {_slice(rounded, width, wanted)} : {wanted}'d0;"]

    def _clamp(self, node: int, value: str, bounds: tuple[int, int], least: int | None, most: int | None) -> list[str]:
        """Clamp with bit tests where a limit is a power of two, with comparisons elsewhere."""
        name, wanted = self.name(node), self.path.width(node)
        width = interval_width(*bounds)
        lines = []
        if not value.replace("_", "").isalnum():
            lines += [f"logic {vector(width)}{name}_v;", f"assign {name}_v = {value};"]
            value = f"{name}_v"
        if least is None and most is None:
            return [*lines, f"assign {name} = {_slice(value, width, wanted)};"]
        low_test, high_test = _limit_tests(value, width, bounds, least, most)
        kept = _slice(value, width, wanted)
        if least == 0 and most is not None and most == (1 << wanted) - 1:
            return [*lines, f"assign {name} = ({kept} | {{{wanted}{{{high_test}}}}}) & {{{wanted}{{~{low_test}}}}};"]
        if most is not None:
            kept = f"({high_test}) ? {constant(most, wanted)} : {kept}"
        if least is not None:
            kept = f"({low_test}) ? {constant(least, wanted)} : {kept}"
        return [*lines, f"assign {name} = {kept};"]


def _unread_bits(path: Datapath) -> dict[int, int]:
    """Return the low bits of the nodes that casts alone read, and drop."""
    unread: dict[int, int] = {}
    for n, op in enumerate(path.ops):
        dropped = 0
        if isinstance(op, Cast) and (op.rounding is Rounding.TRN or (op.biased and op.rounding is Rounding.RND)):
            dropped = max(op.shift - op.x.shift, 0)
        for o in path.operands(n):
            unread[o] = min(unread.get(o, dropped), dropped)
    return unread | {ref.node: 0 for ref in path.outputs}


def _passed_low_bits(adder: Adder, lowest: list[int], width: int) -> int:
    """Return the low bits in which one positive operand lives alone, or none does."""
    if len(lowest) < 2:
        return min(lowest[0], width - 1)
    order = sorted(range(len(lowest)), key=lowest.__getitem__)
    first = order[0]
    negative = first < len(adder.terms) and adder.terms[first].negative
    return min(lowest[first] if negative else lowest[order[1]], width - 1)


def _addition(target: str, name: str, width: int, operands: list[_Operand], unread: int) -> str:
    signs = "".join("-" if o.negative else "+" for o in operands)
    if len(operands) == 1:
        return f"assign {target} = -{operands[0].text};"
    if len(operands) == 2 and signs != "--":
        a, b = operands if signs != "-+" else operands[::-1]
        return f"assign {target} = {a.text} {'-' if b.negative else '+'} {b.text};"
    while len(operands) < 3:
        operands = [*operands, _Operand(constant(0, width), 0, False)]
    connections = {port: operand.text for port, operand in zip("abc", operands, strict=True)}
    parameters = {
        "W": width,
        **{f"NEG_{port.upper()}": "1'b1" for port, o in zip("abc", operands, strict=True) if o.negative},
        **({"UNREAD": unread} if unread else {}),
    }
    return instance("add3", f"add_{name}", {**connections, "y": target}, parameters)


def _slice(value: str, width: int, wanted: int) -> str:
    """Return the low `wanted` bits of a signal of `width` bits; what is missing is zero by the bounds."""
    if wanted > width:
        return f"{{{wanted - width}'d0, {value}}}"
    return value if wanted == width else f"{value}[{wanted - 1}:0]"


def _limit_tests(
    value: str, width: int, bounds: tuple[int, int], least: int | None, most: int | None
) -> tuple[str, str]:
    signed = bounds[0] < 0
    top = width - 1 if signed else width
    number = f"$signed({value})" if signed else value

    def literal(limit: int) -> str:
        return f"$signed({constant(limit, width)})" if signed else constant(limit, width)

    low = high = ""
    if least is not None:
        low = f"{value}[{width - 1}]" if least == 0 else f"{number} < {literal(least)}"
    if most is not None:
        bits = most.bit_length()
        if most == (1 << bits) - 1:
            upper = f"|{value}[{top - 1}:{bits}]" if top - bits > 1 else f"{value}[{bits}]"
            high = f"({upper})" if not signed or least == 0 else f"(~{value}[{width - 1}] & ({upper}))"
        else:
            high = f"{number} > {literal(most)}"
    return low, high


def _comparisons(value: str, bounds: tuple[int, int], allowed: tuple[int, int], width: int) -> str:
    signed = bounds[0] < 0

    def literal(limit: int) -> str:
        return f"$signed({constant(limit, width)})" if signed else constant(limit, width)

    tests = []
    if bounds[0] < allowed[0]:
        tests.append(f"{value} >= {literal(allowed[0])}")
    if bounds[1] > allowed[1]:
        tests.append(f"{value} <= {literal(allowed[1])}")
    return " && ".join(tests) or "1'b1"
