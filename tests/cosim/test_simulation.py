"""The compiled model: what is built again and what is not, errors of the tools, random power-up states, probes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from cosim_designs import codes, network, written

from fpgaq import toolchain
from fpgaq.cosim import Observation, Simulation, SimulationResult
from fpgaq.cosim.simulation import AFTER_RESET, STALLED, STREAM
from fpgaq.design import Design
from fpgaq.errors import ToolError
from fpgaq.ir import golden
from fpgaq.rtl.words import unpack
from fpgaq.verilator import prepare_runtime


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    made = written(network("net", folded=True), tmp_path_factory.mktemp("design"))
    made.simulation.build()
    return made


def words(design: Design, samples: int) -> dict[str, list[int]]:
    return {"s_axis": design.hardware.inputs[0].pack(codes(design, samples))}


def simulated(simulation: Simulation, sent: dict[str, list[int]], **options: int) -> SimulationResult:
    return simulation.run(sent, ["m_axis"], **{"seed": 0, "span": 20, **options})


def built_at(simulation: Simulation) -> int:
    return (simulation.work / simulation.top).stat().st_mtime_ns


def copied(design: Design, folder: Path) -> Simulation:
    """The compiled design elsewhere."""
    shutil.copytree(design.folder, folder, dirs_exist_ok=True)
    return Simulation(sorted((folder / "rtl").glob("*.sv")), design.name, folder / "sim")


def test_unchanged_sources_are_not_built_again(design: Design) -> None:
    before = built_at(design.simulation)
    Simulation(design.sources, design.name, design.folder / "sim").build()
    assert built_at(design.simulation) == before


def test_changed_sources_are_built_again(design: Design, tmp_path: Path) -> None:
    simulation = copied(design, tmp_path)
    before = built_at(simulation)
    rom = tmp_path / "rtl" / "net_fc2_weights.sv"
    first = simulated(simulation, words(design, 20)).stream.words
    table = r"(?s)(.*TABLE\(\d+'h)(\w+)"
    changed, count = re.subn(table, lambda found: f"{found[1]}{int(found[2], 16) ^ 1:x}", rom.read_text(), count=1)
    assert count == 1
    rom.write_text(changed)
    second = simulated(simulation, words(design, 20)).stream.words
    assert built_at(simulation) > before
    assert first != second
    rom.write_text(rom.read_text().replace("endmodule", "endmodul"))
    with pytest.raises(ToolError, match=r"net_fc2_weights\.sv.*syntax error") as caught:
        simulation.build()
    assert "Verilator" in str(caught.value)
    with pytest.raises(ToolError, match="syntax error"):  # a failed build is no build
        simulated(simulation, words(design, 2))


def test_missing_module_is_an_error(design: Design, tmp_path: Path) -> None:
    sources = [s for s in design.sources if s.name != "skid_buffer.sv"]
    with pytest.raises(ToolError, match="skid_buffer"):
        Simulation(sources, design.name, tmp_path).build()


def test_any_power_up_state_gives_the_same(design: Design) -> None:
    """Registers start at random values: words, times and tlast must not depend on them, nor on the stalls."""
    sent = words(design, 60)
    runs = [simulated(design.simulation, sent, seed=seed) for seed in range(5)]
    want = golden.run(design.graph, [codes(design, 60)])[0]
    for run in runs:
        assert np.array_equal(design.results(run.stream)[0], want)
        assert run.stream.cycles == runs[0].stream.cycles
        for seen in run.passes.values():
            assert seen.words == run.stream.words
            assert seen.violation is None
        assert run.stale == 0
    stalls = {tuple(run.passes[STALLED].cycles["m_axis"]) for run in runs}
    assert len(stalls) == len(runs)


def test_same_seed_gives_the_same_run(design: Design) -> None:
    sent = words(design, 30)
    first, second = (simulated(design.simulation, sent, seed=7) for _ in range(2))
    assert first == second


def test_stalls_happen(design: Design) -> None:
    run = simulated(design.simulation, words(design, 100), seed=1)
    for name in (STALLED, AFTER_RESET):
        assert len(set(np.diff(run.passes[name].cycles["m_axis"]).tolist())) > 1
    assert set(np.diff(run.stream.cycles["m_axis"]).tolist()) == {design.hardware.ii}


def test_probes_record_what_flows_between_layers(design: Design) -> None:
    x = codes(design, 20)
    count = len(design.hardware.blocks) + 1
    run = simulated(design.simulation, words(design, 20), probes=count, stalled_samples=0)
    assert list(run.passes) == [STREAM]
    trace = golden.trace(design.graph, [x])
    assert run.stream.probes[0] == words(design, 20)["s_axis"]
    for block, record in zip(design.hardware.blocks, run.stream.probes[1:], strict=True):
        if block.probe is not None:
            got = unpack(record, design.graph.nodes[block.probe].type, block.out_width, block.out_count)
            assert np.array_equal(got, trace[block.probe])


def test_one_vector_has_no_ii(design: Design) -> None:
    stream = simulated(design.simulation, words(design, 1)).stream
    assert stream.latency("m_axis") == design.hardware.latency
    assert stream.ii("m_axis") is None


def test_figures_of_an_observation() -> None:
    seen = Observation({"m": [0, 0, 0]}, {"m": [9, 12, 14]}, {"a": [6, 7, 8], "b": [5, 6, 7]}, None, [])
    assert (seen.latency("m"), seen.ii("m")) == (4, 3)
    none = Observation({"m": []}, {"m": []}, {"s": [5]}, None, [])
    assert (none.latency("m"), none.ii("m")) == (None, None)


@pytest.mark.parametrize("changed", ["verilator", "cocotb", "g++", "flags"])
def test_a_model_of_other_tools_is_built_again(design: Design, changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an update of a tool, what its predecessor compiled is stale."""
    before = design.simulation._key()
    assert design.simulation._key() == before
    if changed == "flags":
        monkeypatch.setattr("fpgaq.cosim.simulation.FLAGS", ("-O0",))
    else:
        newer = {**toolchain.versions(), changed: "99"}
        monkeypatch.setattr(toolchain, "versions", lambda: newer)
    assert design.simulation._key() != before


def test_missing_verilator_is_an_error_of_a_tool(
    design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise ToolError("Verilator is missing")

    monkeypatch.setattr(toolchain, "verilator", missing)
    with pytest.raises(ToolError, match="Verilator is missing"):
        Simulation(design.sources, design.name, tmp_path).build()


@pytest.mark.extended
def test_the_runtime_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FPGAQ_CACHE", str(tmp_path))
    folder = prepare_runtime()
    made = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(made) == 4
    assert all(name.endswith(".o") for name in made)
    assert prepare_runtime() == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == made
