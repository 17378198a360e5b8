"""One yosys run in a process of its own: ``python -m fpgaq.synth._worker job.json``.

yosys ends the process on an error and can exhaust memory; neither may happen to the process of the user. The log goes
to standard output; the result, cells by type and logic depth as a JSON object, appears under its name only when it is
complete.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from pyosys import libyosys as ys

from fpgaq.synth._depth import logic_depth
from fpgaq.synth._recipe import UndrivenError, synthesis
from fpgaq.synth.families import family


def main(path: Path) -> None:
    """Run the job described by a JSON file (written by `fpgaq.synth.flow`)."""
    job: dict[str, Any] = json.loads(path.read_text())
    try:
        design = _synthesized(job, dsp_adders=True)
    except UndrivenError:
        design = _synthesized(job, dsp_adders=False)
    mapped = Path("mapped.json")
    ys.run_pass(f"write_json {mapped}", design)
    depth = logic_depth(json.loads(mapped.read_text())["modules"][job["top"]]["cells"], family(job["family"]))
    if job["netlist"] and Path(job["netlist"]).suffix == ".json":
        os.replace(mapped, job["netlist"])
    else:
        mapped.unlink()
    if job["netlist"] and Path(job["netlist"]).suffix == ".v":
        partial = f"{job['netlist']}.part"
        ys.run_pass(f"write_verilog -noattr {partial}", design)
        os.replace(partial, job["netlist"])
    partial = f"{job['result']}.part"
    ys.run_pass("tee -q -o stat.json stat -json", design)
    counts = json.loads(Path("stat.json").read_text())["design"].get("num_cells_by_type", {})
    Path(partial).write_text(json.dumps({"cells": counts, "logic_depth": depth}, indent=1, sort_keys=True))
    os.replace(partial, job["result"])


def _synthesized(job: dict[str, Any], *, dsp_adders: bool) -> Any:
    design = ys.Design()
    synthesis(
        design,
        family(job["family"]),
        [Path(name) for name in job["sources"]],
        [Path(name) for name in job["replacements"]],
        job["top"],
        carry_chains=job["carry_chains"],
        dsp_adders=dsp_adders,
        boxes=job["boxes"],
    )
    return design


if __name__ == "__main__":
    main(Path(sys.argv[1]))
