"""Elements of few values as bits that weigh the same, so that their sum is a count of ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Node, Operand
from fpgaq.ir.ops import Pad, Reshape, Staircases, Thresholds, WindowMax, Windows


@dataclass(frozen=True)
class Literal:
    """A bit of an element, or its inverse."""

    bit: int
    inverted: bool


@dataclass(frozen=True)
class InputBits:
    """``element = least + step * (sum of the bits)``.

    Parameters
    ----------
    least, step : int
        The step is a power of two.
    bits : tuple of tuple of Literal
        Every bit is the conjunction of its literals.
    """

    least: int
    step: int
    bits: tuple[tuple[Literal, ...], ...]

    @property
    def count(self) -> int:
        """Bits of an element."""
        return len(self.bits)

    def texts(self, element: str) -> list[str]:
        """Return every bit as an expression; `element` names bit 0 of the element with a place for what follows it."""
        return [" & ".join(f"{'~' * t.inverted}{element.format(t.bit)}" for t in literals) for literals in self.bits]


def input_bits(source: Operand, levels: Sequence[int] | None = None) -> InputBits | None:
    """Return the bits of an element that has two values, or that is -1, 0 or 1; None where it has others.

    Parameters
    ----------
    source : Operand
        The vector.
    levels : sequence of int, optional
        The values of its elements, where more is known than their bounds.
    """
    lo, hi = source.bounds.hull
    values = sorted(range(lo, hi + 1) if levels is None and hi - lo <= 2 else levels or ())
    if len(values) == 2:
        least, most = values
        step = most - least
        place = (step & -step).bit_length() - 1
        if step & (step - 1):
            return None
        return InputBits(least, step, ((Literal(place, not most >> place & 1),),))
    if values == [-1, 0, 1]:
        # Thermometer: at least 0, at least 1.
        sign = Literal(source.type.width - 1, True)
        return InputBits(-1, 1, ((sign,), (sign, Literal(0, False))))
    return None


def known_levels(nodes: Mapping[str, Node], name: str) -> tuple[int, ...] | None:
    """Return the values that elements of a tensor can have, where a staircase and margins make it."""
    node = nodes[name]
    margins = set()
    while isinstance(node, (Pad, Reshape, WindowMax, Windows)):
        margins |= {node.value} if isinstance(node, Pad) else set()
        node = nodes[node.inputs[0]]
    if isinstance(node, (Thresholds, Staircases)):
        return tuple(sorted({*np.unique(node.codes).tolist(), *margins}))
    return None
