"""The network through fpgaq: without registers, and as the pipeline that fpgaq makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fpgaq import resources
from fpgaq.ir.graph import Graph
from fpgaq.rtl.emit_datapath import DatapathWriter
from fpgaq.rtl.hardware import Hardware, make_hardware
from fpgaq.rtl.pipeline import Schedule, schedule
from fpgaq.rtl.unrolled_layer import UnrolledLayer
from fpgaq.rtl.verilog import Module, Port, instance

FAMILY = "xc7"
_CLOCKS = [period / 10 for period in range(20, 301)]  # ns


@dataclass(frozen=True)
class Design:
    """Sources of one build.

    Parameters
    ----------
    sources : list of Path
    top : str
    stages : int
        Registers on every path from input to output.
    clock_period : float or None
        What the registers were placed for, ns.
    register_bits : int
        Bits of data registers that were asked for.
    """

    sources: list[Path]
    top: str
    stages: int = 0
    clock_period: float | None = None
    register_bits: int = 0


def solved(graph: Graph, optimized: Graph | None = None) -> Hardware:
    """Return the hardware with its adder graphs solved; the clock is set later, and changes no adder.

    `optimized` is built as it stands, in place of what fpgaq would make of the graph.
    """
    hardware = make_hardware(graph, 1e6, FAMILY)
    if optimized is not None:
        hardware.__dict__["optimized"] = optimized
    for layer in layers(hardware):
        layer.path  # noqa: B018  solves
    return hardware


def combinational(hardware: Hardware, folder: Path) -> Design:
    """Write the layers without any register, one module each, and a top that chains them."""
    modules = []
    for layer in layers(hardware):
        path = layer.path
        still = Schedule(0, (0,) * len(path.ops), (0,) * len(path.ops))
        module = Module(f"{layer.name}_comb", [f"{layer.name} without registers"], _data_ports(layer))
        body = DatapathWriter(path, still, "1'b1").body("in_data", layer.in_widths, "out_data", layer.result.type.width)
        module.body = ["/* verilator lint_off UNUSEDSIGNAL */", *body, "/* verilator lint_on UNUSEDSIGNAL */"]
        modules.append(module)
    return Design(_write([*modules, _chain(hardware, "_comb", [])], folder), "chain")


def pipelined(hardware: Hardware, stages: int, folder: Path) -> Design:
    """Write the layers as fpgaq pipelines them, with as many stages in all as asked for, or the next fewer.

    Valid, ready and last of every layer are part of it; the AXI-Stream top with its skid buffer is not.
    """
    clock = _clock_for(hardware, stages)
    timed = _at_clock(hardware, clock)
    controls = ["clk", "rst_n", "valid", "ready", "last"]
    modules = [module for layer in timed for module in layer.modules()]
    sources = _write([*modules, _chain(hardware, "", controls)], folder)
    bits = sum(layer.schedule.register_bits(layer.path) for layer in timed)
    return Design(sources, "chain", sum(layer.latency for layer in timed), clock, bits)


def layers(hardware: Hardware) -> list[UnrolledLayer]:
    """Return the layers, all of which are unrolled here."""
    found = [block.hardware for block in hardware.blocks]
    return [layer for layer in found if isinstance(layer, UnrolledLayer)]


def _at_clock(hardware: Hardware, clock_period: float) -> list[UnrolledLayer]:
    again = layers(make_hardware(hardware.graph, clock_period, FAMILY))
    for new, old in zip(again, layers(hardware), strict=True):
        new.__dict__["path"] = old.path  # the cached adder graph: solving takes most of the time
    return again


def _clock_for(hardware: Hardware, stages: int) -> float:
    """Return the shortest clock period that takes no more stages."""
    found_layers = layers(hardware)
    for clock in _CLOCKS:
        found = sum(_stages(layer, clock) for layer in found_layers)
        if found <= stages:
            return clock
    raise ValueError(f"{len(found_layers)} layers do not fit {stages} stages")


def _stages(layer: UnrolledLayer, clock_period: float) -> int:
    """Return the stages that a layer takes at a clock, without placing the registers well."""
    return schedule(layer.path, clock_period * 1000, layer.model).stages


def _data_ports(layer: UnrolledLayer) -> list[Port]:
    (source,) = layer.sources
    n_in, n_out = source.bounds.lo.size, layer.result.bounds.lo.size
    return [
        Port("input", "in_data", n_in * source.type.width),
        Port("output", "out_data", n_out * layer.result.type.width),
    ]


def _chain(hardware: Hardware, suffix: str, controls: list[str]) -> Module:
    """Return a top that chains the layers; `controls` are the signals beside the data."""
    chained = layers(hardware)
    bits = [port.width for port in _data_ports(chained[0])[:1]] + [_data_ports(layer)[1].width for layer in chained]
    shared = [c for c in controls if c in ("clk", "rst_n")]
    stream = [c for c in controls if c not in shared]
    ports = [Port("input", name) for name in shared]
    for side in ("in", "out"):
        for name in stream:
            against = (name == "ready") != (side == "out")
            ports.append(Port("output" if against else "input", f"{side}_{name}"))
    ports += [Port("input", "in_data", bits[0]), Port("output", "out_data", bits[-1])]
    chain = Module("chain", ["the layers, one after the other"], ports)
    for k, width in enumerate(bits):
        chain.body += [f"logic [{width - 1}:0] data_{k};", *(f"logic {name}_{k};" for name in stream)]
    for side, k in (("in", 0), ("out", len(chained))):
        for name in ("data", *stream):
            into = (name == "ready") != (side == "in")
            inner, outer = f"{name}_{k}", f"{side}_{name}"
            chain.body.append(f"assign {inner} = {outer};" if into else f"assign {outer} = {inner};")
    for k, layer in enumerate(chained):
        connections = {name: name for name in shared}
        for side, j in (("in", k), ("out", k + 1)):
            connections |= {f"{side}_{name}": f"{name}_{j}" for name in (*stream, "data")}
        chain.body.append(instance(f"{layer.name}{suffix}", f"u_{layer.name}", connections))
    return chain


def _write(modules: list[Module], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for module in modules:
        path = folder / f"{module.name}.sv"
        path.write_text(str(module))
        files.append(path)
    text = "".join(path.read_text() for path in files)
    library = resources.rtl_library()
    return files + [library / f"{name}.sv" for name in ("add3", "pipeline_control") if f"{name} " in text]
