"""Writes the pages that say what the code and the rows of benchmarks say; run it after changing one of them: options,
formats, support, schema, commands, the table of methods.

usage: python docs/generate.py
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import typer.main
from typer.cli import get_docs_for_click

import benchmarks
import fpgaq.report
from benchmarks.methods.figure import figure
from benchmarks.methods.page import page
from benchmarks.methods.summary import load
from fpgaq.cli import app
from fpgaq.config import DesignConfig, LayerOptions, Options
from fpgaq.frontend.quantizer_support import TABLE, Support
from fpgaq.quantize import formats as weight_formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.literature import SYSTEMS, Way

HERE = Path(__file__).parent
_DATA = Path(benchmarks.__file__).parent / "data"


def options() -> str:
    """Return the table of options."""
    lines = [
        "# Options",
        "",
        "Keys of `design.yaml`; those of the first table are also options of `fpgaq convert` (underscores become",
        "dashes) and keyword arguments of `fpgaq.convert`. A key that is not here is an error.",
        "",
        *_table(Options.model_fields),
        "",
        "Only in `design.yaml`:",
        "",
        *_table({k: v for k, v in DesignConfig.model_fields.items() if k not in Options.model_fields}),
        "",
        "Below `layers`, by layer name:",
        "",
        *_table(LayerOptions.model_fields),
    ]
    return "\n".join(lines) + "\n"


def _table(fields: dict[str, Any]) -> list[str]:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in fields.items():
        default = "" if field.default_factory or field.default is None else f"`{field.default}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return rows


def report() -> str:
    """Return the table of the report's keys."""
    schema = json.loads((Path(fpgaq.report.__file__).parent / "schema.json").read_text())
    version = schema["properties"]["schema"]["const"]
    lines = [
        "# The report",
        "",
        *_REPORT.strip().splitlines(),
        "",
        "## report.json",
        "",
        f"Schema version {version}; the JSON Schema is `fpgaq/report/schema.json`. `[]` is an element of a list,",
        "`*` any name.",
        "",
        "| key | meaning |",
        "|---|---|",
    ]
    lines += [f"| `{key}` | {text} |" for key, text in _keys(schema, schema, "")]
    return "\n".join(lines) + "\n"


_REPORT = """
`fpgaq report FOLDER` prints what a build left in `report.json`; `--json`, `--markdown` and `--junit` are for machines
and pull requests.

`--html` writes `FOLDER/report.html` (or `-o FILE`): one file that needs no network, with the resources of every layer,
the cycles of every module and which one limits the pace, bit-widths, histograms of the weights and of their codes, all
types, what freezing rounded, and links to the files of the build. It is light or dark as the browser is. It needs
`pip install 'fpgaq[explore]'`. `--sweep FILE` adds accuracy against LUTs of other designs from a CSV table with the
columns `accuracy` (0 to 1), `lut`, `error` (empty where a design could be built) and whatever distinguishes them.

`fpgaq synth FOLDER --place-and-route` adds `timing.place_and_route`, the clock frequency on a real device, where
the design's family is ecp5 or ice40 ([how](hardware.md#clock-frequency)). `resources.logic_depth` is there for all.

`--compare OLD NEW` prints what became larger or smaller between two built folders or `report.json` files, with
`--markdown` as a table for a pull request. `--fail-above PERCENT` makes it fail (exit code 1) when LUT, FF, DSP, BRAM,
latency or II of the whole grew by more than that; single layers may grow. Reports for different FPGA families, or of
another schema version, are refused.
"""


