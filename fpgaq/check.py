"""``--check-only``: is the model supported, which types does it get, what is rounded. Seconds, no tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fpgaq.build import gate_inputs
from fpgaq.config import Options, load_trained_design
from fpgaq.conversion import lower


def check_design(folder: Path, console: Console) -> int:
    """Check the model of a design folder, which must have been trained."""
    config = load_trained_design(folder)
    from fpgaq.frontend.load import load_model

    return check_loaded(load_model(config.model), config.name or folder.resolve().name, config.options, console)


def check_loaded(model: Any, name: str, options: Options, console: Console) -> int:
    """Check a model and print types, decisions and distance."""
    design = lower(model, name, options, Path("unused"))
    codes, labels, source = gate_inputs(design)
    gate = design.keras_gate(codes)
    table = Table("tensor", "operation", "shape", "type", "bounds (codes)")
    for node in design.graph.nodes.values():
        shape = "x".join(map(str, design.graph.bounds[node.name].lo.shape))
        table.add_row(node.name, node.op, shape, str(node.type), str(list(design.graph.bounds[node.name].hull)))
    console.print(table)
    assert design.origin is not None
    for decision in design.origin.derivation.decisions:
        error = "" if decision.max_error is None else f", error <= {decision.max_error:.2g}"
        console.print(f"{decision.layer} {decision.what} -> {decision.type}: {decision.reason}{error}", highlight=False)
    _print_quality(design, codes, labels, source, console)
    console.print(f"{gate.name}: {gate.samples} samples, {gate.mismatches} mismatches", highlight=False)
    gate.require()
    return 0


def _print_quality(design: Any, codes: Any, labels: Any, source: str, console: Console) -> None:
    from fpgaq.build import quality

    accuracy, distance = quality(design, codes, labels)
    console.print(f"inputs: {source}", highlight=False)
    if distance:
        console.print(f"original to frozen: max |diff| of {distance['of']} {distance['max_abs']:.3g}", highlight=False)
    if accuracy:
        console.print(
            f"accuracy: original {accuracy['original']:.4f}, frozen {accuracy['frozen']:.4f}", highlight=False
        )
