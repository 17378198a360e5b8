"""The C++ of an HLS project with the same meaning, in a form that g++ compiles in seconds.

hls4ml writes a statement for every weight and for every element of every window of a convolution; g++ takes time and
memory for each of them: more than 3 GiB and minutes for a network on images of 32x32 pixels. Here the same numbers,
taken from the written text, stand in constant tables with a loop behind them. What is not recognized stays as it is.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

#: ``weight2_t w2[432] = {0.125, -0.125, ...};``
_WEIGHTS = re.compile(r"^(\w+) (\w+)\[(\d+)\] = (\{[^{}]*\});", re.MULTILINE)
#: The body of ``fill_buffer``: a block for every partition, which is a position of the window or several.
_BLOCKS = re.compile(r"(const unsigned partition\s*\)\s*\{\n)((?:\s*if \(partition == +\d+\) \{\n[^{}]*\}\n)+)")
_BLOCK = re.compile(r"if \(partition == +(\d+)\) \{([^{}]*)\}")
_STATEMENT = re.compile(r"buffer\[(\d+)\]\[(\d+)\] = +(?:data\[(\d+)\]|0);")


def compilable(project: Path, folder: Path, name: str) -> list[Path]:
    """Write what g++ shall compile into a folder.

    Parameters
    ----------
    project : Path
        The HLS project.
    folder : Path
        Where the copy is made; the headers of the types stay in the project.
    name : str
        Of the design.

    Returns
    -------
    list of Path
        The sources to compile.
    """
    firmware = folder / "firmware"
    shutil.copytree(project / "firmware", firmware, ignore=shutil.ignore_patterns("ap_types"))
    bridge = Path(shutil.copy(project / f"{name}_bridge.cpp", folder))
    for path in (firmware / "weights").glob("*.h"):
        path.write_text(_WEIGHTS.sub(_weights_in_a_loop, path.read_text()))
    windows = firmware / "nnet_utils" / "nnet_code_gen.h"
    windows.write_text(_BLOCKS.sub(_windows_in_a_loop, windows.read_text()))
    return [firmware / f"{name}.cpp", bridge]


def _weights_in_a_loop(match: re.Match[str]) -> str:
    """Convert numbers to their type at the start of the program instead of by a constructor each."""
    kind, name, count, values = match.groups()
    return (
        f"static const double {name}_values[{count}] = {values};\n"
        f"{kind} {name}[{count}];\n"
        f"static const bool {name}_filled = [] {{\n"
        f"    for (int i = 0; i < {count}; ++i) {name}[i] = {name}_values[i];\n"
        "    return true;\n"
        "}();"
    )


def _windows_in_a_loop(match: re.Match[str]) -> str:
    """Take the elements of the windows from a table of indices; -1 is the margin."""
    head, text = match.groups()
    rows: list[str] = []
    places: list[tuple[str, str]] | None = None
    for number, body in _BLOCK.findall(text):
        statements = _STATEMENT.findall(body)
        found = [(p, k) for p, k, _ in statements]
        if int(number) != len(rows) or _STATEMENT.sub("", body).strip() or found != (places or found):
            return match[0]
        places = found
        rows.append("{" + ",".join(index or "-1" for *_, index in statements) + "}")
    assert places is not None  # there is a block at least, see the pattern
    targets = ",".join(f"{{{p},{k}}}" for p, k in places)
    table = ",\n".join(rows)
    return (
        f"{head}"
        f"        static const int places[{len(places)}][2] = {{{targets}}};\n"
        f"        static const int elements[{len(rows)}][{len(places)}] = {{\n{table}}};\n"
        f"        for (int i = 0; i < {len(places)}; ++i) {{\n"
        "            const int element = elements[partition][i];\n"
        "            if (element < 0) buffer[places[i][0]][places[i][1]] = 0;\n"
        "            else buffer[places[i][0]][places[i][1]] = data[element];\n"
        "        }\n"
    )
