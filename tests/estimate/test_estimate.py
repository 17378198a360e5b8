"""Estimates beside what yosys makes of networks that nothing was fitted to, and what has no estimate."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from random_layers import Chain

from benchmarks import estimator_runs
from benchmarks.estimator_blocks import blocks
from fpgaq.errors import ConfigError, ModelError
from fpgaq.estimate import block_counts, predicted
from fpgaq.estimate import estimate as module
from fpgaq.estimate.block_counts import count_module
from fpgaq.estimate.coefficients import coefficients
from fpgaq.estimate.counts import DEVICES
from fpgaq.estimate.estimate import Estimate, estimate
from fpgaq.ir import FixedType, Graph, Overflow, Rounding
from fpgaq.rtl import adder_graphs
from fpgaq.rtl.hardware import Hardware, make_hardware
from fpgaq.synth import FAMILIES, Synthesis, synthesize

_MODES = (Rounding.RND, Overflow.SAT)


def networks() -> dict[str, Graph]:
    """An unrolled network of two layers, a folded one with DSP blocks, and the index of the largest result."""
    unrolled = Chain("unrolled", 12, FixedType(6, 3, True), 1).matmul(10, "dense", 5).relu()
    unrolled.requantize(5, False, 4, *_MODES).matmul(6, "ternary", 2)
    folded = Chain("folded", 12, FixedType(8, 3, False), 2).matmul(8, "dense", 6, 12).relu()
    folded.requantize(6, False, 4, *_MODES).matmul(6, "dense", 6, 8).argmax()
    return {"unrolled": unrolled.graph, "folded": folded.graph}


def synthesized(hardware: Hardware, folder: Path) -> Synthesis:
    sources = hardware.write(folder / "rtl")
    modules = [block.hardware.name for block in hardware.blocks]
    return synthesize(sources, hardware.graph.name, modules, family=hardware.family, work=folder / "synth")


def differences(estimated: Estimate, found: Synthesis) -> list[str]:
    """Return what is off by more than the estimate says of itself, twice, and what should be exact and is not."""
    wrong = []
    for name in ("lut", "ff"):
        figure, value = getattr(estimated.total, name), getattr(found.total, name)
        if abs(figure.value - value) > 2 * figure.error + 3:
            wrong.append(f"{name}: {value}, estimated {figure}")
    for name in ("dsp", "bram18"):
        if getattr(estimated.total, name).value != getattr(found.total, name):
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("name", [pytest.param("unrolled", marks=pytest.mark.extended), "folded"])
def test_within_its_errors_of_what_yosys_makes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hardware = make_hardware(networks()[name], 5.0, "xc7")
    found, estimated = synthesized(hardware, tmp_path), estimate(hardware)
    assert differences(estimated, found) == []
    assert (estimated.latency, estimated.ii) == (hardware.latency, hardware.ii)
    assert set(estimated.layers) == {block.layer for block in hardware.blocks}
    # A wrong coefficient is found.
    fitted = coefficients("xc7")
    doubled = {
        kind: dataclasses.replace(fit, luts={k: 2 * v for k, v in fit.luts.items()})
        for kind, fit in fitted.kinds.items()
    }
    monkeypatch.setattr(module, "coefficients", lambda family: dataclasses.replace(fitted, kinds=doubled))
    assert differences(estimate(hardware), found) != []


def test_a_family_without_an_estimate_is_refused() -> None:
    with pytest.raises(ConfigError, match="no estimate for FPGA family 'xc6'; there is for ecp5, gowin"):
        coefficients("xc6")


def test_every_family_has_an_estimate_with_its_error() -> None:
    folded = networks()["folded"]
    for family in FAMILIES:
        total = estimate(make_hardware(folded, 5.0, family)).total
        assert 0 < total.lut.error < 0.3 * total.lut.value


@pytest.mark.parametrize("name", ["pad4", "sum1", "concatenate3", "gated1", "gated3", "softmax2", "recurrent2_loop2"])
def test_blocks_that_networks_rarely_have(name: str) -> None:
    """Beside what yosys made of them, which is kept with the benchmarks."""
    block = next(block for block in blocks() if block.name == name)
    found = estimator_runs.load("xc7")[estimator_runs.BLOCKS]["modules"][name]
    parts, fitted = count_module(block, DEVICES["xc7"]), coefficients("xc7")
    assert sum(part.ff for part in parts) == pytest.approx(found["ff"], rel=0.05)
    assert sum(fitted[part.kind].lut(part) for part in parts) == pytest.approx(found["lut"], rel=0.15)
    assert [sum(getattr(part, kind) for part in parts) for kind in ("dsp", "bram18")] == [found["dsp"], found["bram18"]]


@pytest.mark.parametrize(("family", "seed"), [("xc7", 103), ("xc7", 1008), ("ecp5", 103), ("gowin", 25), ("intel", 25)])
def test_which_products_go_into_dsp_blocks(family: str, seed: int) -> None:
    """Of weights whose low bits or signs are the same in all cycles less is multiplied."""
    run = estimator_runs.load(family)[seed]["modules"]
    folded = [b.hardware for b in estimator_runs.hardware_of(seed, family).blocks if "folded" in b.hardware.summary]
    counted = [count_module(hardware, DEVICES[family])[0].dsp for hardware in folded]
    assert counted == [run[hardware.name]["dsp"] for hardware in folded]
    assert len(counted) > 1


def test_small_memories_are_block_ram_where_that_is_worth_it() -> None:
    run = estimator_runs.load("ice40")[7]["modules"]
    blocks = [b.hardware for b in estimator_runs.hardware_of(7, "ice40").blocks if "windows" in b.hardware.name]
    for block in blocks:
        (counts,) = count_module(block, DEVICES["ice40"])
        assert (counts.bram18, counts.ff) == (run[block.name]["bram18"], run[block.name]["ff"])


def test_a_module_without_an_estimate_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_counts, "_KINDS", {})
    with pytest.raises(ModelError, match="'folded_argmax5': there is no estimate of"):
        estimate(make_hardware(networks()["folded"], 5.0, "xc7"))


@pytest.mark.parametrize("name", networks())
def test_the_fast_estimate_searches_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hardware = make_hardware(networks()[name], 5.0, "xc7")
    found = estimate(hardware)
    monkeypatch.setattr(adder_graphs, "solve", None)
    monkeypatch.setattr(predicted, "_LEAST_DIGITS", 0)
    fast = estimate(make_hardware(networks()[name], 5.0, "xc7"), fast=True)
    assert fast.ii == found.ii
    for kind in ("lut", "ff"):
        told, exact = getattr(fast.total, kind), getattr(found.total, kind)
        assert abs(told.value - exact.value) <= told.error + exact.error
        assert told.error >= exact.error
    assert fast.total.dsp == found.total.dsp


def test_what_a_fast_estimate_lacks_is_said() -> None:
    with pytest.raises(ConfigError, match="no fast estimate for FPGA family 'intel'; there is for"):
        predicted.prediction("intel")


def test_json_has_a_value_and_an_error_for_every_figure() -> None:
    document = estimate(make_hardware(networks()["folded"], 5.0, "xc7")).to_json()
    assert document["total"]["dsp"] == {"value": 14, "error": 0}
    assert set(document["total"]) == {"lut", "ff", "dsp", "bram18", "lutram"}
    assert document["timing"]["ii_cycles"] == 12
    assert all(set(row["resources"]) == set(document["total"]) for row in document["modules"])
