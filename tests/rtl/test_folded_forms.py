"""Folded matrices of every format in every form: golden = RTL, what is stored, what is left out and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import batches
import numpy as np
import pytest
from batches import Batch, Cycle, check, codes
from coded_layers import EXAMPLES, coded_layer, in_form, matrix_of
from random_layers import corners

from fpgaq import toolchain
from fpgaq.errors import ConfigError
from fpgaq.ir import FixedType, Graph
from fpgaq.quantize import formats
from fpgaq.rtl.folded_forms import ADDED, COUNTED, DECODED, PLAIN, SHIFTED
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.rom import rom
from fpgaq.rtl.words import pack

SIGNED, UNSIGNED = FixedType(4, 1, True), FixedType(3, 1, False)
#: inputs, outputs, reuse factor; what goes in; unit
CONFIGURATIONS = [
    ((8, 4, 2), SIGNED, "one"),
    ((6, 4, 12), UNSIGNED, "powers"),
    ((7, 3, 7), SIGNED, "odd"),
    ((5, 4, 10), UNSIGNED, "any"),
]
#: The same with inputs of one and two bits; above 36 bits a cycle there are several counters.
COUNTED_CONFIGURATIONS = [
    ("binary", (76, 2, 2), "signs", "powers"),
    ("ternary", (40, 2, 2), "ternary", "powers"),
    ("zero_one", (76, 1, 2), "signs", "one"),
    ("ternary", (12, 4, 4), "bits", "one"),
    ("binary", (7, 5, 35), "wide", "one"),
    ("ternary", (6, 4, 12), FixedType(1, 0, True), "powers"),
]


def design(name: str, form: str) -> str:
    return f"{name}_{re.sub(r'[^a-z]+', '_', form)}"


def every_form(graph: Graph) -> dict[str, str]:
    """Return a name of a design for every form that the graph's matrix can have."""
    names = [form.name for form, _ in matrix_of(make_hardware(graph, 5.0, "xc7")).forms]
    return {design(graph.name, name): name for name in names}


