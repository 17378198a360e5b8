"""The devices that nextpnr knows of a family, and the smallest one for a netlist. One table, no code per family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fpgaq.errors import ConfigError, ToolError
from fpgaq.synth._harness import Harness, Primitives
from fpgaq.synth.resources import Resources

# A device is not filled further where there is a larger one: at 81 % of the LUTs of an LFE5U-25F nextpnr searched for a
# quarter of an hour and found no place for a carry chain.
_FULL = 0.7

Cells = Mapping[str, Mapping[str, Any]]  # of a module in yosys' JSON


@dataclass(frozen=True)
class Device:
    """One chip: what it holds, and how nextpnr calls it.

    Attributes
    ----------
    name
        Part number and package.
    arguments
        Of nextpnr.
    capacity
        Of `lut`, `ff`, `dsp`, `bram18`; where a LUT and a flip-flop share a logic cell, `lut` counts those.
    """

    name: str
    arguments: tuple[str, ...]
    capacity: Mapping[str, int]


@dataclass(frozen=True)
class Target:
    """A family that nextpnr places and routes.

    Attributes
    ----------
    tool
        Executable.
    devices
        From small to large.
    arguments
        Of nextpnr, for every device.
    shared
        A LUT and a flip-flop are one logic cell: they count together, but for a flip-flop right behind a LUT.
    chain_luts
        LUTs that nextpnr spends on getting into and out of a carry chain, beyond yosys' count.
    primitives
        Cells for the registers around the design.
    """

    tool: str
    devices: tuple[Device, ...]
    arguments: tuple[str, ...]
    shared: bool
    chain_luts: int
    primitives: Primitives


def _ecp5(size: str, lut: int, bram: int, dsp: int) -> Device:
    arguments = (f"--{size.lower().removesuffix('f')}k", "--package", "CABGA381", "--speed", "6")
    return Device(f"LFE5U-{size}-6BG381C", arguments, {"lut": lut, "ff": lut, "bram18": bram, "dsp": dsp})


TARGETS: Mapping[str, Target] = {
    "ecp5": Target(
        tool="nextpnr-ecp5",
        devices=(_ecp5("25F", 24288, 56, 28), _ecp5("45F", 43848, 108, 72), _ecp5("85F", 83640, 208, 156)),
        arguments=("--lpf-allow-unconstrained",),
        shared=False,
        chain_luts=4,
        primitives=Primitives(
            flip_flop="TRELLIS_FF",
            clock="CLK",
            data="DI",
            result="Q",
            # A trailing space tells nextpnr that the text is one, not a number.
            parameters={"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"},
            tied={"LSR": "0"},
            lut="LUT4",
            init="INIT",
            pins="A B C D",
            output="Z",
        ),
    ),
    "ice40": Target(
        tool="nextpnr-ice40",
        devices=(
            Device("iCE40HX1K-TQ144", ("--hx1k", "--package", "tq144"), {"lut": 1280, "bram18": 16, "dsp": 0}),
            Device("iCE40HX8K-CT256", ("--hx8k", "--package", "ct256"), {"lut": 7680, "bram18": 32, "dsp": 0}),
        ),
        arguments=("--pcf-allow-unconstrained",),
        shared=True,
        chain_luts=0,
        primitives=Primitives(
            flip_flop="SB_DFF",
            clock="C",
            data="D",
            result="Q",
            parameters={},
            tied={},
            lut="SB_LUT4",
            init="LUT_INIT",
            pins="I0 I1 I2 I3",
            output="O",
        ),
    ),
}
"""By name of the family."""


def target(family: str) -> Target:
    """Return how a family is placed and routed.

    Raises
    ------
    ConfigError
        Nothing here can; the message says what can.
    """
    if family not in TARGETS:
        able = " and ".join(TARGETS)
        raise ConfigError(
            f"place and route is for {able}, with nextpnr; for {family} there is none here: choose another --family,"
            " or, for AMD, let 'fpgaq vendor' write scripts for Vivado"
        )
    return TARGETS[family]


def smallest(found: Target, cells: Cells, resources: Resources, harness: Harness) -> Device:
    """Return the smallest device for a netlist: at most 70 % full, or the largest if that holds it at all.

    Parameters
    ----------
    found : Target
    cells : mapping
        The netlist in its harness.
    resources : Resources
        Of the netlist alone.
    harness : Harness

    Raises
    ------
    ToolError
        Even the largest is too small; the message has the counts.
    """
    chains = found.chain_luts * _chains(cells)
    lut, ff = resources.lut + resources.lutram + chains + harness.luts, resources.ff + harness.flip_flops
    needed = {"lut": lut, "ff": ff, "dsp": resources.dsp, "bram18": resources.bram18}
    if found.shared:
        needed["lut"] += needed.pop("ff") - _joined(cells, found.primitives)
    largest = found.devices[-1]
    for device in found.devices:
        if all(count <= _FULL * device.capacity[kind] for kind, count in needed.items()):
            return device
    if all(count <= largest.capacity[kind] for kind, count in needed.items()):
        return largest
    titles = {"lut": "logic cells" if found.shared else "LUT", "ff": "FF", "dsp": "DSP", "bram18": "block RAMs"}
    counts = ", ".join(f"{count} {titles[kind]} of {largest.capacity[kind]}" for kind, count in needed.items())
    raise ToolError(
        f"The design does not fit into the largest device, {largest.name}: it needs {counts}, of these"
        f" {chains} LUT for the ends of carry chains, {harness.luts} LUT and {harness.flip_flops} FF for the registers"
        " around its ports. Fold it more (reuse"
        " factors), or use fewer bits."
    )


def _chains(cells: Cells) -> int:
    """Return the number of carry chains: of cells whose carry-in is no other cell's carry-out."""
    nets = [cell["connections"] for cell in cells.values() if "CIN" in cell["connections"]]
    carried = {bit for pins in nets for bit in pins.get("COUT", ())}
    return sum(carried.isdisjoint(pins["CIN"]) for pins in nets)


def _joined(cells: Cells, primitives: Primitives) -> int:
    """Return how many flip-flops read a LUT that nothing else reads: such a pair is one logic cell."""
    readers: dict[int | str, list[tuple[str, str]]] = {}
    luts: list[int] = []
    for cell in cells.values():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"][pin] != "output":
                for bit in bits:
                    readers.setdefault(bit, []).append((cell["type"], pin))
            elif cell["type"] == primitives.lut:
                luts.extend(bits)
    pairs = [readers[bit][0] for bit in luts if len(readers.get(bit, ())) == 1]
    return sum(kind.startswith(primitives.flip_flop) and pin == primitives.data for kind, pin in pairs)
