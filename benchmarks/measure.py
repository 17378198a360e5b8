"""Simulation and synthesis of one network by every tool, the same way for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.ours import FAMILY, Design
from fpgaq.ir.types import FixedType
from fpgaq.rtl.hardware import Hardware
from fpgaq.synth import netlist, simulate

Row = dict[str, Any]
Unpack = Callable[[int], list[int]]


class Measure:
    """Simulates and synthesizes designs of one network.

    Parameters
    ----------
    x : int array, shape (samples, n_in)
        Input codes.
    want : int array, shape (samples, n_out)
        What every design must compute.
    work : Path
        Folder for what is made.
    input_type : FixedType
    netlists : bool
        Also simulate what synthesis gave.
    """

    def __init__(
        self, x: np.ndarray, want: np.ndarray, work: Path, input_type: FixedType, *, netlists: bool = False
    ) -> None:
        self.want, self.work, self.netlists = want, work, netlists
        width = input_type.width
        self.words = [sum((int(v) & (1 << width) - 1) << (width * i) for i, v in enumerate(row)) for row in x]

    @staticmethod
    def unpacking(hardware: Hardware) -> Unpack:
        """Return what takes an output word of ours apart."""
        (end,) = hardware.outputs
        formats = [(int(end.operand.type.signed), end.width - int(end.operand.type.signed), 0)] * end.count
        return lambda word: peers.signed_codes(word, formats, 0)

    def peer(self, made: peers.PeerDesign, frac: int, name: str) -> Row:
        """Measure what a peer wrote, whose outputs are compared with `frac` fraction bits."""

        def unpack(word: int) -> list[int]:
            return peers.signed_codes(word, made.outputs, frac)

        clock = "clk" if "stages" in made.facts else None
        row = self._measure(made.sources, "peer", "model_inp", "model_out", clock, {}, unpack, name)
        return row | made.facts

    def design(self, design: Design, unpack: Unpack, name: str) -> Row:
        """Measure a design of fpgaq."""
        clock = "clk" if design.stages else None
        held = {"rst_n": 1, "in_valid": 1, "in_last": 0, "out_ready": 1} if clock else {}
        row = self._measure(design.sources, design.top, "in_data", "out_data", clock, held, unpack, name)
        facts = {"stages": design.stages, "clock_period": design.clock_period, "register_bits": design.register_bits}
        return row | (facts if clock else {})

    def _measure(
        self,
        sources: Sequence[Path],
        top: str,
        port_in: str,
        port_out: str,
        clock: str | None,
        held: dict[str, int],
        unpack: Unpack,
        name: str,
    ) -> Row:
        work = self.work / name

        def latency(files: Sequence[Path], folder: str) -> int:
            drain = 40 if clock else 0
            vectors = [{port_in: word, **held} for word in [*self.words, *self.words[:1] * drain]]
            ports = [port_in, *held]
            found = simulate(files, top, vectors, inputs=ports, outputs=[port_out], clock=clock, work=work / folder)
            codes = [unpack(step[port_out]) for step in found]
            for delay in range(drain + 1):
                if codes[delay : delay + len(self.want)] == self.want.tolist():
                    return delay
            raise RuntimeError(f"{name}: the Verilog does not compute the reference")

        row: Row = {"latency": latency(sources, "sim")}
        started = time.monotonic()
        made = netlist(sources, top, family=FAMILY, work=work / "synth")
        row |= made.resources.to_json()
        row["synth_seconds"] = round(time.monotonic() - started, 1)
        if self.netlists and latency([made.path, *made.models], "netlist_sim") != row["latency"]:
            raise RuntimeError(f"{name}: the netlist has another latency than its sources")
        print(name, self.work.name, row, flush=True)
        return row
