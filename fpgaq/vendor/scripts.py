"""The scripts: Vivado on the SystemVerilog, out of context, and Vitis HLS on the C++ project."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from fpgaq.errors import ConfigError

UTILIZATION, TIMING = "utilization.rpt", "timing.rpt"

_VIVADO = """\
# Synthesizes the design out of context: an IP, without pads. Run it here: vivado -mode batch -source run.tcl
read_verilog -sv {{
{sources}
}}
read_xdc clock.xdc
synth_design -mode out_of_context -flatten_hierarchy rebuilt -top {top} -part {part}
{steps}report_utilization -file {utilization}
report_utilization -hierarchical -file hierarchical.rpt
report_timing_summary -no_detailed_paths -file {timing}
"""

_IMPLEMENTATION = """\
opt_design
place_design
phys_opt_design
route_design
"""

#: What of the project runs: neither C simulation, which has run, nor co-simulation.
_OPTIONS = """\
array set opt {
    reset      1
    csim       0
    synth      1
    cosim      0
    validation 0
    export     0
    vsynth     0
    fifo_opt   0
}
"""


def write_vivado(
    folder: Path, sources: Sequence[Path], top: str, part: str, clock_period: float, *, place_and_route: bool
) -> None:
    """Write ``run.tcl`` and ``clock.xdc``.

    Parameters
    ----------
    folder : Path
        Made anew.
    sources : sequence of Path
        SystemVerilog.
    top, part : str
    clock_period : float
        In ns.
    place_and_route : bool
        Whether the script goes on behind synthesis, so that timing is that of a routed design.
    """
    _fresh(folder)
    text = _VIVADO.format(
        sources="\n".join(f"    {Path(os.path.relpath(path, folder)).as_posix()}" for path in sources),
        top=top,
        part=part,
        steps=_IMPLEMENTATION if place_and_route else "",
        utilization=UTILIZATION,
        timing=TIMING,
    )
    (folder / "clock.xdc").write_text(f"create_clock -name aclk -period {clock_period:g} [get_ports aclk]\n")
    (folder / "run.tcl").write_text(text)


def write_vitis(folder: Path, project: Path, part: str) -> None:
    """Copy the HLS project of a built folder, for another part and with nothing but synthesis to run.

    Raises
    ------
    ConfigError
        If the folder has no such project.
    """
    if not (project / "project.tcl").is_file():
        raise ConfigError(f"{project} holds no HLS project; build the design again")
    _fresh(folder)
    shutil.copytree(project, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.so", "*.o"))
    settings = (folder / "project.tcl").read_text()
    settings, found = re.subn(r'^set part ".*"$', f'set part "{part}"', settings, flags=re.MULTILINE)
    if found != 1:
        raise ConfigError(f"{project / 'project.tcl'} sets no part; build the design again")
    (folder / "project.tcl").write_text(settings)
    (folder / "build_opt.tcl").write_text(_OPTIONS)


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
