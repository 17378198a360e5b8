"""Reading yosys' log: which warnings are failures, and what to show of a run that died."""

from __future__ import annotations

import re
from pathlib import Path

from fpgaq.errors import ToolError

# Warnings that say nothing about the design. Everything else fails the run.
ALLOWED = (
    # yosys' own techmap files, read without -sv.
    re.compile(r"Lexer warning: The SystemVerilog keyword .*\(at .*/share/"),
    # yosys' block RAM map for UltraScale connects ports at their widest.
    re.compile(r"Warning: Resizing cell port \S+\.(ADDRARDADDR|ADDRBWRADDR|D(IN|OUT)P?[AB]D(IN|OUT)P?) from"),
    # An array of registers all of whose elements are accessed at once, such as a shift register; not a RAM, as meant.
    re.compile(r"Warning: Replacing memory \S+ with list of registers"),
)

_WARNING = re.compile(r"\bwarning: ", re.IGNORECASE)
_FOREIGN = re.compile(r"^ABC: ")  # abc remarks on its own scripts ("The network is combinational.")
_LATCH = re.compile(r"^(?:Warning: )?Latch inferred for signal `\\?(\S+)' from process")
_ERROR = re.compile(r"\bERROR: ?")
_TAIL = 15


def check(log: Path, what: str) -> None:
    """Raise unless the log of a finished run is free of warnings and inferred latches.

    Raises
    ------
    ToolError
        Names the run (`what`), the first offending lines and the log.
    """
    bad: list[str] = []
    lines = log.read_text(errors="replace").splitlines()
    for number, line in enumerate(lines):
        if latch := _LATCH.match(line):
            bad.append(f"latch inferred for {latch[1]}: assign it on every path, or in always_ff")
        elif _WARNING.search(line) and not _FOREIGN.match(line) and not any(a.search(line) for a in ALLOWED):
            bad.append(_with_details(lines, number))
    if bad:
        listed = "\n".join(bad[:5])
        raise ToolError(
            f"Synthesis of {what}: yosys gave {len(bad)} warnings, all of them are failures:\n{listed}\n({log})"
        )


def failure(log: Path, what: str, code: int) -> ToolError:
    """Return the error for a run that ended with exit status `code` (negative: killed by that signal)."""
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    errors = [line for line in lines if _ERROR.search(line)]
    latches = [line for line in lines if _LATCH.match(line)]
    shown = "\n".join(latches + (errors or lines[-_TAIL:]))
    cause = f"was killed by signal {-code} (9: often out of memory)" if code < 0 else f"failed with exit status {code}"
    return ToolError(f"Synthesis of {what} {cause}:\n{shown}\n({log})")


def _with_details(lines: list[str], number: int) -> str:
    """Return a warning with the indented lines that belong to it (the cells of a logic loop)."""
    text = [lines[number]]
    for line in lines[number + 1 : number + 6]:
        if not line.startswith("    "):
            break
        text.append(line)
    return "\n".join(text)
