"""What every number format costs, unrolled: ``python -m benchmarks.formats --json FILE``.

Each network is built three times without registers: as fpgaq builds it, as plain integers through fpgaq's adder graphs,
and by alkaid. The first is pipelined too. What the figures mean is in README.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import network, ours, peers
from benchmarks.format_networks import NETWORKS, VARIANTS, make_layers
from benchmarks.measure import Measure, Row
from fpgaq import toolchain
from fpgaq.ir.graph import Graph
from fpgaq.ir.passes import drop_dead_channels, drop_identities, fold_scales
from fpgaq.ir.types import FixedType
from fpgaq.rtl.hardware import Hardware

SAMPLES = 256
WORK = Path("build/benchmarks/formats")
STAGES_PER_LAYER = 2
#: Wanted LUT ratio: binary and ternary to the better of plain integers and alkaid, powers of two to int6.
WANTED = {"binary_a1": 0.7, "ternary_a2": 0.7, "pot4": 0.6}


def main() -> int:
    """Run the comparison; 0 when every design was built and computed the reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--skip-alkaid", action="store_true", help="measure fpgaq only")
    options = parser.parse_args()
    python = None if options.skip_alkaid else peers.install(Path("build/benchmarks/peers"))
    result: dict[str, Any] = {
        "seeds": {"weights": network.WEIGHT_SEED, "inputs": network.STIMULI_SEED},
        "samples": SAMPLES,
        "family": ours.FAMILY,
        "versions": toolchain.versions(),
        "alkaid": peers.PINNED["alkaid"] if python else "skipped",
        "networks": {},
    }
    for name in options.networks:
        rows = result["networks"][name] = {}
        for variant in options.variants:
            rows[variant] = _variant(name, variant, python)
            _add_ratios(rows)
            if options.json:
                options.json.write_text(json.dumps(result, indent=1) + "\n")
    print(_table(result))
    return 0


def _variant(name: str, variant: str, python: Path | None) -> Row:
    sizes, input_type = NETWORKS[name]
    layers = make_layers(VARIANTS[variant], sizes, input_type)
    x = network.stimuli(SAMPLES, sizes[0], input_type)
    want = network.reference(layers, x, input_type)
    work = WORK / name / variant
    work.mkdir(parents=True, exist_ok=True)
    measure = Measure(x, want, work, input_type)
    rows: Row = {}
    started = time.monotonic()
    hardware = ours.solved(network.make_graph(layers, type_=input_type))
    rows["solve_seconds"] = round(time.monotonic() - started, 1)
    rows["forms"] = [next(iter(layer.path.forms), None) for layer in ours.layers(hardware)]
    rows["fpgaq"] = _ours(hardware, measure, "fpgaq")
    stages = STAGES_PER_LAYER * len(layers)
    piped = ours.pipelined(hardware, stages, work / "fpgaq_pipelined_sources")
    rows["fpgaq_pipelined"] = measure.design(piped, measure.unpacking(hardware), "fpgaq_pipelined")
    rows["plain"] = _ours(_plain(layers, input_type), measure, "plain")
    if python is not None:
        rows["alkaid"] = _alkaid(python, layers, input_type, measure)
    return rows


def _ours(hardware: Hardware, measure: Measure, name: str) -> Row:
    made = ours.combinational(hardware, measure.work / f"{name}_sources")
    return measure.design(made, measure.unpacking(hardware), name)


def _plain(layers: Sequence[network.Layer], input_type: FixedType) -> Hardware:
    """Return the same network without its formats, and without anything that is done for few levels."""
    bare = [dataclasses.replace(layer, format=None) for layer in layers]
    graph: Graph = network.make_graph(bare, type_=input_type)
    for improve in (drop_identities, fold_scales, drop_dead_channels):
        graph = improve(graph)
    return ours.solved(graph, optimized=graph)


def _alkaid(python: Path, layers: Sequence[network.Layer], input_type: FixedType, measure: Measure) -> Row:
    frac = layers[-1].frac + (0 if layers[-2].steps else network.ACTIVATION.frac)
    arrays = measure.work / "arrays.npz"
    network.save_layers(layers, network.stimuli(SAMPLES, layers[0].weight.shape[0], input_type), arrays, input_type)
    made = peers.build(python, "alkaid", arrays, measure.work / "alkaid", pipelined=False, input_type=input_type)
    if not np.array_equal(np.array(made.values) * 2.0**frac, measure.want):
        raise RuntimeError("alkaid's own executor does not compute the reference")
    return measure.peer(made, frac, "alkaid")


def _add_ratios(rows: dict[str, Row]) -> None:
    for variant, row in rows.items():
        others = [row[tool]["lut"] for tool in ("plain", "alkaid") if tool in row]
        row["lut_to_better_of_plain_and_alkaid"] = round(row["fpgaq"]["lut"] / min(others), 3)
        if "int6" in rows and variant != "int6":
            row["lut_to_int6"] = round(row["fpgaq"]["lut"] / rows["int6"]["fpgaq"]["lut"], 3)


def _table(result: Row) -> str:
    lines = [
        "network        format          fpgaq  plain alkaid  ratio  to int6  wanted | pipelined   LUT    FF  cycles"
    ]
    for name, rows in result["networks"].items():
        for variant, row in rows.items():
            luts = [row[tool]["lut"] if tool in row else "-" for tool in ("fpgaq", "plain", "alkaid")]
            ratio, piped = row["lut_to_better_of_plain_and_alkaid"], row["fpgaq_pipelined"]
            to_int6 = row.get("lut_to_int6", "-")
            lines.append(
                f"{name:14} {variant:13} {luts[0]:>7} {luts[1]:>6} {luts[2]:>6} {ratio:>6} {to_int6:>8} "
                f"{WANTED.get(variant, '-'):>7} | {piped['lut']:>15} {piped['ff']:>5} {piped['latency']:>7}"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
