"""Networks with branches, several inputs and several outputs: golden model = SystemVerilog, and planted faults."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from cosim_designs import Faults, written
from random_dags import random_dag

from fpgaq import toolchain
from fpgaq.design import Design
from fpgaq.errors import GateError, ModelError
from fpgaq.gates import Gate
from fpgaq.ir import Graph, golden
from fpgaq.rtl.hardware import make_hardware
from fpgaq.stimuli import input_codes, random_codes


def codes(design: Design, samples: int = 150) -> list[np.ndarray] | np.ndarray:
    return random_codes(design.graph, samples, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.extended) for k in range(1, 8))])
def test_random_dags(seed: int, tmp_path: Path) -> None:
    """Values, stalls at all outputs and at one, a reset in mid-stream, latency and II of every output."""
    design = written(random_dag(seed), tmp_path)
    toolchain.lint(design.sources, design.name)
    gate, result = design.rtl_gate(codes(design))
    assert gate == Gate("rtl_vs_golden", 150, 0), str(design.graph)
    assert result.stale == 0
    assert len(result.passes) == 3 + (len(design.graph.outputs) if len(design.graph.outputs) > 1 else 0)


def test_dags_are_what_they_should_be() -> None:
    """The batch has forks, several inputs, several outputs, folded matrices and inner streams that are outputs."""
    graphs = [random_dag(seed) for seed in range(8)]
    hardware = [make_hardware(g, 5.0, "xc7") for g in graphs]
    assert {len(g.inputs) for g in graphs} >= {1, 2}
    assert max(len(g.outputs) for g in graphs) >= 4
    assert sum("stream_fork" in str(h.top()) for h in hardware) >= 6
    assert any(h.ii > 1 for h in hardware)
    assert any(len(set(h.flow.ii.values())) > 1 for h in hardware)
    assert any(set(g.outputs) & {i for n in g.nodes.values() for i in n.inputs} for g in graphs)


@pytest.fixture(scope="module")
def branched(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    design = written(random_dag(0), tmp_path_factory.mktemp("branched"))
    assert len(design.graph.outputs) > 1
    return Faults(design)


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r" & ~taken", ""),
        (r"in_ready \? '0 : taken \| out_ready", "taken | out_ready"),
        (r"&\(out_ready \| taken\)", "out_ready[0]"),
    ],
)
def test_faults_of_a_fork_fail_the_gate(branched: Faults, tmp_path: Path, pattern: str, replacement: str) -> None:
    design = branched.copy(tmp_path)
    path = tmp_path / "rtl" / "stream_fork.sv"
    text, count = re.subn(pattern, replacement, path.read_text())
    assert count == 1
    path.write_text(text)
    gate, _ = design.rtl_gate(codes(design))
    assert not gate.passed
    with pytest.raises(GateError, match="m_axis_"):
        gate.require()


def test_a_wrong_output_is_named(branched: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The golden model of one output changes by one: the gate names that output."""
    graph = branched.design.graph
    name = graph.outputs[-1]
    codes_ = codes(branched.design)
    design = branched.copy(tmp_path)
    want = dict(zip(graph.outputs, golden.run(graph, input_codes(graph, codes_)), strict=True))
    changed = {**want, name: want[name] + (np.arange(150) == 7)[:, None]}
    monkeypatch.setattr("fpgaq.cosim.rtl_gate._golden", lambda *_: changed)
    gate, _ = design.rtl_gate(codes_)
    assert gate.first_mismatch is not None
    assert (gate.mismatches, gate.first_mismatch.layer, gate.first_mismatch.sample) == (1, name, 7)


def test_ports_are_named_after_layers() -> None:
    graph = random_dag(0)
    renamed = {n.name: f"1 {n.name}/x" if n.name in graph.outputs else n.layer for n in graph.nodes.values()}
    nodes = [dataclasses.replace(n, layer=renamed[n.name]) for n in graph.nodes.values()]
    hardware = make_hardware(Graph("net", nodes, graph.outputs), 5.0, "xc7")
    ports = {port.name for port in hardware.top().ports}
    assert [end.prefix for end in hardware.outputs] == [f"m_axis_1_{name}_x" for name in graph.outputs]
    assert {f"{end.prefix}_tdata" for end in (*hardware.inputs, *hardware.outputs)} <= ports


def test_an_input_that_nothing_reads_is_refused() -> None:
    graph = random_dag(0)
    spare = dataclasses.replace(graph.inputs[0], name="spare", layer="spare")
    with pytest.raises(ModelError, match="input 'spare': no output depends on it"):
        make_hardware(Graph("net", [spare, *graph.nodes.values()], graph.outputs), 5.0, "xc7").modules()
