"""Runs one peer on the network, inside the peer's own virtual environment: ``python peer_worker.py JOB.json``.

Only numpy and the peer are imported here. The job names the tool, the arrays, formats, an output folder and how many
adders go into a stage (0: no registers); the answer is a JSON file.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def network(x: Any, arrays: Any, job: dict[str, Any]) -> Any:
    """The network in the numpy dialect that both tools trace."""
    count = sum(name.startswith("w") for name in arrays.files)
    for k in range(count):
        x = x @ arrays[f"w{k}"] + arrays[f"b{k}"]
        if f"thresholds{k}" in arrays.files:
            codes = arrays[f"codes{k}"]
            steps = [(x >= t) * (b - a) for t, a, b in zip(arrays[f"thresholds{k}"], codes, codes[1:], strict=False)]
            x = sum(steps, start=codes[0])
        elif k + 1 < count:
            x = x.quantize(0, job["activation"][0], job["activation"][1], overflow_mode="SAT", round_mode="RND")
    return x


def input_format(job: dict[str, Any], count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sign, integer and fraction bits of every input."""
    integer, fraction = job["input"]
    return np.full(count, job["input_signed"]), np.full(count, integer), np.full(count, fraction)


def run_alkaid(job: dict[str, Any], arrays: Any, out: Path) -> dict[str, Any]:
    """Trace, solve and write Verilog with alkaid."""
    from alkaid.codegen.rtl import RTLModel
    from alkaid.trace import FVArray, HWConfig, to_pipeline, trace
    from alkaid.trace.passes import add_surrogate, dead_code_elimin, fuse_ternary_adders

    x = FVArray.from_kif(*input_format(job, arrays["w0"].shape[0]), HWConfig(1, -1, -1))
    comb = trace(x, network(x, arrays, job))
    facts = {"depth": comb.latency[1], "outputs": np.transpose(comb.out_kifs).astype(int).tolist()}
    values = comb.predict(arrays["x"])
    if job["adders_per_stage"]:
        fused = add_surrogate(dead_code_elimin(fuse_ternary_adders(comb)), _skip_op8_cost=True)
        # As for fpgaq: registers behind every stage, none in front of the first.
        logic: Any = to_pipeline(fused, latency_cutoff=job["adders_per_stage"], verbose=False, reg_inp=False)
        facts["stages"] = len(logic.logic)
        model = RTLModel(logic, out, "peer", print_latency=False, ternary_fuse=False)
        facts["register_bits"] = int(model.reg_bits)
    else:
        model = RTLModel(comb, out, "peer", print_latency=False)
    model.write()
    return facts | {"values": np.asarray(values).tolist()}


def run_da4ml(job: dict[str, Any], arrays: Any, out: Path) -> dict[str, Any]:
    """Trace, solve and write Verilog with da4ml."""
    from da4ml.codegen.rtl import RTLModel
    from da4ml.trace import FixedVariableArray, HWConfig, comb_trace

    x = FixedVariableArray.from_kif(*input_format(job, arrays["w0"].shape[0]), HWConfig(1, -1, -1))
    comb = comb_trace(x, network(x, arrays, job))
    facts = {"depth": comb.latency[1], "outputs": np.transpose(comb.out_kifs).astype(int).tolist()}
    model = RTLModel(comb, "peer", out, latency_cutoff=job["adders_per_stage"] or -1, print_latency=False)
    if model._pipe is not None:
        facts |= {"stages": len(model._pipe.solutions), "register_bits": int(model._pipe.reg_bits)}
    model.write()
    return facts | {"values": np.asarray(comb.predict(arrays["x"])).tolist()}


def main(path: Path) -> None:
    """Do the job of a JSON file."""
    job = json.loads(path.read_text())
    arrays = np.load(job["arrays"])
    started = time.monotonic()
    run = {"alkaid": run_alkaid, "da4ml": run_da4ml}[job["tool"]]
    facts = run(job, arrays, Path(job["out"]))
    facts["seconds"] = time.monotonic() - started
    facts["versions"] = {name: importlib.metadata.version(name) for name in (job["tool"], "numpy")}
    Path(job["answer"]).write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
