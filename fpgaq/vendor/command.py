"""``fpgaq vendor``: scripts for Vivado and Vitis HLS, run where these are, and their figures beside yosys'."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fpgaq.design import Design
from fpgaq.processes import run_logged
from fpgaq.report.content import REPORT_FILE, load_report
from fpgaq.vendor.parts import part_of
from fpgaq.vendor.reports import read_vitis, read_vivado
from fpgaq.vendor.scripts import TIMING, UTILIZATION, write_vitis, write_vivado

#: What starts a tool, by the program that is looked for; newer versions of Vitis have another one.
_VIVADO = {"vivado": ["-mode", "batch", "-nojournal", "-source", "run.tcl"]}
_VITIS = {"vitis-run": ["--mode", "hls", "--tcl", "build_prj.tcl"], "vitis_hls": ["-f", "build_prj.tcl"]}
_TITLES = {"vivado": "Vivado", "vitis_hls": "Vitis HLS"}


def run_vendor(folder: Path, part: str | None, *, place_and_route: bool, run: bool, console: Console) -> int:
    """Write the scripts into ``FOLDER/vendor``, run what is on PATH, and show what it found; return 0.

    Parameters
    ----------
    folder : Path
        Built folder.
    part : str or None
        Part number; None takes one of the design's family.
    place_and_route : bool
        Whether Vivado goes on behind synthesis.
    run : bool
        Whether tools run at all.
    console : Console
    """
    design = Design.load(folder)
    chosen = part_of(design.options.family, part)
    period, target = design.options.clock_period, folder / "vendor"
    vivado, vitis = target / "vivado", target / "vitis_hls"
    write_vivado(vivado, design.sources, design.name, chosen, period, place_and_route=place_and_route)
    write_vitis(vitis, folder / "hls", chosen)
    result = target / "found.json"
    result.unlink(missing_ok=True)
    found: dict[str, dict[str, float]] = {}
    if _ran("vivado", _VIVADO, vivado, console, run=run):
        found["vivado"] = read_vivado(vivado / UTILIZATION, vivado / TIMING, period)
    if _ran("vitis_hls", _VITIS, vitis, console, run=run):
        reports = vitis / f"{design.name}_prj" / "solution1" / "syn" / "report"
        found["vitis_hls"] = read_vitis(reports / f"{design.name}_csynth.xml")
    if found:
        result.write_text(json.dumps({"part": chosen, **found}, indent=1) + "\n")
        console.print(_table(found, folder, chosen))
    return 0


def _ran(tool: str, commands: Mapping[str, Sequence[str]], folder: Path, console: Console, *, run: bool) -> bool:
    """Run a tool in its folder, if it is there; else say how to."""
    program = next((name for name in commands if shutil.which(name)), None)
    if run and program is not None:
        console.print(f"{_TITLES[tool]}: running; the log is {folder / 'log.txt'}", highlight=False)
        run_logged([program, *commands[program]], folder / "log.txt", _TITLES[tool], cwd=folder)
        return True
    name, arguments = next(iter(commands.items()))
    why = "" if run else " (nothing is run)"
    missing = f"{name} is not on PATH; " if run else ""
    console.print(
        f"{_TITLES[tool]}: {missing}the scripts are in {folder}{why}: cd {folder} && {' '.join([name, *arguments])}",
        highlight=False,
        soft_wrap=True,
    )
    return False


def _table(found: dict[str, dict[str, float]], folder: Path, part: str) -> Table:
    """Show the figures beside those of yosys, which are in the report of the build."""
    columns = {_TITLES[tool]: figures for tool, figures in found.items()}
    synthesized = load_report(folder)["resources"] if (folder / REPORT_FILE).is_file() else None
    if synthesized is not None:
        columns[f"yosys ({synthesized['family']})"] = synthesized["total"]
    table = Table(part, *columns)
    for column in table.columns[1:]:
        column.justify = "right"
    for name in dict.fromkeys(name for figures in found.values() for name in figures):
        table.add_row(name, *(f"{figures[name]:g}" if name in figures else "" for figures in columns.values()))
    return table
