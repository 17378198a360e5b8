"""LUTs and flip-flops of one MLP by fpgaq, da4ml and alkaid: ``python -m benchmarks.mlp_lut --json FILE``.

What is compared, and what the figures mean, is in README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import network, ours, peers
from benchmarks.measure import Measure, Row
from fpgaq import toolchain

SAMPLES = 256
WORK = Path("build/benchmarks/mlp_lut")
#: Ratios to alkaid at the same number of stages that the project wants.
WANTED = {"ternary": 0.75, "int6": 0.80, "binary": 0.85, "pot": 0.75}


def main() -> int:
    """Run the comparison; 0 when every design was built and computed the reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--variants", nargs="+", choices=network.VARIANTS, default=list(network.VARIANTS))
    parser.add_argument("--skip-peers", action="store_true", help="measure fpgaq only")
    parser.add_argument("--netlists", action="store_true", help="also simulate every synthesized netlist")
    options = parser.parse_args()
    result: dict[str, Any] = {
        "network": list(network.SIZES),
        "seeds": {"weights": network.WEIGHT_SEED, "inputs": network.STIMULI_SEED},
        "samples": SAMPLES,
        "family": ours.FAMILY,
        "versions": toolchain.versions(),
        "peers": "skipped" if options.skip_peers else dict(peers.PINNED),
        "variants": {},
    }
    python = None
    if not options.skip_peers:
        try:
            python = peers.install(Path("build/benchmarks/peers"))
        except peers.PeersMissingError as error:
            result["peers"] = f"missing: {error}"
    for variant in options.variants:
        result["variants"][variant] = _variant(variant, python, options.netlists)
        if options.json:
            options.json.write_text(json.dumps(result, indent=1) + "\n")
    print(_table(result))
    return 0 if python or options.skip_peers else 1


def _variant(variant: str, python: Path | None, netlists: bool) -> Row:
    work = WORK / variant
    layers = network.make_layers(variant)
    x = network.stimuli(SAMPLES)
    want = network.reference(layers, x)
    frac = layers[-1].frac + network.ACTIVATION.frac
    work.mkdir(parents=True, exist_ok=True)
    network.save_layers(layers, x, work / "arrays.npz")
    measure = Measure(x, want, work, network.INPUT, netlists=netlists)
    rows: dict[str, Any] = {}
    stages = None
    for tool in peers.PINNED:
        if python is None:
            break
        for kind in ("combinational", "pipelined"):
            folder = work / f"{tool}_{kind}"
            made = peers.build(python, tool, work / "arrays.npz", folder, pipelined=kind == "pipelined")
            executed = np.array(made.values) * 2.0**frac
            if not np.array_equal(executed, want):
                raise RuntimeError(f"{tool}'s own executor does not compute the reference ({variant})")
            row = measure.peer(made, frac, f"{tool}_{kind}")
            rows.setdefault(tool, {})[kind] = row
            if tool == "alkaid" and kind == "pipelined":
                stages = row["stages"]
    rows["fpgaq"] = _fpgaq(measure, layers, stages)
    rows["ratios"] = _ratios(rows)
    return rows


def _fpgaq(measure: Measure, layers: Sequence[network.Layer], stages: int | None) -> Row:
    started = time.monotonic()
    hardware = ours.solved(network.make_graph(layers))
    seconds = round(time.monotonic() - started, 1)
    unpack = measure.unpacking(hardware)
    plain = ours.combinational(hardware, measure.work / "fpgaq_combinational")
    rows: Row = {"solve_seconds": seconds, "combinational": measure.design(plain, unpack, "fpgaq_combinational")}
    piped = ours.pipelined(hardware, stages or 2 * len(layers), measure.work / "fpgaq_pipelined")
    rows["pipelined"] = measure.design(piped, unpack, "fpgaq_pipelined")
    return rows


def _ratios(rows: Row) -> Row:
    ratios: Row = {}
    for tool in peers.PINNED:
        for kind in ("combinational", "pipelined"):
            if tool in rows and (tool == "alkaid" or kind == "combinational"):
                mine, other = rows["fpgaq"][kind], rows[tool][kind]
                ratios[f"{kind}_lut_to_{tool}"] = round(mine["lut"] / other["lut"], 3)
                if kind == "pipelined":
                    luts = [row["lut"] + row["lutram"] for row in (mine, other)]
                    ratios[f"{kind}_lut_and_srl_to_{tool}"] = round(luts[0] / luts[1], 3)
                    ratios[f"{kind}_ff_to_{tool}"] = round(mine["ff"] / other["ff"], 3)
    return ratios


def _table(result: Row) -> str:
    lines = ["variant  tool    kind           LUT+INV    SRL     FF  CARRY4  stages"]
    for variant, rows in result["variants"].items():
        for tool in ("fpgaq", *peers.PINNED):
            for kind in ("combinational", "pipelined"):
                if tool in rows:
                    row = rows[tool][kind]
                    lines.append(
                        f"{variant:8} {tool:7} {kind:13} {row['lut']:8} {row['lutram']:6} {row['ff']:6} "
                        f"{row['carry']:7} {row.get('stages', 0):7}"
                    )
        if rows["ratios"]:
            lines.append(f"{variant:8} ratios {rows['ratios']} wanted {WANTED[variant]}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
