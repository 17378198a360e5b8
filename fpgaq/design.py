"""A converted model: the same network as golden model, C++ and SystemVerilog, in one folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaq.bundles import Bundle, bundled, rows, samples
from fpgaq.config import Options, make_options
from fpgaq.cosim import Observation, Simulation, SimulationResult
from fpgaq.cosim.bulk import BulkResult, BulkSimulation
from fpgaq.cosim.rtl_gate import bench_samples, rtl_gate
from fpgaq.errors import ConfigError, GateError
from fpgaq.folding import write_folding
from fpgaq.gates import Gate, Mismatch, compare_outputs, first_difference
from fpgaq.hls.csim import Csim
from fpgaq.ir import files, golden
from fpgaq.ir.activity import activities, inputs_of_gates
from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import Reshape, Softmax
from fpgaq.ir.types import IntArray
from fpgaq.progress import Progress
from fpgaq.rtl.hardware import Hardware, make_hardware
from fpgaq.stimuli import input_codes, real_codes
from fpgaq.synth import Synthesis, synthesize
from fpgaq.synth.place_and_route import Routed, place_and_route

if TYPE_CHECKING:
    from fpgaq.frontend.frozen import FrozenModel
    from fpgaq.hls.derive import Derivation

#: Beats that are also sent under stalls, and after a reset, where a sample is a frame of many; at least two frames.
_STALLED_BEATS = 2000
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
        self.folder = Path(folder).absolute()  # simulations run in folders of their own
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
        self.write_software()
        self.write_hardware()

    def write_software(self) -> None:
        """Write the description of the design and the HLS project, which take no time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _DESIGN_FILE).write_text(
            json.dumps({"name": self.graph.name, "options": self.options.model_dump(mode="json")}, indent=1) + "\n"
        )
        if self.origin is not None:
            from fpgaq.frontend.lower import quiet

            write_folding(self.graph, {layer.name for layer in self.origin.model.layers}, self.folder)
            with quiet():
                self.origin.hls_graph.write()

    def write_hardware(self) -> None:
        """Write the integer graph and the SystemVerilog, for which adder graphs are solved."""
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
    def bulk_simulation(self) -> BulkSimulation:
        """The Verilator model for many samples."""
        return BulkSimulation(
            self.sources, self.name, self.hardware.inputs, self.hardware.outputs, self.folder / "sim_bulk"
        )

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

    @cached_property
    def _built_csim(self) -> Csim:
        """The compiled C++, compiled: what an earlier conversion left in the same folder is of other sources."""
        library = self.csim_library
        if self.origin is not None or not library.library.is_file():
            library.build()
        return library

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

        return FrozenModel(self.origin.model, self.origin.derivation)

    # --- executions -----------------------------------------------------------------------------------------------

    def golden(self, x: Any, *, raw: bool = False) -> Bundle:
        """Run the golden model.

        Parameters
        ----------
        x : array, shape (samples, ...)
            Real inputs, brought to the grid of the input type; codes with `raw`. For a model of several inputs a list
            in its order, or a dict by the names of the inputs.
        raw : bool
            Codes in and out instead of values.

        Returns
        -------
        array, shape (samples, size)
            Exact values as float64, or int64 codes with `raw`. For a model of several outputs a list in its order.
        """
        return self._values(golden.run(self.graph, self._codes(x, raw)), raw)

    def csim(self, x: Any, *, raw: bool = False) -> Bundle:
        """Run the compiled C++; arguments and result as `golden`."""
        found = self._built_csim.run(bundled(self._codes(x, raw)))
        return self._values([found[output] for output in self.graph.outputs], raw)

    def rtl(self, x: Any, *, raw: bool = False) -> tuple[Bundle, int]:
        """Simulate the SystemVerilog; also returns the measured latency in cycles, of several outputs the longest.

        It ends with the first beat of the first result.
        """
        codes = bundled(self._codes(x, raw))
        few = bench_samples(self.hardware.ii)
        stream = self.simulate(rows(codes, 0, few)).stream
        bulk = self.simulate_bulk(codes) if samples(codes) > few else None
        if stream.violation is not None:
            raise GateError(f"design {self.name!r}: the simulated hardware is wrong at {stream.violation}")
        if bulk is not None and bulk.trouble is not None:
            raise GateError(f"design {self.name!r}: the simulated hardware is wrong {bulk.trouble.text}")
        latencies = [stream.latency(end.prefix) for end in self.hardware.outputs]
        found = self.results(stream) if bulk is None else bulk.outputs
        return self._values(found, raw), max(latency for latency in latencies if latency is not None)

    def rtl_values(self, codes: Bundle) -> Bundle:
        """Return what the SystemVerilog computes for input codes, as values."""
        return self.values(self.rtl(codes, raw=True)[0])

    def simulate(self, codes: Bundle, *, probes: bool = False, stalled_samples: int = 100) -> SimulationResult:
        """Simulate input codes: back to back, stalled, and after a reset in mid-stream."""
        ends = zip(self.hardware.inputs, input_codes(self.graph, codes), strict=True)
        beats = {end.prefix: end.beats for end in (*self.hardware.inputs, *self.hardware.outputs)}
        return self.simulation.run(
            {end.prefix: end.pack(values) for end, values in ends},
            [end.prefix for end in self.hardware.outputs],
            seed=self.options.seed,
            span=self._span,
            probes=len(self.hardware.flow.bits) if probes else 0,
            stalled_samples=min(stalled_samples, max(_STALLED_BEATS // max(beats.values()), 2)),
            beats=beats,
        )

    @property
    def _span(self) -> int:
        """Cycles in which everything that is under way comes out."""
        return self.hardware.latency + 3 * self.hardware.ii

    def simulate_bulk(self, codes: Bundle) -> BulkResult:
        """Simulate many input codes back to back, by a compiled driver."""
        arrays = input_codes(self.graph, codes)
        return self.bulk_simulation.run(arrays, patience=1000 + 20 * self._span, span=self._span)

    def results(self, seen: Observation) -> list[IntArray]:
        """Return the codes of every output in one pass of a simulation."""
        return [end.unpack(seen.words[end.prefix]) for end in self.hardware.outputs]

    def computed(self, result: SimulationResult) -> list[IntArray]:
        """Return the codes of every output for all samples of a gate."""
        return self.results(result.stream) if result.bulk is None else result.bulk.outputs

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

    def place_and_route(
        self, family: str | None = None, *, limit: float = 1800.0, progress: Progress | None = None
    ) -> Routed:
        """Place and route with nextpnr (ECP5, iCE40): the clock frequency that is reached, within `limit` seconds."""
        family = family or self.options.family
        if family != self.options.family:
            return self._for_family(family).place_and_route(limit=limit, progress=progress)
        return place_and_route(
            self.sources,
            self.name,
            family=family,
            clock_period=self.options.clock_period,
            work=self.folder / "synth" / "place_and_route",
            limit=limit,
            progress=progress,
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
        codes = bundled(self._codes(x, raw))
        gates = [self.keras_gate(codes)] if self.origin is not None else []
        gates += [self.csim_gate(codes), self.rtl_gate(codes)[0]]
        for gate in gates:
            gate.require()
        return gates

    def keras_gate(self, codes: Bundle) -> Gate:
        """Frozen Keras model against golden; in front of a table softmax, which Keras does not have."""
        got = self.frozen.codes(codes)
        arrays = got if isinstance(got, list) else [got]
        at = [self._compared(output) for output in self.graph.outputs]
        wanted = [*at, *inputs_of_gates(self.graph)]
        trace = golden.tensors(self.graph, input_codes(self.graph, codes), wanted)
        gate = compare_outputs("keras_vs_golden", dict(zip(at, arrays, strict=True)), {n: trace[n] for n in at})
        return dataclasses.replace(gate, activities=activities(self.graph, trace))

    def _compared(self, output: str) -> str:
        """Return the node at which Keras is compared: the output, or what goes into a table softmax."""
        node = self.graph.nodes[output]
        return node.inputs[0] if isinstance(node, Softmax) else node.name

    def csim_gate(self, codes: Bundle) -> Gate:
        """Compiled C++ against golden."""
        library = self._built_csim
        got = library.run(codes)

        def locate(sample: int) -> Mismatch | None:
            one = rows(codes, sample, sample + 1)
            return first_difference(library.run(one, trace=True), self._trace(one), sample)

        return compare_outputs("csim_vs_golden", got, self._golden(codes), locate)

    def rtl_gate(self, codes: Bundle) -> tuple[Gate, SimulationResult]:
        """SystemVerilog against golden: values, under stalls, after a reset; latency and II against the prediction.

        Of more samples than `bench_samples` the first ones go through all of this, all of them through the hardware.
        """
        return rtl_gate(self, codes)

    def _golden(self, codes: Bundle) -> dict[str, IntArray]:
        found = golden.run(self.graph, input_codes(self.graph, codes))
        return dict(zip(self.graph.outputs, found, strict=True))

    def _trace(self, codes: Bundle) -> Mapping[str, IntArray]:
        return golden.trace(self.graph, input_codes(self.graph, codes))

    # --- codes and values -----------------------------------------------------------------------------------------

    def _codes(self, x: Any, raw: bool) -> list[IntArray]:
        codes = x if raw else real_codes(self.graph, x, "inputs")
        return [array.astype(np.int64, copy=False) for array in input_codes(self.graph, codes)]

    def values(self, codes: Bundle) -> Bundle:
        """Return output codes as values."""
        return self._values(codes if isinstance(codes, list) else [codes], raw=False)

    def _values(self, codes: Sequence[IntArray], raw: bool) -> Bundle:
        flat = [array.reshape(len(array), -1) for array in codes]
        if raw:
            return bundled(flat)
        types = [self.graph.nodes[output].type for output in self.graph.outputs]
        return bundled([np.ldexp(c.astype(np.float64), -t.frac) for c, t in zip(flat, types, strict=True)])
