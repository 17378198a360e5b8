"""Staircases in each of their forms: exhaustive over the operand, in Python and in Verilog."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from batches import Batch, check
from random_layers import Chain

from fpgaq import toolchain
from fpgaq.ir import FixedType, IntArray
from fpgaq.ir.ops import Staircases
from fpgaq.rtl import staircase
from fpgaq.rtl.datapath import Datapath, Lookup, Ref, Source, Stair
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.staircase import append_staircase, cheapest_form, form_costs
from fpgaq.rtl.words import pack, unpack
from fpgaq.synth import netlist, simulate

FORMS = ("comparators", "table", "search")
#: LUTs synthesized for xc7 by yosys 0.70: bits, thresholds, bits of the result -> comparators, table, search.
MEASURED = {
    (8, 7, 4): (11, 8, 17),
    (8, 15, 5): (27, 14, 22),
    (8, 31, 6): (56, 23, 34),
    (8, 63, 7): (115, 21, 41),
    (10, 31, 6): (72, 49, 50),
    (10, 63, 7): (139, 67, 68),
    (12, 15, 5): (47, 37, 31),
    (12, 31, 6): (93, 77, 44),
    (12, 63, 7): (163, 127, 71),
    (14, 7, 4): (40, None, 27),
    (14, 63, 7): (217, None, 87),
}


def steps(bits: int, signed: bool, count: int, seed: int) -> tuple[IntArray, IntArray]:
    """Random ascending thresholds, some of them out of reach, and random ascending codes."""
    rng = np.random.default_rng(seed)
    low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    thresholds = np.sort(rng.choice(np.arange(low - 3, high + 4), count, replace=False))
    return thresholds, np.cumsum(rng.integers(0, 3, count + 1)) - count


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("signed", [False, True])
def test_every_form_is_the_staircase(form: str, shift: int, signed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staircase, "cheapest_form", lambda *_: form)
    for seed, (bits, count) in enumerate([(1, 1), (3, 2), (4, 5), (5, 9), (6, 31), (7, 40), (8, 63), (8, 64)]):
        thresholds, codes = steps(bits + shift, signed, count, seed)
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        for table in (codes, codes[::-1]):
            path = Datapath()
            source = path.add(Source(0), (low, high))
            path.outputs = [append_staircase(path, Ref(source, shift), thresholds, table)]
            x = np.arange(low, high + 1)
            found = path.evaluate(x[:, None])[:, 0]
            assert np.array_equal(found, table[np.searchsorted(thresholds, x << shift, side="right")])
            lo, hi = path.bounds[path.outputs[0].node]
            assert lo <= found.min()
            assert found.max() <= hi


def test_steps_out_of_reach_are_not_built() -> None:
    path = Datapath()
    source = path.add(Source(0), (0, 7))
    first = append_staircase(path, Ref(source), np.array([-4, 0, 8, 20]), np.array([0, 1, 2, 3, 4]))
    assert path.ops[first.node].value == 2
    second = append_staircase(path, Ref(source), np.array([-4, 3, 9]), np.array([0, 1, 2, 3]))
    assert path.ops[second.node].thresholds == (3,)


@pytest.mark.parametrize("size", MEASURED, ids=str)
def test_the_cheapest_form_is_the_cheapest_synthesized(size: tuple[int, int, int]) -> None:
    """Within a fifth: the forms are close to one another where few bits decide."""
    luts = dict(zip(FORMS, MEASURED[size], strict=True))
    costs = form_costs(*size)
    assert luts[cheapest_form(*size)] <= 1.2 * min(luts[form] for form in costs)
    for form, cost in costs.items():
        assert 0.6 < cost / luts[form] < 1.7, form


def test_rtl_equals_golden(tmp_path: Path) -> None:
    """A staircase for each channel; every form is among them."""
    graphs = []
    for k, (bits, signed, count) in enumerate(
        [(1, False, 1), (4, True, 3), (6, True, 12), (8, True, 40), (9, False, 2), (10, True, 30), (10, False, 63)]
    ):
        chain = Chain(f"stairs{k}", 2, FixedType(bits, 0, signed), k)
        rows = [steps(bits, signed, count, 10 * k + c) for c in range(2)]
        thresholds = np.stack([row[0] for row in rows])
        codes = np.stack([rows[0][1], rows[1][1][::-1]])
        node = Staircases(**chain._named("stairs"), type=FixedType(63, 0, True), thresholds=thresholds, codes=codes)
        graphs.append(chain._add_exact(node).graph)
    batch = Batch(graphs, tmp_path)
    ops = [op for h in batch.hardware.values() for block in h.blocks for op in block.hardware.path.ops]
    assert any(isinstance(op, Lookup) for op in ops)
    assert {op.table for op in ops if isinstance(op, Stair)} == {False, True}
    values = np.arange(1 << 10)
    words = pack(np.stack([values, values[::-1]], 1), FixedType(10, 0, False))
    # Every design reads the low bits of the words: all values of each width come by.
    traces = batch.run(batch.stimulus(0, [*words, *range(1 << 12)]))
    for name, hardware in batch.hardware.items():
        check(hardware.graph, hardware, traces[name])
    toolchain.lint(batch.sources, "batch")


@pytest.mark.extended
def test_netlist_equals_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every form, read and mapped by yosys."""
    x = np.arange(1 << 7)
    words = pack(x[:, None], FixedType(7, 0, False))
    for seed, form in enumerate(FORMS):
        monkeypatch.setattr(staircase, "cheapest_form", lambda *_, form=form: form)
        thresholds, codes = steps(7, True, 12, seed)
        chain = Chain(form, 1, FixedType(7, 0, True), seed)
        node = Staircases(
            **chain._named("stairs"), type=FixedType(63, 0, True), thresholds=thresholds[None], codes=codes[None]
        )
        hardware = make_hardware(chain._add_exact(node).graph, 1e6, "xc7")
        sources = hardware.write(tmp_path / form)
        held = {"rst_n": 1, "in_valid": 1, "in_last": 0, "out_ready": 1}
        (layer,) = (block.hardware for block in hardware.blocks)
        vectors = [{"in_data": word, **held} for word in [*words, words[0], words[0]]]
        made = netlist(sources, layer.name, family="xc7", work=tmp_path / form / "synth")
        found = simulate(
            [made.path, *made.models],
            layer.name,
            vectors,
            inputs=["in_data", *held],
            outputs=["out_data"],
            work=tmp_path / form / "sim",
            clock="clk",
        )
        width = layer.result.type.width
        given = unpack([row["out_data"] for row in found][layer.latency :], layer.result.type, width, 1)[: len(x)]
        signed = np.where(x < 64, x, x - 128)
        assert np.array_equal(given[:, 0], codes[np.searchsorted(thresholds, signed, side="right")]), form