def built(forms: Sequence[tuple[Graph, dict[str, str]]], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Batch:
    """Return a batch of graphs in forms, given by the name of the design."""
    wanted = {name: form for _, names in forms for name, form in names.items()}
    copies = [Graph(name, list(graph.nodes.values()), graph.outputs) for graph, names in forms for name in names]
    with monkeypatch.context() as patch:
        patch.setattr(batches, "make_hardware", lambda g, *rest: in_form(wanted[g.name], g, *rest))
        return Batch(copies, folder)


@pytest.mark.slow
def test_every_form_equals_golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes, groups, units, trees, counters: extremes of all accumulators first, then random words."""
    forms = []
    for k, (name, number_format) in enumerate(EXAMPLES.items()):
        size, inputs, unit = CONFIGURATIONS[k % 4]
        graph = coded_layer(f"{name}_m", number_format, size, inputs, unit=unit)
        forms.append((graph, every_form(graph)))
    for k, (name, size, inputs, unit) in enumerate(COUNTED_CONFIGURATIONS):
        graph = coded_layer(
            f"{name}{k}", EXAMPLES[name], size, inputs, unit=unit, levels="largest" if k == 0 else "any"
        )
        forms.append((graph, {design(graph.name, COUNTED): COUNTED}))
    batch = built(forms, tmp_path, monkeypatch)
    words = [
        word
        for graph, _ in forms
        for x in [corners(graph, 4, 1)[:14]]
        for word in pack(x.reshape(len(x), -1), graph.inputs[0].type)
    ]
    traces = batch.run(batch.stimulus(3, words))
    for name, hardware in batch.hardware.items():
        check(hardware.graph, hardware, traces[name])
    toolchain.lint(batch.sources, "batch")


# --- every code times every activation, and codes that are wrong ------------------------------------------------------

#: Formats and forms that are also built with a wrong code in the ROM
FAULTS = {("tapered4", DECODED), ("pot4", SHIFTED), ("ternary", ADDED), ("signs_binary", COUNTED)}


def flip_code(batch: Batch, name: str) -> None:
    """Put the code of the last weight in the place of the first one, in the ROM of a design."""
    layer = matrix_of(batch.hardware[name])
    path = batch.folder / "rtl" / f"{layer.name}_weights.sv"
    words = layer.weight_words()
    assert words[0] != words[-1]
    width = re.search(r"ROM of \d+ x (\d+) bits", path.read_text())
    assert width is not None
    path.write_text(str(rom(path.stem, [words[-1], *words[1:]], int(width[1]))))


@pytest.mark.extended
def test_every_code_times_every_activation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All levels of a format as the weights of one input. A wrong code in the ROM is found."""
    graphs = []
    for name, number_format in EXAMPLES.items():
        outputs = len(number_format.levels)
        graphs.append(coded_layer(name, number_format, (1, outputs, outputs), SIGNED, levels="every"))
    for few in ("signs", "bits", "ternary", "wide"):
        for name in ("binary", "ternary"):
            outputs = len(EXAMPLES[name].levels)
            graphs.append(coded_layer(f"{few}_{name}", EXAMPLES[name], (1, outputs, outputs), few, levels="every"))
    forms = [(graph, every_form(graph)) for graph in graphs]
    # Inputs of few values matter where they are counted.
    forms = [(g, {n: f for n, f in found.items() if len(g.nodes) == 2 or f == COUNTED}) for g, found in forms]
    faulty = {f"bad_{design(g.name, f)}": design(g.name, f) for g in graphs for n, f in FAULTS if g.name == n}
    assert len(faulty) == len(FAULTS)
    wrong = [(g, {b: names[of] for b, of in faulty.items() if of in names}) for g, names in forms]
    batch = built([*forms, *wrong], tmp_path, monkeypatch)
    for name in faulty:
        flip_code(batch, name)

    reset: Cycle = {"aresetn": 0, "s_valid": 0, "s_last": 0, "s_data": 0, "m_ready": 1}
    # Every word for as long as the slowest design needs to take it.
    longest = max(hardware.ii for hardware in batch.hardware.values())
    held = [word for word in range(1 << SIGNED.width) for _ in range(longest + 1)]
    cycles: list[Cycle] = [{**reset, "aresetn": 1, "s_valid": 1, "s_data": word} for word in [*held, *[0] * 99]]
    traces = batch.run([reset, reset, *cycles])
    for name, hardware in batch.hardware.items():
        (trace,) = traces[name]
        done = [t.word for t in trace.taken[: len(trace.given)]]
        assert len(np.unique(codes(hardware, done))) == 1 << SIGNED.width
        if name in faulty:
            with pytest.raises(AssertionError, match=name):
                check(hardware.graph, hardware, [trace])
        else:
            check(hardware.graph, hardware, [trace])


# --- which forms there are --------------------------------------------------------------------------------------------


def layer_of(name: str, inputs: FixedType | str = SIGNED, unit: str = "one") -> FoldedMatrix:
    graph = coded_layer("net", EXAMPLES[name], (8, 4, 4), inputs, unit=unit)
    return matrix_of(make_hardware(graph, 5.0, "xc7"))


@pytest.mark.parametrize(
    ("name", "inputs", "available"),
    [
        ("int4", SIGNED, {PLAIN}),
        ("binary", SIGNED, {PLAIN, DECODED, ADDED}),
        ("binary", "signs", {PLAIN, DECODED, ADDED, COUNTED}),
        ("ternary", "ternary", {PLAIN, ADDED, COUNTED}),
        ("pot4", SIGNED, {PLAIN, DECODED, SHIFTED}),
        ("tapered4", SIGNED, {PLAIN, DECODED}),
    ],
)
def test_every_other_form_has_a_reason(name: str, inputs: FixedType | str, available: set[str]) -> None:
    layer = layer_of(name, inputs)
    assert {form.name for form, _ in layer.forms} == available
    assert set(layer.left_out) == {DECODED, SHIFTED, ADDED, COUNTED} - available
    costs = [cost.equivalents for _, cost in layer.forms]
    assert costs == sorted(costs)
    assert layer.form is layer.forms[0][0]


def test_the_rom_holds_codes() -> None:
    """A word is as wide as the codes of all multipliers; they mean the weights."""
    for name, form in (("pot4", SHIFTED), ("tapered4", DECODED), ("binary", ADDED), ("codebook4", DECODED)):
        graph = coded_layer("net", EXAMPLES[name], (8, 4, 4), SIGNED)
        layer = matrix_of(in_form(form, graph, 5.0, "xc7"))
        bits, multipliers = EXAMPLES[name].bits, 8
        assert f"ROM 4 x {bits * multipliers} bits" in layer.summary
        found = [[word >> bits * k & (1 << bits) - 1 for k in range(multipliers)] for word in layer.weight_words()]
        weights = layer.schedule.by_cycle(layer.matrix.weight)
        assert np.array_equal(EXAMPLES[name].decode(np.array(found)), weights)


@pytest.mark.parametrize(
    ("name", "inputs", "unit", "wanted", "why"),
    [
        ("int4", SIGNED, "one", SHIFTED, "weights are no powers of two"),
        ("pot4", SIGNED, "one", ADDED, "weights have more than one magnitude"),
        ("binary", SIGNED, "one", COUNTED, "inputs have more than two values, and others than -1, 0 and 1"),
        ("pot4", SIGNED, "any", SHIFTED, "the units of outputs differ by factors that are no powers of two"),
        ("pot4", SIGNED, "one", "guess", "known are decode, shift, "),
    ],
)
def test_a_form_that_is_not_available_is_refused(
    name: str, inputs: FixedType | str, unit: str, wanted: str, why: str
) -> None:
    graph = coded_layer("net", EXAMPLES[name], (8, 4, 4), inputs, unit=unit)
    layer = matrix_of(in_form(wanted, graph, 5.0, "xc7"))
    with pytest.raises(ConfigError, match=f"layer 'matmul\\d': form '{wanted}' is not available: {why}"):
        _ = layer.form


def test_without_a_format_there_are_integers_only() -> None:
    graph = coded_layer("net", formats.Ternary(), (8, 4, 4), SIGNED)
    matrix = matrix_of(make_hardware(graph, 5.0, "xc7")).matrix
    layer = FoldedMatrix("net", matrix.with_weights(matrix.weight + 7, matrix.unit), graph.operand("x"))
    assert [form.name for form, _ in layer.forms] == [PLAIN]
    assert set(layer.left_out.values()) == {"the weights have no number format"}
