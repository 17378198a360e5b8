"""An adder of a datapath as SystemVerilog; low bits in which only one operand lives are wired through."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.cmvm import Adder
from fpgaq.rtl.datapath import Ref
from fpgaq.rtl.signals import Signals
from fpgaq.rtl.verilog import constant, instance


@dataclass
class _Operand:
    """One operand of an adder: a shifted value or a constant."""

    text: str
    lowest: int
    negative: bool


def addition(signals: Signals, node: int, adder: Adder, stage: int, unread: int) -> list[str]:
    """Return the lines of one adder.

    Parameters
    ----------
    signals : Signals
    node : int
        Whose value it is.
    adder : Adder
    stage : int
    unread : int
        Low bits of the sum that nothing reads.
    """
    if adder.lifts:
        return _lifted(signals, node, adder, stage)
    name, width = signals.name(node), signals.path.width(node)
    lowest = [t.shift for t in adder.terms]
    if adder.constant:
        lowest.append((adder.constant & -adder.constant).bit_length() - 1)
    through = passed_low_bits(adder, width)
    above = _extensions(signals, adder)
    operands = [
        _Operand(signals.bits(Ref(t.node, t.shift), width, through, stage, extension), t.shift, t.negative)
        for t, extension in zip(adder.terms, above, strict=True)
    ]
    if adder.constant:
        operands.append(_Operand(constant(adder.constant >> through, width - through), lowest[-1], False))
    lines = [f"// {name} = {_formula(signals, adder, stage)}"]
    target = name
    if through:
        target = f"{name}[{width - 1}:{through}]"
        lines.append(f"assign {name}[{through - 1}:0] = {_low_bits(signals, adder, lowest, above, through, stage)};")
    return [*lines, _assigned(target, name, width - through, operands, min(max(unread - through, 0), width - through))]


def _lifted(signals: Signals, node: int, adder: Adder, stage: int) -> list[str]:
    """One term with its sign bit inverted; where it is never positive, that bit is known."""
    (term,) = adder.terms
    ref = Ref(term.node, term.shift)
    width, below = signals.path.width(node), term.shift + signals.path.width(term.node) - 1
    text = signals.bits(ref, min(width, below), 0, stage) if below else ""
    if width > below:
        inverted = f"~{signals.sign(ref, stage)}"
        text = f"{{{inverted}, {text}}}" if text else inverted
    name = signals.name(node)
    return [f"// {name} = {_formula(signals, adder, stage)}", f"assign {name} = {text};"]


def _extensions(signals: Signals, adder: Adder) -> list[int]:
    """Split the offset of an adder into constants that stand above its terms.

    Ones above a term that is subtracted are zeros in the adder, so those that cannot be negative get them first.
    The term that ends lowest has room for what is left.
    """
    tops = {
        k: t.shift + signals.path.width(t.node) for k, t in enumerate(adder.terms) if not signals.path.signed(t.node)
    }
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


def _low_bits(signals: Signals, adder: Adder, lowest: list[int], above: list[int], through: int, stage: int) -> str:
    k = min(range(len(lowest)), key=lowest.__getitem__)
    if k == len(adder.terms):
        return constant(adder.constant, through)
    return signals.bits(Ref(adder.terms[k].node, adder.terms[k].shift), through, 0, stage, above[k])


def _formula(signals: Signals, adder: Adder, stage: int) -> str:
    parts = []
    for t in adder.terms:
        factor = f"{1 << t.shift}*" if t.shift else ""
        parts.append(f"{'-' if t.negative else '+'} {factor}{signals.name(t.node, stage)}")
    for number in filter(None, (adder.constant, adder.offset)):
        parts.append(f"{'-' if number < 0 else '+'} {abs(number)}")
    return " ".join(parts).removeprefix("+ ")


def passed_low_bits(adder: Adder, width: int) -> int:
    """Return the low bits of a sum in which one positive operand lives alone, or none does."""
    lows = sorted((t.shift, t.negative) for t in adder.terms)
    if adder.constant:
        lows = sorted([*lows, ((adder.constant & -adder.constant).bit_length() - 1, False)])
    alone = len(lows) > 1 and not lows[0][1]
    return min(lows[1][0] if alone else lows[0][0], width - 1)


def _assigned(target: str, name: str, width: int, operands: list[_Operand], unread: int) -> str:
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
