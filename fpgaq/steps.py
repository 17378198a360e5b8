"""Single steps repeated on a built folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from fpgaq import bundles, cache
from fpgaq.accuracy import accuracy_of, load_labels
from fpgaq.bundles import Bundle, bundled
from fpgaq.cosim.bulk import BulkResult
from fpgaq.design import Design
from fpgaq.errors import ConfigError, ToolError
from fpgaq.ir.types import IntArray
from fpgaq.progress import Progress
from fpgaq.report.compare import compare, markdown_of, notes, print_changes, too_large
from fpgaq.report.content import load_report, resources, save_report
from fpgaq.report.sweep import load_sweep
from fpgaq.report.text import depth_line, print_report, routed_line
from fpgaq.report.views import junit, markdown
from fpgaq.stimuli import input_codes, load_array, random_codes, real_codes
from fpgaq.synth import Synthesis, place_and_route


def repeat_simulation(
    folder: Path,
    inputs: Path | None,
    codes: Path | None,
    samples: int | None,
    seed: int,
    labels: Path | None,
    console: Console,
) -> int:
    """Run the C++ and RTL gates again; return 0 when both are equal, 1 when not."""
    design = Design.load(folder)
    if labels is not None and inputs is None and codes is None:
        raise ConfigError("labels need inputs: give --inputs or --codes with --labels")
    x = _chosen_codes(design, inputs, codes, samples, seed)
    classes = None if labels is None else load_labels(labels, design.graph, bundles.samples(x))
    csim = design.csim_gate(x)
    rtl, simulation = design.rtl_gate(x)
    for each in (csim, rtl):
        verdict = "equal" if each.passed else f"DIFFERENT: {each.first_mismatch}"
        console.print(f"{each.name}: {each.samples} samples, {each.mismatches} mismatches, {verdict}", highlight=False)
    if simulation.bulk is not None:
        console.print(_throughput(simulation.bulk, bundles.samples(x)), highlight=False)
    if classes is not None:
        console.print(_accuracies(design, x, design.computed(simulation)[0], classes), highlight=False)
    return int(not (csim.passed and rtl.passed))


def _throughput(bulk: BulkResult, samples: int) -> str:
    return (
        f"hardware: {samples} samples in {bulk.seconds:.2f} s of simulation, {samples / bulk.seconds:.0f} samples/s, "
        f"{bulk.clocks / bulk.seconds:.0f} clocks/s"
    )


def _accuracies(design: Design, codes: Bundle, hardware: IntArray, labels: np.ndarray) -> str:
    wanted = accuracy_of(design, design.golden(codes, raw=True), labels)
    found = (
        f"{accuracy_of(design, hardware, labels):.4f}"
        if len(hardware) == len(labels)
        else "unknown, results are missing"
    )
    return f"accuracy: hardware {found}, golden {wanted:.4f}, {len(labels)} samples"


def _chosen_codes(design: Design, inputs: Path | None, codes: Path | None, samples: int | None, seed: int) -> Bundle:
    if sum(choice is not None for choice in (inputs, codes, samples)) > 1:
        raise ConfigError("choose one of --inputs, --codes and --samples")
    if inputs is not None:
        return real_codes(design.graph, load_array(inputs), str(inputs))
    if codes is not None:
        arrays = input_codes(design.graph, load_array(codes), str(codes))
        for node, array in zip(design.graph.inputs, arrays, strict=True):
            if array.dtype.kind not in "iu" or array.shape[1:] != node.shape:
                where = "" if len(arrays) == 1 else f", input {node.name!r}"
                raise ConfigError(
                    f"{codes}{where}: integer codes of shape (samples, {', '.join(map(str, node.shape))}) are needed"
                )
        return bundled([array.astype(np.int64) for array in arrays])
    return random_codes(design.graph, design.options.samples if samples is None else samples, seed)


def repeat_synthesis(folder: Path, family: str | None, console: Console, minutes: float | None = None) -> int:
    """Synthesize again, and place and route within so many minutes; of the own family the report gets the figures."""
    design = Design.load(folder)
    if minutes is not None:
        place_and_route.require(family or design.options.family)
    found = design.synth(family, cache=cache.folder("synth"))
    table = Table("module", "LUT", "FF", "DSP", "BRAM18", "carry", "LUTRAM")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, row in found.layers.items():
        table.add_row(name, *(str(v) for v in row.to_json().values()))
    title = f"total ({found.family}{', sum of layers' if found.total_is_sum else ''})"
    table.add_row(title, *(str(v) for v in found.total.to_json().values()), style="bold")
    console.print(table)
    if found.logic_depth is not None:
        console.print(depth_line(found.logic_depth), highlight=False)
    if found.family == design.options.family:
        report = load_report(folder)
        report["resources"] = resources(design, found)
        save_report(report, folder)
    if minutes is not None:
        _route(design, found, minutes, folder, console)
    return 0


def _route(design: Design, found: Synthesis, minutes: float, folder: Path, console: Console) -> None:
    """Place and route the design that was counted."""
    with Progress(console) as progress:
        routed = design.place_and_route(found.family, limit=60 * minutes, progress=progress)
    if not found.total_is_sum and routed.resources != found.total:
        raise ToolError(
            f"the netlist that was placed is not the one that was counted: {routed.resources} and {found.total}; run"
            " it again, and report it if that does not help"
        )
    figures = routed.to_json()
    console.print(routed_line(figures), highlight=False)
    if found.family == design.options.family:
        report = load_report(folder)
        report["timing"]["place_and_route"] = figures
        save_report(report, folder)


def show_report(folder: Path, form: str, output: Path | None, sweep: Path | None, console: Console) -> int:
    """Print the stored report in one of its forms; that for browsers is written into a file."""
    report = load_report(folder)
    if form == "html":
        return _write_page(report, folder, output or folder / "report.html", sweep, console)
    if form == "text":
        print_report(report, console, str(folder))
    else:
        views = {"json": lambda r: json.dumps(r, indent=1) + "\n", "markdown": markdown, "junit": junit}
        sys.stdout.write(views[form](report))
    return 0


def _write_page(report: dict[str, Any], folder: Path, target: Path, sweep: Path | None, console: Console) -> int:
    from fpgaq.report.html import links, page

    if not folder.is_dir():
        raise ConfigError(f"{folder} is a file; the page needs the whole build: give its folder")
    others = None if sweep is None else load_sweep(sweep)
    text = page(report, Design.load(folder).graph, links(folder, target), others)
    target.write_text(text, encoding="utf-8")
    console.print(f"{target}: open it in a browser", highlight=False)
    return 0


def compare_reports(old: Path, new: Path, form: str, percent: float | None, console: Console) -> int:
    """Print what became larger or smaller; return 1 when a figure of the whole grew by more than so many percent."""
    reports = load_report(old), load_report(new)
    changes, remarks = compare(*reports), notes(*reports)
    large = [] if percent is None else too_large(changes, percent)
    if form == "markdown":
        sys.stdout.write(markdown_of(changes, remarks, reports[1]["name"]))
    else:
        print_changes(changes, remarks, console)
    for change in large:
        print(f"fpgaq: {change.figure} grew by {change.growth:.1f} %, more than {percent:g} %", file=sys.stderr)
    return int(bool(large))


def explain_failures(report: dict[str, Any], folder: Path) -> None:
    """Say for every failed gate where it differs first and how to repeat it."""
    for name, gate in report["gates"].items():
        if gate["passed"]:
            continue
        first = gate["first_mismatch"]
        where = first["note"] or (
            f"layer {first['layer']!r}, sample {first['sample']}, element {first['index']}: "
            f"got {first['got']}, want {first['want']}"
        )
        codes = next(folder.glob(f"mismatch_{name}.np[yz]"))
        print(f"fpgaq: gate {name} failed: {where}\n  repeat: fpgaq sim {folder} --codes {codes}", file=sys.stderr)
