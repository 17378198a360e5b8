"""A recurrent layer: the hardware of a step, and an instance of the library block that sends every beat through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fpgaq.ir.ops import Scan
from fpgaq.rtl.dataflow import Dataflow
from fpgaq.rtl.pixel_block import PixelBlock
from fpgaq.rtl.unrolled_layer import stream_ports
from fpgaq.rtl.verilog import Module, constant, instance
from fpgaq.rtl.wiring import Wiring, side_by_side


@dataclass(frozen=True)
class ScanLoop(PixelBlock):
    """Hardware that takes a beat a step, one after the other.

    Parameters
    ----------
    name : str
        Module name.
    scan : Scan
    steps : int
        Beats of a frame.
    flow : Dataflow
        The step: sources are the beat and the states, sinks the streams of its results, each once.
    results : sequence of str
        Streams of the result and of the next states, in the order of the step's outputs.
    """

    name: str
    scan: Scan
    steps: int
    flow: Dataflow
    results: Sequence[str]

    @property
    def gives(self) -> tuple[bool, ...]:
        """Whether each beat gives a result."""
        return (True,) if self.scan.sequences else (*[False] * (self.steps - 1), True)

    @property
    def latency(self) -> int:
        """Cycles from a beat accepted to its result: no more than one beat is in the step."""
        return max(self.flow.latency[sink] for sink in self.flow.sinks) + 1

    @property
    def ii(self) -> int:
        """Cycles between beats, each of which needs the states that the one before leaves."""
        return self.latency

    @property
    def summary(self) -> str:
        """One line for headers and reports."""
        return f"loop of {self.steps} steps, {len(self.flow.blocks)} modules in each"

    def modules(self) -> list[Module]:
        """Return the modules, the layer itself last."""
        inner = [module for block in self.flow.blocks for module in block.hardware.modules()]
        x, *states = self.flow.sources
        bits, following = self.flow.bits, self.results[1:]
        out_bits = bits[self.results[0]]
        module = Module(
            self.name,
            [
                f"{self.name}: {self.summary}.",
                f"Input   {self.scan.step.inputs[0].shape[0]} x {self.scan.step.inputs[0].type} a beat.",
                f"Output  {out_bits // self.scan.type.width} x {self.scan.type}"
                f"{'' if self.scan.sequences else ', with the last beat of a frame'}.",
                f"Latency {self.latency} cycles, II {self.ii} cycles a beat.",
            ],
            stream_ports(bits[x], out_bits),
        )
        wiring = Wiring(self.flow, {"clk": "clk", "rst_n": "rst_n"})
        sources = [wiring.ends(stream) for stream in self.flow.sources]
        data_of = {sink: wiring.ends(sink).data for sink in self.flow.sinks}
        state_bits = sum(bits[state] for state in states)
        ports = {port.name: port.name for port in module.ports if port.name != "out_data"} | {
            "step_valid": side_by_side(end.valid for end in sources),
            "step_ready": side_by_side(end.ready for end in sources),
            "step_last": "step_last",
            "step_data": sources[0].data,
            "step_state": side_by_side(end.data for end in sources[1:]),
            **{f"back_{signal}": f"back_{signal}" for signal in ("valid", "ready", "last")},
            "back_state": side_by_side(data_of[name] for name in following),
        }
        parameters: dict[str, object] = {
            "X_WIDTH": bits[x],
            "STATE_WIDTH": state_bits,
            "SOURCES": len(sources),
            "EVERY": f"1'b{int(self.scan.sequences)}",
            "FIRST": constant(self._first(), state_bits),
        }
        module.body = [
            *wiring.signals(),
            "logic step_last, back_valid, back_ready, back_last;",
            *(f"assign {end.last} = step_last;" for end in sources),
            "",
            instance("stream_loop", "states", ports, parameters),
            "",
            *wiring.blocks(),
            "",
            *self._joined(wiring),
            f"assign out_data = {data_of[self.results[0]]};",
        ]
        return [*inner, module]

    def _first(self) -> int:
        """Return the states of the first step as one number."""
        word, place = 0, 0
        for state, code in zip(self.scan.states, self.scan.initial, strict=True):
            width = state.type.width
            for _ in range(state.shape[0]):
                word |= (code & ((1 << width) - 1)) << place
                place += width
        return word

    def _joined(self, wiring: Wiring) -> list[str]:
        """Return what makes one handshake of those of the results."""
        back = {signal: f"back_{signal}" for signal in ("valid", "ready", "last")}
        if len(wiring.sinks) == 1:
            (end,) = wiring.sinks
            return [
                f"assign back_valid = {end.valid};",
                f"assign {end.ready} = back_ready;",
                f"assign back_last = {end.last};",
            ]
        ports = {f"in_{s}": side_by_side(getattr(end, s) for end in wiring.sinks) for s in back}
        ports |= {f"out_{s}": name for s, name in back.items()}
        return [instance("stream_join", "results", ports, {"N": len(wiring.sinks)})]
