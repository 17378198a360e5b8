"""Registers around a netlist, so that a part of a chip can be placed and routed alone.

An IP has many more ports than a package has pins. Every input bit therefore comes from a register of one long shift
register, and every output bit goes to a register whose contents are folded into a second one: three pins are left, and
every path of the IP, those at its ports too, runs from register to register. The cells are added to the mapped netlist:
nothing is optimized across the border, and they can be counted apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fpgaq.errors import ToolError

PREFIX = "harness_"

Module = dict[str, Any]  # of yosys' JSON


@dataclass(frozen=True)
class Primitives:
    """A family's cells for the harness.

    Attributes
    ----------
    flip_flop, clock, data, result
        Type and pins of a register on the rising edge.
    parameters, tied
        Parameters of the register, and pins of it that are constants.
    lut, init, pins, output
        Type, name of the truth table, input pins and output pin of a look-up table with four inputs.
    """

    flip_flop: str
    clock: str
    data: str
    result: str
    parameters: Mapping[str, str]
    tied: Mapping[str, str]
    lut: str
    init: str
    pins: str
    output: str


@dataclass(frozen=True)
class Harness:
    """What was added to a netlist."""

    flip_flops: int
    luts: int


def enclose(module: Module, clock: str, primitives: Primitives) -> Harness:
    """Put registers at all ports of a mapped module but its clock, in place.

    Raises
    ------
    ToolError
        The module has no such clock, or a port that is neither input nor output.
    """
    ports: dict[str, Any] = module["ports"]
    if clock not in ports or len(ports[clock]["bits"]) != 1:
        raise ToolError(f"no clock port '{clock}' of one bit; ports: {', '.join(ports)}")
    if odd := [name for name, port in ports.items() if port["direction"] not in ("input", "output")]:
        raise ToolError(f"port '{odd[0]}' is neither input nor output")
    return _Builder(module, clock, primitives).build()


class _Builder:
    def __init__(self, module: Module, clock: str, primitives: Primitives) -> None:
        self.module = module
        self.clock_name = clock
        self.clock: int = module["ports"][clock]["bits"][0]
        self.cells = primitives
        used = [bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int)]
        self.nets = itertools.count(max(used) + 1)
        self.flip_flops = self.luts = 0

    def build(self) -> Harness:
        first = last = next(self.nets)
        read = {bit for cell in self.module["cells"].values() for bits in cell["connections"].values() for bit in bits}
        read |= {bit for _, bit in self._bits("output")}
        for name, bit in self._bits("input"):
            if bit in read and bit != self.clock:
                self._register(f"in_{name}", last, bit)
                last = bit
        for name, bit in self._bits("output"):
            held, mixed, shifted = (next(self.nets) for _ in range(3))
            self._register(f"out_{name}", bit, held)
            self._xor(f"mix_{name}", held, last, mixed)
            self._register(f"shift_{name}", mixed, shifted)
            last = shifted
        self.module["ports"] = {
            self.clock_name: self.module["ports"][self.clock_name],
            f"{PREFIX}in": {"direction": "input", "bits": [first]},
            f"{PREFIX}out": {"direction": "output", "bits": [last]},
        }
        return Harness(self.flip_flops, self.luts)

    def _bits(self, direction: str) -> Iterator[tuple[str, int]]:
        """Yield name and net of the port bits of a direction; constant outputs have no net."""
        for name, port in self.module["ports"].items():
            for number, bit in enumerate(port["bits"]):
                if port["direction"] == direction and isinstance(bit, int):
                    yield f"{name}_{number}", bit

    def _register(self, name: str, data: int, result: int) -> None:
        c = self.cells
        nets: dict[str, int | str] = {c.clock: self.clock, c.data: data, **c.tied, c.result: result}
        self._cell(name, c.flip_flop, dict(c.parameters), nets, c.result)
        self.flip_flops += 1

    def _xor(self, name: str, a: int, b: int, result: int) -> None:
        c = self.cells
        inputs: list[int | str] = [a, b, "0", "0"]
        nets = {**dict(zip(c.pins.split(), inputs, strict=True)), c.output: result}
        self._cell(name, c.lut, {c.init: f"{0x6666:016b}"}, nets, c.output)
        self.luts += 1

    def _cell(
        self, name: str, kind: str, parameters: dict[str, str], nets: Mapping[str, int | str], output: str
    ) -> None:
        self.module["cells"][PREFIX + name] = {
            "hide_name": 0,
            "type": kind,
            "parameters": parameters,
            "attributes": {},
            "port_directions": {pin: "output" if pin == output else "input" for pin in nets},
            "connections": {pin: [net] for pin, net in nets.items()},
        }
