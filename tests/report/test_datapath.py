"""Which forms a report lists for a matrix, and that the one that was built is the first."""

from __future__ import annotations

import dataclasses

import numpy as np

from fpgaq.ir import FixedType, Graph
from fpgaq.ir.ops import Input, MatMul
from fpgaq.quantize import formats
from fpgaq.report.content import _datapath, _left_out
from fpgaq.rtl.folded_forms import ADDED, COUNTED, DECODED, PLAIN, SHIFTED
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.hardware import make_hardware


def powers_of_two(reuse: int) -> Graph:
    pot = formats.PowerOfTwo(4)
    weight = np.random.default_rng(1).choice(pot.levels, (8, 4))
    return Graph(
        "net",
        [
            Input(name="x", inputs=(), type=FixedType(8, 0, True), layer="x", shape=(8,)),
            MatMul(
                name="fc",
                inputs=("x",),
                type=FixedType(18, 0, True),
                layer="fc",
                weight=weight,
                weight_frac=0,
                bias=np.zeros(4, np.int64),
                reuse=reuse,
                format=pot,
                unit=np.ones(4, np.int64),
            ),
        ],
        ("fc",),
    )


def test_folded_forms_are_listed_cheapest_first() -> None:
    (block,) = make_hardware(powers_of_two(4), 5.0, "xc7").blocks
    layer = block.hardware
    assert isinstance(layer, FoldedMatrix)
    rows = _datapath(layer)
    assert [row["form"] for row in rows] == [layer.form.name, *(form.name for form, _ in layer.forms[1:])]
    assert {row["form"] for row in rows} == {SHIFTED, PLAIN, DECODED}
    costs = [row["estimated_lut"] for row in rows]
    assert costs == sorted(costs)
    assert rows[0]["form"] == SHIFTED
    assert costs[1] > 8 * 200  # DSP blocks count
    assert {row["form"] for row in _left_out(layer)} == {ADDED, COUNTED}
    assert all("more than one magnitude" in row["reason"] for row in _left_out(layer))


def test_a_wanted_form_comes_first() -> None:
    (block,) = make_hardware(powers_of_two(4), 5.0, "xc7").blocks
    assert isinstance(block.hardware, FoldedMatrix)
    rows = _datapath(dataclasses.replace(block.hardware, wanted=PLAIN))
    assert rows[0]["form"] == PLAIN
    assert len(rows) == 3


def test_unrolled_forms_are_listed() -> None:
    (block,) = make_hardware(powers_of_two(1), 5.0, "xc7").blocks
    assert [row["form"] for row in _datapath(block.hardware)][:1] == ["constants"]
