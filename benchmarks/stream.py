"""What folding costs and saves on streams: ``python -m benchmarks.stream --json FILE``.

A convolution of 3x3 pixels, an MLP of 8 bits and a trained CNN over reuse factors: resources by yosys, and cycles that
must be those predicted. Reuse factor 1 is the adder graph, larger ones are a memory and multiply-accumulate lanes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fpgaq import toolchain
from fpgaq.config import load_design, make_options
from fpgaq.design import Design
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Input, MatMul, Pad, Relu, Requantize, Windows
from fpgaq.ir.types import FixedType, Overflow, Rounding
from fpgaq.report.content import timing
from fpgaq.stimuli import random_codes

Row = dict[str, Any]

WORK = Path("build/benchmarks/stream").resolve()
WEIGHT_SEED, STIMULI_SEED, SAMPLES = 1, 7, 16
#: Reuse factors of a 3x3 convolution of 8 channels; they divide the 72 elements of a window.
KERNEL_REUSE = (1, 2, 4, 8, 18, 36, 72)
#: Cycles between frames of the CNN: those of its design, and slower ones; 0 is unrolled.
CNN_PACES = (0, 1000, 2000, 4000, 8000)
MLP_SIZES = (16, 64, 32, 32, 5)
#: NNgen 1.3.4 on an MLP of these sizes with int8 weights, parallelism 1x1 and 4x4: cycles of one inference in its own
#: test bench, with its DMA over a 32-bit AXI model, and what yosys counts of its Verilog. Measured once, quoted here.
NNGEN = {
    "1x1": {"cycles": 5969, "lut": 4701, "ff": 5080, "dsp": 3},
    "4x4": {"cycles": 2177, "lut": 7285, "ff": 9535, "dsp": 24},
}


def main() -> int:
    """Run the measurements; 0 when every design computed the golden model in the predicted cycles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--cnn", type=Path, default=Path("designs/mnist_cnn"), help="folder of the design")
    options = parser.parse_args()
    result: Row = {
        "seeds": {"weights": WEIGHT_SEED, "inputs": STIMULI_SEED},
        "versions": toolchain.versions(),
        "parts": {},
    }
    for part in options.parts:
        rows = result["parts"][part] = {}
        for name, make in PARTS[part](options.cnn).items():
            rows[name] = measured(make(), WORK / part / name)
            print(part, name, json.dumps(rows[name]), flush=True)
            if options.json:
                options.json.write_text(json.dumps(result, indent=1) + "\n")
    if "mlp" in result["parts"]:
        result["parts"]["mlp"] = _against_nngen(result["parts"]["mlp"])
        if options.json:
            options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def measured(design: Design, folder: Path) -> Row:
    """Return cycles of a few frames, which the gate compares with the prediction, and resources."""
    design = Design(design.graph, design.options, folder)
    design.hardware.write(folder / "rtl")
    gate, simulation = design.rtl_gate(random_codes(design.graph, SAMPLES, STIMULI_SEED))
    gate.require()
    cycles = timing(design, simulation, gate.timetable)
    found = design.synth()
    reuse = [node.reuse for node in design.graph.nodes.values() if isinstance(node, MatMul)]
    return {
        "reuse": reuse,
        **found.total.to_json(),
        **{key: cycles[key] for key in ("predicted_ii_cycles", "ii_cycles")},
        "predicted_latency_cycles": cycles["outputs"][0]["predicted_last_beat_cycles"],
        "latency_cycles": cycles["outputs"][0]["last_beat_cycles"],
        "layers": {name: resources.to_json() for name, resources in found.layers.items()},
        "synth_seconds": round(found.seconds, 1),
    }


# --- networks ---------------------------------------------------------------------------------------------------------


class _Layers:
    """Matrices of signed weights with fixed seeds, and unsigned activations, all of the same bits."""

    def __init__(self, bits: int, first: FixedType, *shape: int) -> None:
        self.bits, self.rng = bits, np.random.default_rng(WEIGHT_SEED)
        self.activation_type = FixedType(bits, bits - 1, signed=False)
        self.nodes: list[Node] = [Input(name="x", inputs=(), type=first, layer="x", shape=shape)]

    def add(self, kind: type[Node], name: str, **parameters: Any) -> None:
        self.nodes.append(kind(name=name, inputs=(self.nodes[-1].name,), **parameters))

    def matrix(self, layer: str, n_in: int, n_out: int, reuse: int) -> None:
        limit = 1 << self.bits - 1
        weight, bias = self.rng.integers(-limit, limit, (n_in, n_out)), self.rng.integers(-limit, limit, n_out)
        frac = self.bits - 1 + int(np.log2(n_in)) // 2
        exact = {"type": FixedType(40, self.nodes[-1].type.frac + frac, signed=True), "weight_frac": frac}
        self.add(MatMul, layer, layer=layer, **exact, weight=weight, bias=bias, reuse=reuse)

    def activation(self, layer: str) -> None:
        sums = self.nodes[-1].type
        self.add(Relu, f"{layer}_relu", layer=layer, type=sums)
        modes = {"rounding": Rounding.RND, "overflow": Overflow.SAT, "source_frac": sums.frac}
        self.add(Requantize, f"{layer}_q", layer=layer, type=self.activation_type, **modes)

    def graph(self, name: str) -> Graph:
        return Graph(name, self.nodes, (self.nodes[-1].name,))


