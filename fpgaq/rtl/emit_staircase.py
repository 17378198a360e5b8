"""Staircases as SystemVerilog: comparators, tables, and the steps of a binary search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fpgaq.rtl.datapath import Lookup, Stair
from fpgaq.rtl.verilog import constant, vector

#: Text of an operand, its bits, whether it is signed.
Operand = tuple[str, int, bool]


def stair(name: str, width: int, x: Operand, op: Stair) -> list[str]:
    """Return the assignment of a staircase, as a chain of comparisons or as a table."""
    text, bits, signed = x
    lines = [f"logic {vector(bits)}{name}_v;", f"assign {name}_v = {text};"]
    if op.table:
        codes = table_codes(op, bits, signed)
        # A table for each bit of the result, which is a LUT or a few of them.
        for bit in range(width):
            ones = sum((code >> bit & 1) << k for k, code in enumerate(codes))
            table = f"{name}_table_{bit}"
            lines.append(f"localparam logic [{(1 << bits) - 1}:0] {table} = {1 << bits}'h{ones:x};")
            lines.append(f"assign {name}{f'[{bit}]' if width > 1 else ''} = {table}[{name}_v];")
        return lines
    value = f"$signed({name}_v)" if signed else f"{name}_v"
    parts = []
    for threshold, code in reversed(list(zip(op.thresholds, op.codes[1:], strict=True))):
        limit = constant(threshold, bits)
        parts.append(f"({value} >= {f'$signed({limit})' if signed else limit}) ? {constant(code, width)} : ")
    return [*lines, f"assign {name} = {''.join(parts)}{constant(op.codes[0], width)};"]


def table_codes(op: Stair, bits: int, signed: bool) -> list[int]:
    """Return the code of a staircase for every word of its operand, which has so many bits."""
    values = np.arange(1 << bits)
    values[1 << (bits - 1) :] -= signed << bits
    codes: list[int] = np.asarray(op.codes)[np.searchsorted(op.thresholds, values, side="right")].tolist()
    return codes


def probe(name: str, x: Operand, bits: Sequence[str], thresholds: Sequence[int]) -> list[str]:
    """Return a comparison with the threshold that the bits select."""
    text, width, signed = x
    # One below the threshold always has the width of x, also where no x reaches the threshold.
    limits = [constant(threshold - 1, width) for threshold in thresholds]
    lines = [f"logic {vector(width)}{name}_v;", f"assign {name}_v = {text};"]
    limit = limits[0]
    if bits:
        limit = f"{name}_t"
        lines += [f"logic {vector(width)}{limit};", *_case(limit, bits, limits)]
    pair = [f"$signed({side})" if signed else side for side in (f"{name}_v", limit)]
    return [*lines, f"assign {name} = {pair[0]} > {pair[1]};"]


def lookup(name: str, width: int, bits: Sequence[str], op: Lookup) -> list[str]:
    """Return what stands for the number that the bits form."""
    return _case(name, bits, [constant(code, width) for code in op.codes])


def _case(name: str, bits: Sequence[str], values: Sequence[str]) -> list[str]:
    selector = f"{{{', '.join(bits)}}}" if len(bits) > 1 else bits[0]
    rows = [f"    {len(bits)}'d{k}: {name} = {value};" for k, value in enumerate(values)]
    return [f"always_comb case ({selector})", *rows, "endcase"]
