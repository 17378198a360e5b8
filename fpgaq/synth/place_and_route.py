"""Place and route with nextpnr: the clock frequency that a design reaches on a real device.

The netlist is that of the resource counts. Around it go registers at every port (`fpgaq.synth._harness`), so that paths
from and to ports count like all others, and a design with more ports than a package has pins can be placed alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpgaq.errors import ToolError
from fpgaq.progress import Progress
from fpgaq.synth import _nextpnr
from fpgaq.synth._devices import smallest, target
from fpgaq.synth._harness import Harness, enclose
from fpgaq.synth.flow import placeable
from fpgaq.synth.resources import Resources

_SEED = 1


@dataclass(frozen=True)
class Routed:
    """What `place_and_route` found.

    Attributes
    ----------
    family, device, tool
        FPGA family, part, and nextpnr's version.
    target_mhz
        Frequency that nextpnr worked towards.
    timing
        Fmax, slowest path, and cells in use, the harness among them.
    resources
        Of the design alone, as `synthesize` counts.
    harness
        Registers and LUTs around the design.
    seconds
        By phase.
    """

    family: str
    device: str
    tool: str
    target_mhz: float
    timing: _nextpnr.Timing
    resources: Resources
    harness: Harness
    seconds: dict[str, float]

    @property
    def slack_ns(self) -> float:
        """Clock period of the target less that of Fmax; negative where the target is missed."""
        return round(1e3 / self.target_mhz - 1e3 / self.timing.fmax_mhz, 3)

    def to_json(self) -> dict[str, Any]:
        """Return the object as JSON-ready values."""
        return {
            "family": self.family,
            "device": self.device,
            "tool": self.tool,
            "target_mhz": self.target_mhz,
            "slack_ns": self.slack_ns,
            **self.timing.to_json(),
            "harness_ff": self.harness.flip_flops,
            "harness_lut": self.harness.luts,
            "seconds": self.seconds,
        }


def require(family: str) -> None:
    """Raise unless a family can be placed and routed here.

    Raises
    ------
    ConfigError
        nextpnr has no such family.
    ToolError
        nextpnr is missing.
    """
    _nextpnr.locate(target(family).tool)


def place_and_route(
    sources: Sequence[Path],
    top: str,
    *,
    family: str,
    clock_period: float,
    work: Path,
    limit: float,
    clock: str = "aclk",
    data_files: Sequence[Path] = (),
    progress: Progress | None = None,
) -> Routed:
    """Synthesize a design, place it on the smallest device that holds it, route it, and return its timing.

    A design that is slower than the target is a result, not an error. The same sources give the same result.

    Parameters
    ----------
    sources : sequence of Path
        SystemVerilog files, in any order.
    top : str
        Module that is the whole design.
    family : str
        ``ecp5`` or ``ice40``.
    clock_period : float
        Target in ns.
    work : Path
        Folder for logs and intermediate files.
    limit : float
        Seconds after which it is given up.
    clock : str
        Port with the only clock.
    data_files : sequence of Path
        Files that the sources read with ``$readmemh``.
    progress : Progress, optional
        Shows the phases.

    Raises
    ------
    ConfigError
        nextpnr has no such family.
    ToolError
        A tool is missing or failed, no device is large enough, or the limit was met.
    """
    found = target(family)
    tool = _nextpnr.locate(found.tool)
    progress = progress or Progress()
    deadline = time.monotonic() + limit
    with progress.phase("synthesis", "synthesis"):
        mapped = placeable(sources, top, family=family, work=work, limit=limit, data_files=data_files)
    if mapped is None:
        raise _too_slow(top, limit, "synthesis")
    module = json.loads(mapped.path.read_text())["modules"][top]
    harness = enclose(module, clock, found.primitives)
    device = smallest(found, module["cells"], mapped.resources, harness)
    folder = mapped.path.parent
    netlist = folder / "harness.json"
    netlist.write_text(json.dumps({"creator": "fpgaq", "modules": {top: module}}))
    mhz = 1e3 / clock_period
    wanted = ("--freq", f"{mhz:g}", "--timing-allow-fail", "--seed", str(_SEED))
    arguments = (*device.arguments, *found.arguments, *wanted, "--json", netlist.name, "--top", top)
    try:
        timing = _nextpnr.read_report(_nextpnr.run(tool, arguments, folder, deadline, progress))
    except TimeoutError as error:
        raise _too_slow(top, limit, str(error)) from None
    mhz, seconds = round(mhz, 3), dict(progress.seconds)
    return Routed(family, device.name, tool.version, mhz, timing, mapped.resources, harness, seconds)


def _too_slow(top: str, limit: float, phase: str) -> ToolError:
    return ToolError(
        f"place and route of '{top}' was given up after {limit / 60:g} minutes, in the phase: {phase}. Give it more"
        " with --time-limit MINUTES, put a native nextpnr on PATH, which is faster, or make the design smaller."
    )
