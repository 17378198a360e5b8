"""The compiled model: what is built again and what is not, errors of the tools, random power-up states, probes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from cosim_designs import codes, network, written

from fpgaq.cosim import Simulation
from fpgaq.cosim.simulation import Observation
from fpgaq.design import Design
from fpgaq.errors import ToolError
from fpgaq.ir import golden
from fpgaq.rtl.words import pack, unpack


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    made = written(network("net", folded=True), tmp_path_factory.mktemp("design"))
    made.simulation.build()
    return made


def words(design: Design, samples: int) -> list[int]:
    return pack(codes(design, samples), design.hardware.source.type)


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
    first = simulation.run(words(design, 20), seed=0, reset_after=5).stream.words
    changed, count = re.subn(r"(words\[0\] = \d+'h)\w+", r"\g<1>0", rom.read_text())
    assert count == 1
    rom.write_text(changed)
    second = simulation.run(words(design, 20), seed=0, reset_after=5).stream.words
    assert built_at(simulation) > before
    assert first != second
    rom.write_text(rom.read_text().replace("endmodule", "endmodul"))
    with pytest.raises(ToolError, match=r"net_fc2_weights\.sv.*syntax error") as caught:
        simulation.build()
    assert "Verilator" in str(caught.value)
    with pytest.raises(ToolError, match="syntax error"):  # a failed build is no build
        simulation.run(words(design, 2), seed=0, reset_after=5)


def test_missing_module_is_an_error(design: Design, tmp_path: Path) -> None:
    sources = [s for s in design.sources if s.name != "skid_buffer.sv"]
    with pytest.raises(ToolError, match="skid_buffer"):
        Simulation(sources, design.name, tmp_path).build()


def test_any_power_up_state_gives_the_same(design: Design) -> None:
    """Registers start at random values: words, times and tlast must not depend on them, nor on the stalls."""
    sent = words(design, 60)
    runs = [design.simulation.run(sent, seed=seed, reset_after=20) for seed in range(5)]
    want = golden.run(design.graph, [codes(design, 60)])[0]
    for run in runs:
        assert np.array_equal(design.unpack(run.stream.words), want)
        assert run.stream.cycles == runs[0].stream.cycles
        for seen in (run.stream, run.stalled, run.after_reset):
            assert seen is not None
            assert seen.words == run.stream.words
            assert seen.complete
            assert seen.lasts_equal
        assert run.stale == 0
    stalls = {tuple(run.stalled.cycles) for run in runs if run.stalled is not None}
    assert len(stalls) == len(runs)


def test_same_seed_gives_the_same_run(design: Design) -> None:
    sent = words(design, 30)
    first, second = (design.simulation.run(sent, seed=7, reset_after=20) for _ in range(2))
    assert first == second


def test_stalls_happen(design: Design) -> None:
    run = design.simulation.run(words(design, 100), seed=1, reset_after=20)
    for seen in (run.stalled, run.after_reset):
        assert seen is not None
        assert len(set(np.diff(seen.cycles).tolist())) > 1
    assert set(np.diff(run.stream.cycles).tolist()) == {design.hardware.ii}


def test_probes_record_what_flows_between_layers(design: Design) -> None:
    x = codes(design, 20)
    count = len(design.hardware.blocks) + 1
    run = design.simulation.run(words(design, 20), seed=0, reset_after=20, probes=count, stalled_samples=0)
    assert run.stalled is None
    assert run.after_reset is None
    trace = golden.trace(design.graph, [x])
    assert run.stream.probes[0] == words(design, 20)
    for block, record in zip(design.hardware.blocks, run.stream.probes[1:], strict=True):
        if block.probe is not None:
            got = unpack(record, design.graph.nodes[block.probe].type, block.out_width, block.out_count)
            assert np.array_equal(got, trace[block.probe])


def test_one_vector_has_no_ii(design: Design) -> None:
    stream = design.simulation.run(words(design, 1), seed=0, reset_after=20).stream
    assert stream.latency == design.hardware.latency
    assert stream.ii is None


def test_figures_of_an_observation() -> None:
    seen = Observation([0, 0, 0], True, True, accepted=[5, 6, 7], cycles=[9, 12, 14], probes=[])
    assert (seen.latency, seen.ii) == (4, 3)
    none = Observation([], False, True, accepted=[5], cycles=[], probes=[])
    assert (none.latency, none.ii) == (None, None)