def _keys(node: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    node = _resolved(node, root)
    for name, child in node.get("properties", {}).items():
        yield from _key(child, root, f"{path}.{name}" if path else name)
    for key, suffix in (("additionalProperties", ".*"), ("items", "[]")):
        if isinstance(node.get(key), dict):
            yield from _key(node[key], root, f"{path}{suffix}")
    for choice in node.get("anyOf", node.get("oneOf", [])):
        yield from _keys(choice, root, path)


def _key(child: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    text = child.get("description") or _resolved(child, root).get("description")
    if text:
        yield path, text.replace("|", "\\|")
    yield from _keys(child, root, path)


def _resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = root
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)


def quantizers() -> str:
    """Return the tables of supported and refused quantizer configurations."""
    lines = ["# Quantizers", "", *_QUANTIZERS.strip().splitlines()]
    for role, heading in (("activation", "Activations"), ("parameter", "Kernels and biases")):
        lines += [
            "",
            f"## {heading}",
            "",
            "| quantizer | options | | how, or why not and what instead |",
            "|---|---|---|---|",
        ]
        rows = sorted((row for row in TABLE if row.role == role), key=lambda row: row.quantizer.lower())
        lines += [
            f"| `{row.quantizer}` | {_configurations(row)} | {'exact' if row.exact else 'refused'} | {row.how} |"
            for row in rows
        ]
    return "\n".join(lines) + "\n"


_QUANTIZERS = """
Every configuration in these tables is run by the tests: `exact` ones give equal integers in Keras and the golden model
(one of every kind also in C++ and RTL, which execute the same operations), `refused` ones an error that names the layer
and the option. Options that are not named have their default.

A *staircase* is read off the quantizer's own float32 evaluation: its thresholds are found by bisection over the
float32 numbers, and the numbers around each are checked one by one. It has at most 256 levels, which are dyadic
numbers of at most 16 significant bits. Where tanh, sigmoid or log of float32 fall back below a threshold, that matters
only to inputs as fine as float32 itself; such an input type is refused by name. The level of a number that float32
lacks is that of the next one below. Keras evaluates the last few elements of a tensor with other instructions, which
may differ in the last bit of a sigmoid; the frozen model always uses those of the rest of the tensor.

Stochastic quantizers are random in training only. `quantized_relu` forgets `is_quantized_clip=False` when it is saved.
"""


def _configurations(row: Support) -> str:
    return ", ".join(f"{name} {_values(values)}" for name, values in row.options.items())


def _values(values: tuple[Any, ...]) -> str:
    numbers = [value for value in values if type(value) is int]
    if len(numbers) == len(values) > 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"{numbers[0]} to {numbers[-1]}"
    return " or ".join(f"`{value}`" for value in values)


def formats() -> str:
    """Return the page with the codes of every number format."""
    lines = ["# Number formats", "", *_FORMATS.strip().splitlines()]
    for example in _EXAMPLES:
        codes = example.table()
        codes_of: dict[int, list[int]] = {}
        for code, value in codes.items():
            codes_of.setdefault(value, []).append(code)
        text = (type(example).__doc__ or "").strip().splitlines()[0]
        lines += [
            "",
            f"## {example.name}",
            "",
            f"{text} `{example}`: {example.bits} bits a weight, {len(example.levels)} different integers.",
            "",
            "| integer | " + " | ".join(str(value) for value in sorted(codes_of)) + " |",
            "|---|" + "---|" * len(codes_of),
            "| code | " + " | ".join(_codes(codes_of[v], example.bits) for v in sorted(codes_of)) + " |",
        ]
    lines += [
        "",
        "## Known and not built",
        "",
        *(f"* `{name}`: {why}." for name, why in weight_formats.REFUSED.items()),
    ]
    return "\n".join(lines) + "\n"


def _codes(codes: list[int], bits: int) -> str:
    return ", ".join(f"`{code:0{bits}b}`" for code in codes)


_EXAMPLES: tuple[WeightFormat, ...] = (
    weight_formats.Integer(3),
    weight_formats.Binary(),
    weight_formats.Ternary(),
    weight_formats.TwoScaleTernary(2, 3),
    weight_formats.PowerOfTwo(4),
    weight_formats.PowerOfTwoNoZero(3, 4),
    weight_formats.AdditivePowerOfTwo(4),
    weight_formats.Codebook((0, -7, 3, 9), 2),
    weight_formats.PiecewiseLinear(3, 4, 2),
    weight_formats.Tapered(4),
    weight_formats.MultiBinary((1, 2)),
)

_FORMATS = """
A weight format is a set of integers with a code for each; the value of a weight is its integer times a scale of the
layer, a power of two, or a factor per output channel behind the matrix. The golden model, the C++ and unrolled
SystemVerilog know the integers only; what is stored in the ROM of a folded layer, and decoded there, are the codes.
Which quantizer ends in which format is in [Quantizers](quantizers.md); what the forms of the hardware cost is in
[Hardware](hardware.md).

One example of each format follows. Codes and values are tested to be a bijection, and layers of every format are run
through all gates.
"""


def methods() -> str:
    """Return the page of the systems of the literature."""
    lines = ["# Methods of the literature", "", *_METHODS.strip().splitlines()]
    for kind in dict.fromkeys(entry.kind for entry in SYSTEMS):
        rows = [entry for entry in SYSTEMS if entry.kind == kind]
        lines += [
            "",
            f"## {kind.capitalize()}",
            "",
            "| system | status | idea | asked for by | remark |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {entry.name}{', ' if entry.source else ''}{entry.source} | {entry.status} | {entry.idea} "
            f"| {'<br>'.join(_asked(way) for way in entry.ways)} | {entry.remark} |"
            for entry in rows
        ]
    return "\n".join(lines) + "\n"


def _asked(way: Way) -> str:
    return way.text if way.command == "model" else f"`{way.command} {way.text}`"


_METHODS = """
What became of the quantization systems that fpgaq was held against; `fpgaq methods` prints the same list, with whole
commands and `--json`. `works`: every way of the row is run by the tests on a small network, whose hardware equals the
golden model and frozen Keras. It says nothing about accuracies that papers report. `adapter`: what a system leads to
is taken, its training is not here. A *reconstruction* is made from the idea, since the paper's text was not at hand.
"""


def command_line() -> str:
    """Return the page of all commands and their options."""
    text = get_docs_for_click(obj=typer.main.get_command(app), ctx=_context(), name="fpgaq", title="Command line")
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _context() -> typer.Context:
    return typer.Context(typer.main.get_command(app), info_name="fpgaq")


def comparison() -> str:
    """Return the page of methods side by side."""
    return page(load(_DATA / "methods.csv"), json.loads((_DATA / "methods.json").read_text()))


def _figures() -> dict[str, Callable[[], str]]:
    """Return what draws the figures of the networks that have hardware."""
    rows = load(_DATA / "methods.csv")
    built = dict.fromkeys(row["network"] for row in rows if row["lut"])
    return {f"figures/methods_{network}.svg": partial(figure, rows, network) for network in built}


FILES: dict[str, Callable[[], str]] = {
    "cli.md": command_line,
    "comparison.md": comparison,
    **_figures(),
    "formats.md": formats,
    "methods.md": methods,
    "options.md": options,
    "quantizers.md": quantizers,
    "report.md": report,
}

if __name__ == "__main__":
    for name, text in FILES.items():
        (HERE / name).write_text(text())
