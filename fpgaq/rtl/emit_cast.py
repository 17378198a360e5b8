"""Rounding and overflow of a datapath as SystemVerilog, without what cannot happen by the bounds."""

from __future__ import annotations

from fpgaq.ir.types import Rounding
from fpgaq.rtl.datapath import Cast, Ref, interval_width
from fpgaq.rtl.signals import Signals
from fpgaq.rtl.verilog import constant, vector


def cast(signals: Signals, node: int, op: Cast, stage: int) -> list[str]:
    """Return the lines of a cast."""
    lines: list[str] = []
    lo, hi = signals.path.ref_bounds(op.x)
    if op.shift and not op.biased and op.rounding is not Rounding.TRN:
        text, (lo, hi) = _round_addend(signals, node, op, (lo, hi), stage, lines)
    else:
        text = ""
    width = max(interval_width(lo, hi) - op.shift, 1)
    rounded = f"{signals.name(node)}_r"
    lines.append(f"logic {vector(width)}{rounded};")
    even = op.rounding is Rounding.RND_CONV and op.shift > 0
    if text:  # the rounding adder was built here
        total = interval_width(lo, hi)
        kept = text if not op.shift else f"{text}[{total - 1}:{op.shift}]"
        low = f"{text}[{op.shift - 1}:0]"
    else:
        kept = signals.bits(op.x, max(interval_width(lo, hi), op.shift + 1), op.shift, stage)
        low = signals.bits(op.x, op.shift, 0, stage) if even else ""
    if even:  # a tie leaves zeros below: clear the last bit, half to even
        tie = f"{low} == {op.shift}'d0"
        mask = f"{{{width - 1}'d0, {tie}}}" if width > 1 else f"({tie})"
        lines.append(f"assign {rounded} = {kept} & ~{mask};")
    else:
        lines.append(f"assign {rounded} = {kept};")
    bounds = (lo >> op.shift, hi >> op.shift)
    if op.wrap is not None:
        return [*lines, _wrapped(signals, node, rounded, width)]
    if op.zero_outside is not None:
        lower, upper = (f"$signed({rounded})" if bounds[0] < 0 else rounded), op.zero_outside
        return [*lines, *_zeroed(signals, node, rounded, width, lower, (upper.min, upper.max), bounds)]
    return [*lines, *clamp(signals, node, rounded, bounds, op.least, op.most)]


def _round_addend(
    signals: Signals, node: int, op: Cast, bounds: tuple[int, int], stage: int, lines: list[str]
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
    name = f"{signals.name(node)}_a"
    addend = constant(positive, width)
    if positive != negative and lo < 0:
        sign = signals.sign(Ref(op.x.node), stage)
        addend = f"({sign} ? {constant(negative, width)} : {constant(positive, width)})"
    lines.append(f"logic {vector(width)}{name};")
    lines.append(f"assign {name} = {signals.bits(op.x, width, 0, stage)} + {addend};")
    limit = 1 << (width - 1) if total[0] < 0 else 1 << width
    return name, ((-limit, limit - 1) if total[0] < 0 else (0, limit - 1))


def _wrapped(signals: Signals, node: int, rounded: str, width: int) -> str:
    wanted = signals.path.width(node)
    text = _slice(rounded, width, wanted)
    if wanted > width:  # a negative number becomes a large one: only its sign leaves the range of the type
        sign = f"{rounded}[{width - 1}]" if width > 1 else rounded
        text = f"{{{{{wanted - width}{{{sign}}}}}, {rounded}}}"
    return f"assign {signals.name(node)} = {text};"


def _zeroed(
    signals: Signals, node: int, rounded: str, width: int, value: str, allowed: tuple[int, int], bounds: tuple[int, int]
) -> list[str]:
    inside = _comparisons(value, bounds, allowed, width)
    wanted = signals.path.width(node)
    return [f"assign {signals.name(node)} = ({inside}) ? {_slice(rounded, width, wanted)} : {wanted}'d0;"]


def clamp(
    signals: Signals, node: int, value: str, bounds: tuple[int, int], least: int | None, most: int | None
) -> list[str]:
    """Return the lines of a clamp: bit tests where a limit is a power of two, with comparisons elsewhere."""
    name, wanted = signals.name(node), signals.path.width(node)
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
