"""da4ml and alkaid, in a virtual environment of their own: installing them, and letting them write Verilog.

Both are LGPL. Nothing of them is imported here or copied; what they write stays below the build folder.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.network import ACTIVATION, INPUT
from fpgaq import resources
from fpgaq.ir.types import FixedType

PINNED = {"da4ml": "0.6.0", "alkaid": "0.8.2"}
ADDERS_PER_STAGE = 5
_HERE = Path(__file__).parent


class PeersMissingError(Exception):
    """The peers cannot be installed; the message says why."""


@dataclass(frozen=True)
class PeerDesign:
    """What a peer wrote.

    Parameters
    ----------
    sources : list of Path
        Verilog; the top module is ``peer``.
    outputs : list of (signed, integer, fraction)
        Format of every output, packed from the low bits up.
    values : list of list of float
        What the peer's own exact executor computes.
    facts : dict
        Depth, stages, register bits, seconds, versions.
    """

    sources: list[Path]
    outputs: list[tuple[int, int, int]]
    values: list[list[float]]
    facts: dict[str, Any]


def install(folder: Path) -> Path:
    """Install the pinned versions into a virtual environment and return its Python.

    Raises
    ------
    PeersMissingError
        If that fails.
    """
    python = folder / "bin" / "python"
    wanted = [f"{name}=={version}" for name, version in PINNED.items()]
    uv = shutil.which("uv")
    if uv:
        steps = [[uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)]]
        steps.append([uv, "pip", "install", "--quiet", "--python", str(python), *wanted])
    else:
        steps = [[sys.executable, "-m", "venv", str(folder)]]
        steps.append([str(python), "-m", "pip", "install", "--quiet", *wanted])
    for step in steps:
        run = subprocess.run(step, capture_output=True, text=True, check=False)
        if run.returncode:
            raise PeersMissingError(
                f"'{Path(step[0]).name} {step[1]}' failed: {(run.stderr or run.stdout).strip()[-400:]}"
            )
    return python


def build(
    python: Path, tool: str, arrays: Path, folder: Path, *, pipelined: bool, input_type: FixedType = INPUT
) -> PeerDesign:
    """Let a peer solve the network and write Verilog.

    alkaid's ``ternary_adder`` is replaced by ours, which holds fpgaq's add3. Saturation is asked for without a
    rectifier in front, and an adder is one unit of delay: both cost less by the peers' own estimates.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = {
        "tool": tool,
        "arrays": str(arrays.resolve()),
        "out": str((folder / "project").resolve()),
        "answer": str((folder / "answer.json").resolve()),
        "adders_per_stage": ADDERS_PER_STAGE if pipelined else 0,
        "input_signed": int(input_type.signed),
        "input": [input_type.integer_bits - input_type.signed, input_type.frac],
        "activation": [ACTIVATION.integer_bits, ACTIVATION.frac],
    }
    (folder / "job.json").write_text(json.dumps(job))
    command = [str(python), str(_HERE / "peer_worker.py"), str(folder / "job.json")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{tool} failed: {run.stderr.strip()[-800:]}")
    facts = json.loads((folder / "answer.json").read_text())
    values, outputs = facts.pop("values"), [tuple(kif) for kif in facts.pop("outputs")]
    return PeerDesign(_sources(folder / "project" / "src"), outputs, values, facts)


def _sources(folder: Path) -> list[Path]:
    found = [path for path in sorted(folder.rglob("*.v")) if not path.stem.endswith("_wrapper")]
    kept = [path for path in found if path.name != "ternary_adder.v"]
    if len(kept) < len(found):
        kept += [_HERE / "ternary_adder.sv", resources.rtl_library() / "add3.sv"]
    return kept


def signed_codes(word: int, formats: Sequence[tuple[int, int, int]], frac: int) -> list[int]:
    """Unpack an output word into codes with `frac` fraction bits."""
    codes = []
    for signed, integer, fraction in formats:
        width = signed + integer + fraction
        code = word & ((1 << width) - 1)
        word >>= width
        codes.append((code - (1 << width) if signed and code >> (width - 1) else code) << (frac - fraction))
    return codes
