"""Folded matrices of every format in every form: golden = RTL, what is stored, what is left out and why."""

from __future__ import annotations

import re
from pathlib import Path

import batches
import pytest
from batches import Batch, check
from coded_layers import EXAMPLES, coded_layer, in_form, matrix_of
from random_layers import corners

from fpgaq import toolchain
from fpgaq.ir import FixedType, Graph
from fpgaq.rtl.folded_forms import COUNTED
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.words import pack

SIGNED, UNSIGNED = FixedType(4, 1, True), FixedType(3, 1, False)
#: inputs, outputs, reuse factor; what goes in; unit
CONFIGURATIONS = [
    ((8, 4, 2), SIGNED, "one"),
    ((6, 6, 18), UNSIGNED, "powers"),
    ((7, 3, 7), SIGNED, "odd"),
    ((5, 4, 10), UNSIGNED, "any"),
]
#: The same with inputs of one and two bits
COUNTED_CONFIGURATIONS = [
    ((80, 3, 2), "signs", "powers"),
    ((12, 4, 4), "bits", "one"),
    ((7, 5, 35), "wide", "one"),
    ((40, 2, 2), "ternary", "powers"),
    ((6, 4, 12), FixedType(1, 0, True), "powers"),
]


def every_form(graph: Graph) -> dict[str, str]:
    """Return a name of a design for every form that the graph's matrix can have."""
    names = [form.name for form, _ in matrix_of(make_hardware(graph, 5.0, "xc7")).forms]
    return {f"{graph.name}_{re.sub(r'[^a-z]+', '_', name)}": name for name in names}


def built(graphs: list[Graph], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Batch:
    """Return a batch with every graph in every form."""
    wanted: dict[str, str] = {}
    copies = []
    for graph in graphs:
        for name, form in every_form(graph).items():
            wanted[name] = form
            copies.append(Graph(name, list(graph.nodes.values()), graph.outputs))
    monkeypatch.setattr(batches, "make_hardware", lambda g, *rest: in_form(wanted[g.name], g, *rest))
    return Batch(copies, folder)


def check_all(batch: Batch, graphs: list[Graph], seed: int) -> None:
    """Extremes of all accumulators first, then random words."""
    words = [
        word
        for graph in graphs
        for x in [corners(graph, 4, 1)[:14]]
        for word in pack(x.reshape(len(x), -1), graph.inputs[0].type)
    ]
    traces = batch.run(batch.stimulus(seed, words))
    for name, hardware in batch.hardware.items():
        check(hardware.graph, hardware, traces[name])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_format_in_every_form_equals_golden(part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size, inputs, unit = CONFIGURATIONS[part]
    graphs = [coded_layer(f"{name}{part}", f, size, inputs, unit=unit) for name, f in EXAMPLES.items()]
    batch = built(graphs, tmp_path, monkeypatch)
    check_all(batch, graphs, part)
    toolchain.lint(batch.sources, "batch")


@pytest.mark.slow
def test_counted_bits_equal_golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = [
        coded_layer(f"{name}{k}", EXAMPLES[name], size, inputs, unit=unit, equal=equal)
        for k, (size, inputs, unit) in enumerate(COUNTED_CONFIGURATIONS)
        for name, equal in (("binary", False), ("ternary", False), ("zero_one", k == 0))
    ]
    for graph in graphs:
        assert COUNTED in every_form(graph).values(), graph.name
    batch = built(graphs, tmp_path, monkeypatch)
    check_all(batch, graphs, 7)
    toolchain.lint(batch.sources, "batch")