def kernel(bits: int, reuse: int) -> Graph:
    """Return a convolution of 3x3 pixels and 8 channels to 8 on 16x16 pixels, with a margin."""
    same = FixedType(bits, bits - 1, signed=False)
    net = _Layers(bits, same, 16, 16, 8)
    net.add(Pad, "pad", layer="conv", type=same, before=(1, 1), after=(1, 1))
    net.add(Windows, "windows", layer="conv", type=same, size=(3, 3), stride=(1, 1), dilation=(1, 1))
    net.matrix("conv", 72, 8, reuse)
    net.activation("conv")
    return net.graph(f"kernel_int{bits}_r{reuse}")


def mlp(name: str, reuse: list[int]) -> Graph:
    """Return the MLP with a reuse factor for each of its layers."""
    net = _Layers(8, FixedType(8, 4, signed=True), MLP_SIZES[0])
    for k, (n_in, n_out) in enumerate(itertools.pairwise(MLP_SIZES)):
        net.matrix(f"dense{k}", n_in, n_out, reuse[k])
        if k + 2 < len(MLP_SIZES):
            net.activation(f"dense{k}")
    return net.graph(name)


def folded_mlp(name: str, cycles: int) -> Graph:
    """Return the MLP with the fewest multipliers whose result is there after so many cycles."""
    legal = [
        [*(r for r in range(1, n_in) if n_in % r == 0), *(n_in * r for r in range(1, n_out + 1) if n_out % r == 0)]
        for n_in, n_out in itertools.pairwise(MLP_SIZES)
    ]
    while True:
        reuse = [each[-1] for each in legal]
        graph = mlp(name, reuse)
        if Design(graph, make_options({}), WORK).hardware.latency <= cycles:
            return graph
        legal[int(np.argmax(reuse))].pop()


def _kernels(_: Path) -> dict[str, Callable[[], Design]]:
    return {
        f"int{bits}_r{reuse}": lambda bits=bits, reuse=reuse: _design(kernel(bits, reuse))
        for bits in (8, 4)
        for reuse in KERNEL_REUSE
    }


def _mlps(_: Path) -> dict[str, Callable[[], Design]]:
    return {
        f"within_{row['cycles']}": lambda cycles=row["cycles"]: _design(folded_mlp(f"mlp_{cycles}", cycles))
        for row in NNGEN.values()
    }


def _design(graph: Graph) -> Design:
    return Design(graph, make_options({}), WORK)


def _cnns(folder: Path) -> dict[str, Callable[[], Design]]:
    return {f"ii_{pace}" if pace else "unrolled": lambda pace=pace: _cnn(folder, pace) for pace in CNN_PACES}


def _cnn(folder: Path, pace: int) -> Design:
    from fpgaq.config import Options
    from fpgaq.conversion import lower
    from fpgaq.frontend.load import load_model

    if not (folder / "model.keras").is_file():
        subprocess.run([sys.executable, "train.py"], cwd=folder, check=True)
    config = load_design(folder)
    options = Options(**config.model_dump(include=set(Options.model_fields)))
    wanted = {"target_ii": pace or None, "io_type": "io_stream"}
    return lower(load_model(config.model), "mnist_cnn", options.model_copy(update=wanted), WORK)


PARTS: dict[str, Callable[[Path], dict[str, Callable[[], Design]]]] = {"kernel": _kernels, "mlp": _mlps, "cnn": _cnns}


def _against_nngen(rows: Row) -> Row:
    """Add NNgen's figures to the rows of the MLP."""
    for (name, row), theirs in zip(rows.items(), NNGEN.values(), strict=True):
        row["nngen"], row["lut_to_nngen"] = theirs, round(row["lut"] / theirs["lut"], 3)
        print(name, "LUT to NNgen:", row["lut_to_nngen"], "cycles:", row["latency_cycles"], "of", theirs["cycles"])
    return rows


if __name__ == "__main__":
    sys.exit(main())
