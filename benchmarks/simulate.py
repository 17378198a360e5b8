"""Speed of the executions that are compared: ``python -m benchmarks.simulate --json FILE``.

Bulk simulation against the cocotb bench on the same design in the same run, and the golden model. Packing codes into
beats and taking results apart count; compiling is told apart. Every result is compared with the golden model.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import image_networks, network
from fpgaq import toolchain
from fpgaq.config import make_options
from fpgaq.design import Design
from fpgaq.ir import golden
from fpgaq.ir.graph import Graph
from fpgaq.stimuli import random_codes

Row = dict[str, Any]

WORK = Path("build/benchmarks/simulate").resolve()
SEED = 7
#: Network, samples of the bulk simulation, samples of the cocotb bench.
DESIGNS: dict[str, tuple[Callable[[], Graph], int, int]] = {
    "int6_mlp": (lambda: network.make_graph(network.make_layers("int6")), 500_000, 1000),
    "ternary_mlp": (lambda: network.make_graph(network.make_layers("ternary")), 500_000, 1000),
    "small_cnn": (image_networks.small, 20_000, 50),
}
#: What the project wants, with two processors.
WANTED = {"int6_mlp": {"samples_per_second": 1e6}, "small_cnn": {"clock_edges_per_second": 1e6}}
GOLDEN_IMAGES, WANTED_IMAGES = 500, 100


def main() -> int:
    """Measure one after the other; 0 when every result was right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--designs", nargs="*", choices=DESIGNS, default=list(DESIGNS))
    options = parser.parse_args()
    result: Row = {"seed": SEED, "versions": toolchain.versions(), "cpus": len(os.sched_getaffinity(0)), "designs": {}}
    result["golden"] = _golden()
    print("golden", json.dumps(result["golden"]), flush=True)
    for name in options.designs:
        result["designs"][name] = _design(name)
        print(name, json.dumps(result["designs"][name]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _golden() -> Row:
    graph = image_networks.cifar()
    codes = random_codes(graph, GOLDEN_IMAGES, SEED)
    golden.run(graph, [codes[:8]])
    seconds = _seconds(lambda: golden.run(graph, [codes]))
    return {"images_per_second": round(GOLDEN_IMAGES / seconds), "wanted": WANTED_IMAGES, **_load()}


def _design(name: str) -> Row:
    make, many, few = DESIGNS[name]
    design = Design(make(), make_options({}), WORK / name)
    design.hardware.write(design.folder / "rtl")
    compiling = {
        "bulk": _seconds(design.bulk_simulation.build),
        "cocotb": _seconds(design.simulation.build),
    }
    codes = random_codes(design.graph, many, SEED)
    want = golden.run(design.graph, [codes])[0].reshape(many, -1)
    bulk = design.simulate_bulk(codes)
    _require(bulk.trouble is None and np.array_equal(bulk.outputs[0], want), name, "bulk simulation")
    started = time.monotonic()
    seen = design.simulate(codes[:few], stalled_samples=0)
    bench_seconds = time.monotonic() - started
    _require(np.array_equal(design.results(seen.stream)[0], want[:few]), name, "cocotb bench")
    rate, bench_rate = many / bulk.seconds, few / bench_seconds
    return {
        "samples": many,
        "samples_per_second": round(rate),
        "clock_edges_per_second": round(2 * bulk.clocks / bulk.seconds),
        "cocotb_samples_per_second": round(bench_rate, 1),
        "ratio": round(rate / bench_rate, 1),
        "compile_seconds": {key: round(value, 1) for key, value in compiling.items()},
        "wanted": WANTED.get(name, {}),
        **_load(),
    }


def _require(right: bool, name: str, what: str) -> None:
    if not right:
        raise RuntimeError(f"the {what} of {name} does not give the golden model's results")


def _seconds(run: Callable[[], object]) -> float:
    started = time.monotonic()
    run()
    return time.monotonic() - started


def _load() -> Row:
    # With more load than that of the measurement itself every figure is too small.
    return {"load_average": round(os.getloadavg()[0], 1)}


if __name__ == "__main__":
    sys.exit(main())
