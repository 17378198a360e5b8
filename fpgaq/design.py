"""A converted model: the same network as golden model, C++ and SystemVerilog, in one folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaq.config import Options, make_options
from fpgaq.cosim import Simulation, SimulationResult
from fpgaq.cosim.verdict import Expected, find_trouble
from fpgaq.errors import ConfigError, GateError
from fpgaq.gates import Gate, Mismatch, compare, first_difference
from fpgaq.hls.csim import Csim
from fpgaq.ir import files, golden
from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import Reshape, Softmax
from fpgaq.ir.types import IntArray
from fpgaq.rtl.hardware import Hardware, make_hardware
from fpgaq.rtl.words import pack, unpack
from fpgaq.stimuli import real_codes
from fpgaq.synth import Synthesis, synthesize

if TYPE_CHECKING:
    from fpgaq.frontend.frozen import FrozenModel
    from fpgaq.hls.derive import Derivation

_DESIGN_FILE = "design.json"
_GRAPH_FILE = "graph.json"


@dataclass(frozen=True)
class Origin:
    """Where a design came from; known only in the process that converted it.

    Parameters
    ----------
    model : keras.Model
    derivation : Derivation
    hls_graph : hls4ml.model.ModelGraph
    """

    model: Any
    derivation: Derivation
    hls_graph: Any


class Design:
    """A network in all its executable forms.

    Parameters
    ----------
    graph : Graph
        The integer graph.
    options : Options
    folder : Path
        Where everything lies.
    origin : Origin, optional
        The Keras model behind it.
    """

    def __init__(self, graph: Graph, options: Options, folder: Path, origin: Origin | None = None) -> None:
        self.graph = graph
        self.options = options
        self.folder = Path(folder)
        self.origin = origin

    @classmethod
    def load(cls, folder: Path) -> Design:
        """Open a built folder.

        Raises
        ------
        ConfigError
            If it is not one.
        """
        try:
            options = make_options(json.loads((folder / _DESIGN_FILE).read_text())["options"])
            graph = files.loads((folder / _GRAPH_FILE).read_text())
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{folder} is not a built design ({error}); make one with fpgaq build or convert"
            ) from None
        return cls(graph, options, folder)

    def write(self) -> None:
        """Write the sources: integer graph, HLS project, SystemVerilog."""
        self.write_hardware()
        (self.folder / _DESIGN_FILE).write_text(
            json.dumps({"name": self.graph.name, "options": self.options.model_dump(mode="json")}, indent=1) + "\n"
        )
        if self.origin is not None:
            from fpgaq.frontend.lower import quiet

            with quiet():
                self.origin.hls_graph.write()

    def write_hardware(self) -> None:
        """Write the integer graph and the SystemVerilog only."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _GRAPH_FILE).write_text(files.dumps(self.graph))
        self.hardware.write(self.folder / "rtl")

    # --- parts ----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the design and of its top module."""
        return self.graph.name

    @cached_property
    def hardware(self) -> Hardware:
        """The SystemVerilog side, with its predictions."""
        return make_hardware(self.graph, self.options.clock_period, self.options.family)

    @property
    def sources(self) -> list[Path]:
        """The SystemVerilog files."""
        return sorted((self.folder / "rtl").glob("*.sv"))

    @property
    def simulation(self) -> Simulation:
        """The Verilator model."""
        return Simulation(self.sources, self.name, self.folder / "sim")

    @property
    def csim_library(self) -> Csim:
        """The compiled C++."""
        # hls4ml writes no trace for a reshape, which is no operation in C++.
        traced = tuple(
            n.layer
            for n in self.graph.nodes.values()
            if n.name == n.layer and n.inputs and not (isinstance(n, Reshape) and self._is_reshape_layer(n.layer))
        )
        return Csim(self.folder / "hls", self.folder / "csim" / "libcsim.so", self.graph, traced)

    def _is_reshape_layer(self, layer: str) -> bool:
        node = self.graph.nodes[layer]
        return self.graph.operand(node.inputs[0]).shape != self.graph.operand(layer).shape

    @cached_property
    def frozen(self) -> FrozenModel:
        """The frozen Keras model.

        Raises
        ------
        ConfigError
            For a design loaded from disk, which has no Keras model.
        """
        if self.origin is None:
            raise ConfigError(
                f"{self.folder} was built earlier: the Keras model is not here; build it again to compare with Keras"
            )
        from fpgaq.frontend.frozen import FrozenModel

        return FrozenModel(self.origin.model, self.origin.derivation, self.options.head)

    # --- executions -----------------------------------------------------------------------------------------------

    def golden(self, x: Any, *, raw: bool = False) -> np.ndarray:
        """Run the golden model.

        Parameters
        ----------
        x : array, shape (samples, ...)
            Real inputs, brought to the grid of the input type; codes with `raw`.
        raw : bool
            Codes in and out instead of values.

        Returns
        -------
        array, shape (samples, size)
            Exact values as float64, or int64 codes with `raw`.
        """
        return self._values(golden.run(self.graph, [self._codes(x, raw)])[0], raw)

    def csim(self, x: Any, *, raw: bool = False) -> np.ndarray:
        """Run the compiled C++; arguments and result as `golden`."""
        library = self.csim_library
        if not library.library.is_file():
            library.build()
        return self._values(library.run(self._codes(x, raw))[self.graph.outputs[0]], raw)

    def rtl(self, x: Any, *, raw: bool = False) -> tuple[np.ndarray, int]:
        """Simulate the SystemVerilog; also returns the measured latency in cycles."""
        result = self.simulate(self._codes(x, raw))
        if result.stream.violation is not None:
            raise GateError(f"design {self.name!r}: the simulated hardware is wrong at {result.stream.violation}")
        latency = result.stream.latency("m_axis")
        assert latency is not None
        return self._values(self.unpack(result.stream.words["m_axis"]), raw), latency

    def rtl_values(self, codes: IntArray) -> np.ndarray:
        """Return what the SystemVerilog computes for input codes, as values."""
        return self._values(self.rtl(codes, raw=True)[0], raw=False)

    def simulate(self, codes: IntArray, *, probes: bool = False, stalled_samples: int = 100) -> SimulationResult:
        """Simulate input codes: back to back, stalled, and after a reset in mid-stream."""
        return self.simulation.run(
            {"s_axis": pack(codes, self.hardware.source.type)},
            ["m_axis"],
            seed=self.options.seed,
            span=self.hardware.latency + 3 * self.hardware.ii,
            probes=len(self.hardware.blocks) + 1 if probes else 0,
            stalled_samples=stalled_samples,
        )

    def unpack(self, words: list[int]) -> IntArray:
        """Return output codes from output words."""
        last = self.hardware.blocks[-1]
        return unpack(words, self.hardware.result.type, last.out_width, last.out_count)

    def synth(self, family: str | None = None, *, cache: Path | None = None) -> Synthesis:
        """Synthesize with yosys: resources per layer and in total."""
        family = family or self.options.family
        if family != self.options.family:
            return self._for_family(family).synth(cache=cache)
        return synthesize(
            self.sources,
            self.name,
            [block.hardware.name for block in self.hardware.blocks],
            family=family,
            work=self.folder / "synth",
            jobs=self.options.jobs,
            flat_limit=self.options.flat_limit,
            cache=cache or self.folder / "synth" / "cache",
        )

    def _for_family(self, family: str) -> Design:
        """Return the design with adders and pipelining for another family."""
        options = self.options.model_copy(update={"family": family})
        other = Design(self.graph, options, self.folder / f"family_{family}")
        other.hardware.write(other.folder / "rtl")
        return other

    # --- gates ----------------------------------------------------------------------------------------------------

    def check(self, x: Any, *, raw: bool = False) -> list[Gate]:
        """Run every gate on the inputs.

        Raises
        ------
        GateError
            Naming the gate, the first differing layer, index, got and want.
        """
        codes = self._codes(x, raw)
        gates = [self.keras_gate(codes)] if self.origin is not None else []
        gates += [self.csim_gate(codes), self.rtl_gate(codes)[0]]
        for gate in gates:
            gate.require()
        return gates

    def keras_gate(self, codes: IntArray) -> Gate:
        """Frozen Keras model against golden; in front of a table softmax, which Keras does not have."""
        at = self.logits
        return compare("keras_vs_golden", self.frozen.codes(codes), self._trace(codes)[at], at)

    @property
    def logits(self) -> str:
        """Node at which Keras is compared: the output, or what goes into a table softmax."""
        output = self.graph.nodes[self.graph.outputs[0]]
        return output.inputs[0] if isinstance(output, Softmax) else output.name

    def csim_gate(self, codes: IntArray) -> Gate:
        """Compiled C++ against golden."""
        want = golden.run(self.graph, [codes])[0]
        got = self.csim_library.run(codes)[self.graph.outputs[0]]

        def locate(sample: int) -> Mismatch | None:
            one = codes[sample : sample + 1]
            return first_difference(self.csim_library.run(one, trace=True), self._trace(one), sample)

        return compare("csim_vs_golden", got, want, self.graph.outputs[0], locate)

    def rtl_gate(self, codes: IntArray) -> tuple[Gate, SimulationResult]:
        """SystemVerilog against golden: values, under stalls, after a reset; latency and II against the prediction."""
        want = golden.run(self.graph, [codes])[0]
        result = self.simulate(codes)
        output = self.graph.outputs[0]

        def locate(sample: int) -> Mismatch | None:
            one = codes[sample : sample + 1]
            return first_difference(self._probed(one), self._trace(one), sample)

        got = self.unpack(result.stream.words["m_axis"])
        if len(got) == len(want):
            gate = compare("rtl_vs_golden", got, want, output, locate)
            if not gate.passed:
                return gate, result
        expected = Expected(pack(want, self.hardware.result.type), self.hardware.latency, self.hardware.ii)
        trouble = find_trouble(result, {"m_axis": expected})
        if trouble is None:
            return gate, result
        wrong = max(abs(len(got) - len(want)), 1)
        first = Mismatch(output, trouble.beat, 0, None, None, trouble.text)
        return Gate("rtl_vs_golden", len(want), wrong, first), result

    def _trace(self, codes: IntArray) -> Mapping[str, IntArray]:
        return golden.trace(self.graph, [codes])

    def _probed(self, codes: IntArray) -> Mapping[str, IntArray]:
        """Return what left every layer of the simulated hardware, by graph node."""
        records = self.simulate(codes, probes=True, stalled_samples=0).stream.probes
        values = {}
        for block, record in zip(self.hardware.blocks, records[1:], strict=True):
            if block.probe is not None and block.out_count == self.graph.bounds[block.probe].lo.size:
                node = self.hardware.optimized.nodes[block.probe]
                values[block.probe] = unpack(record, node.type, block.out_width, block.out_count)
        return values

    # --- codes and values -----------------------------------------------------------------------------------------

    def _codes(self, x: Any, raw: bool) -> IntArray:
        if raw:
            return np.asarray(x, dtype=np.int64)
        return real_codes(self.graph, x, "inputs")

    def _values(self, codes: IntArray, raw: bool) -> np.ndarray:
        flat = codes.reshape(len(codes), -1)
        return flat if raw else np.ldexp(flat.astype(np.float64), -self.graph.nodes[self.graph.outputs[0]].type.frac)
