"""Recurrent layers in C++ and in hardware: all three cells, their quantizers, folded steps, streams of C++, a fault."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import pytest
from keras_models import with_random_weights
from qkeras import quantized_po2
from recurrent_models import FLOAT, QUANTIZED, named, side_by_side
from written_designs import compiled, passed, traced_layers

from fpgaq import toolchain
from fpgaq.design import Design
from fpgaq.report.content import layers, timing
from fpgaq.stimuli import random_codes


def stacked() -> Any:
    """A GRU, and a folded LSTM on all its results, whose products are shifts."""
    keras.utils.set_random_seed(0)
    x = keras.Input((3, 2), name="series")
    first = named(QUANTIZED["qgru_after"](return_sequences=True), "first")(x)
    return with_random_weights(
        keras.Model(x, named(QUANTIZED["qlstm"](kernel_quantizer=quantized_po2(4)), "second")(first))
    )


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    """The C++ passes streams here; that of the example design passes arrays."""
    options = {"layers": {"second": {"reuse_factor": 12}}, "input_precision": "fixed<5,2>", "io_type": "io_stream"}
    return compiled(stacked(), tmp_path_factory.mktemp("stacked") / "net", **options)


def test_all_gates(design: Design) -> None:
    x = random_codes(design.graph, 100, seed=1)
    toolchain.lint(design.sources, "net")
    passed(design.keras_gate(x))
    passed(design.csim_gate(x))
    assert {"first", "second"} <= set(traced_layers(design, x[:20]))
    gate, result = design.rtl_gate(x)
    passed(gate)
    for row in timing(design, result, gate.timetable)["outputs"]:
        for key in ("latency_cycles", "last_beat_cycles", "ii_cycles"):
            assert row[key] == row[f"predicted_{key}"]
    rows = {row["module"]: row for row in layers(design, [])}
    assert rows["net_second_loop"]["weights"] == 3 * 12
    assert rows["net_first_loop"]["weights"] == 3 * 9
    assert rows["net_second_loop"]["reuse"] == 12
    found = {name: (row["format"], row["storage_bits"]) for name, row in rows.items() if row["format"] is not None}
    four = "int(width=4, signed=True, symmetric=False)"
    assert found == {
        "net_first": (four, 2 * 9 * 4),
        "net_first_loop": (four.replace("4", "3"), 3 * 9 * 3),
        "net_second": ("po2(width=4, exponents=8, signed=True)", 3 * 12 * 4),
        "net_second_loop": ("ternary", 3 * 12 * 2),
    }
    assert rows["net_second"]["datapath"][0]["form"] == "decode, shift"


@pytest.mark.extended
def test_a_fault_in_a_step_is_found_in_its_layer(design: Design, tmp_path: Path) -> None:
    """Its states do not begin with zero: the first layer that differs is the recurrent one."""
    faulty = Design(design.graph, design.options, tmp_path)
    faulty.hardware.write(tmp_path / "rtl")
    source = tmp_path / "rtl" / "net_first_loop.sv"
    text, count = re.subn(r"\.FIRST\(\d+'d\d+\)", ".FIRST('1)", source.read_text())
    assert count == 1
    source.write_text(text)
    gate, _ = faulty.rtl_gate(random_codes(design.graph, 10, seed=1))
    assert not gate.passed
    assert "layer 'first'" in str(gate.first_mismatch)


@pytest.mark.extended
@pytest.mark.parametrize(("half", "io_type"), [(0, "io_parallel"), (1, "io_stream")])
def test_all_layers_in_all_gates(half: int, io_type: str, tmp_path: Path) -> None:
    found = list({**QUANTIZED, **FLOAT}.items())
    design = compiled(side_by_side(dict(found[half::2])), tmp_path / "net", curve_precision=5, io_type=io_type)
    x = random_codes(design.graph, 200, seed=1)
    passed(design.keras_gate(x))
    passed(design.csim_gate(x))
    passed(design.rtl_gate(x)[0])
