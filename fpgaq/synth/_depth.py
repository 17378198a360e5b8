"""Logic depth of a mapped netlist: a figure that every family has, without a place or a delay in it.

The depth is the largest number of LUTs and carry chains in a row on any path that no register cuts, ports included. A
carry chain counts once, however long it is; so do a look-up in distributed RAM and a DSP block without registers. The
multiplexers that join LUTs (MUXF7, PFUMX, ...) count nothing. Cells of several bits count as a whole: a path may enter
at any input and leave at any output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from fpgaq.synth.families import Family

_MUXES = ("MUXF[789]", "PFUMX", "L6MUX21", "MUX2_LUT[5678]")
_CARRY_IN = ("CI", "CIN")
# Distributed RAM and shift registers are read without a clock at these pins; all others belong to writing.
_READ_PINS = ("A", "A[0-9]", "AD*", "DPRA*", "RAD*", "B1ADDR")
# Registers of AMD's DSP blocks that cut the way from a pin to the result.
_DSP_REGISTERS = {"A": ("AREG", "MREG"), "B": ("BREG", "MREG"), "D": ("DREG", "MREG"), "C": ("CREG",)}

Cells = Mapping[str, Mapping[str, Any]]  # of a module in yosys' JSON


def logic_depth(cells: Cells, family: Family) -> int | None:
    """Return the depth of a netlist; None where cells of several bits form a loop that its single bits do not have."""
    weights = {name: weight for name, cell in cells.items() if (weight := _weight(cell, family)) is not None}
    drivers = {bit: name for name in weights for bit in _outputs(cells[name])}
    waiting = dict.fromkeys(weights, 0)
    readers: dict[str, list[tuple[str, bool]]] = {name: [] for name in weights}
    for name in weights:
        for pin, bit in _inputs(cells[name], family):
            driver = drivers.get(bit)
            if driver is not None:
                chained = pin in _CARRY_IN and _is_carry(cells[driver], family)
                readers[driver].append((name, chained))
                waiting[name] += 1
    depth = dict(weights)
    ready = [name for name, count in waiting.items() if not count]
    done = 0
    while ready:
        name = ready.pop()
        done += 1
        for reader, chained in readers[name]:
            depth[reader] = max(depth[reader], depth[name] + (0 if chained else weights[reader]))
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    return max(depth.values(), default=0) if done == len(weights) else None


def _weight(cell: Mapping[str, Any], family: Family) -> int | None:
    """Return what a cell adds to a path through it; None where no path goes through."""
    kind = cell["type"]
    if any(fnmatchcase(kind, pattern) for pattern in _MUXES):
        return 0
    cost = next((cost for pattern, cost in family.cells.items() if fnmatchcase(kind, pattern)), None)
    return 1 if cost is not None and (cost.lut or cost.carry or cost.lutram or cost.dsp) else None


def _is_carry(cell: Mapping[str, Any], family: Family) -> bool:
    return any(cost.carry and fnmatchcase(cell["type"], pattern) for pattern, cost in family.cells.items())


def _outputs(cell: Mapping[str, Any]) -> Iterator[int]:
    for pin, bits in cell["connections"].items():
        if cell["port_directions"][pin] == "output":
            yield from bits


def _inputs(cell: Mapping[str, Any], family: Family) -> Iterator[tuple[str, int]]:
    """Yield pin and net of the inputs from which a path leads through a cell."""
    cost = next(cost for pattern, cost in family.cells.items() if fnmatchcase(cell["type"], pattern))
    for pin, bits in cell["connections"].items():
        if cell["port_directions"][pin] == "output":
            continue
        if cost.lutram and not any(fnmatchcase(pin, pattern) for pattern in _READ_PINS):
            continue
        if cost.dsp and any(_has(cell, name) for name in (*_DSP_REGISTERS.get(pin, ()), "PREG")):
            continue
        for bit in bits:
            if isinstance(bit, int):
                yield pin, bit


def _has(cell: Mapping[str, Any], parameter: str) -> bool:
    """Whether a register is in use: parameters of DSP blocks are numbers, written in binary."""
    return "1" in str(cell["parameters"].get(parameter, ""))
