"""The signals of a scheduled datapath: their names, and their bits as text."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaq.rtl.datapath import (
    Cast,
    Constant,
    Datapath,
    Larger,
    Limit,
    Lookup,
    Masked,
    Max0,
    Probe,
    Product,
    Ref,
    Smaller,
    Source,
    Stair,
    Sum,
    interval_width,
)
from fpgaq.rtl.pipeline import Schedule
from fpgaq.rtl.verilog import constant

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
    Smaller: "w",
    Product: "p",
}


@dataclass(frozen=True)
class Signals:
    """Names and bits of the values of a datapath.

    Parameters
    ----------
    path : Datapath
    schedule : Schedule
    """

    path: Datapath
    schedule: Schedule

    def name(self, node: int, stage: int | None = None) -> str:
        """Return the name of a node's value as it is available in a stage."""
        base = f"{_PREFIXES[type(self.path.ops[node])]}{node}"
        late = 0 if stage is None else stage - self.schedule.stage[node]
        return f"{base}_d{late}" if late else base

    def bits(self, ref: Ref, width: int, low: int, stage: int, above: int = 0) -> str:
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

    def sign(self, ref: Ref, stage: int) -> str:
        """Return the sign bit of a value."""
        name, bits = self.name(ref.node, stage), self.path.width(ref.node)
        return f"{name}[{bits - 1}]" if bits > 1 else name

    def whole(self, ref: Ref, stage: int) -> str:
        """Return all bits that a shifted value needs by its bounds."""
        return self.bits(ref, interval_width(*self.path.ref_bounds(ref)), 0, stage)
