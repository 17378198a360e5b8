"""Designs as files: the same bytes every time, only what is needed, lint clean, names without collisions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from random_layers import Chain
from test_stages import renamed

from fpgaq import toolchain
from fpgaq.errors import ConfigError, ModelError
from fpgaq.ir import FixedType, Graph, Overflow, Rounding, files
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.unrolled_layer import UnrolledLayer

_WRITE = """
import sys
from pathlib import Path
from fpgaq.ir.files import loads
from fpgaq.rtl.hardware import make_hardware
make_hardware(loads(Path(sys.argv[1]).read_text()), 3.0, "xc7").write(Path(sys.argv[2]))
"""


def network(name: str = "net", reuse: int = 1, second: int | None = None, argmax: bool = False) -> Graph:
    chain = Chain(name, 6, FixedType(5, 1, True), 4).matmul(8, "dense", 4, reuse).relu()
    chain.requantize(4, False, 3, Rounding.RND_CONV, Overflow.SAT).matmul(4, "ternary", 2, second or reuse)
    return (chain.argmax() if argmax else chain).graph


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("reuse", [1, 2])
def test_same_bytes_in_every_process(reuse: int, tmp_path: Path) -> None:
    """Hash seeds differ between processes: no set or dictionary order may leak into the text."""
    graph = network(reuse=reuse, argmax=True)
    (tmp_path / "graph.json").write_text(files.dumps(graph))
    make_hardware(graph, 3.0, "xc7").write(tmp_path / "here")
    command = [sys.executable, "-c", _WRITE, str(tmp_path / "graph.json"), str(tmp_path / "there")]
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "12345"}, cwd=Path(__file__).parents[2])
    assert texts(tmp_path / "here") == texts(tmp_path / "there")


def test_only_needed_library_blocks_are_written(tmp_path: Path) -> None:
    def library(graph: Graph, family: str, folder: str) -> set[str]:
        hardware = make_hardware(graph, 5.0, family)
        sources = hardware.write(tmp_path / folder)
        assert sources[-1].name == f"{graph.name}.sv"
        assert sorted(sources) == sorted((tmp_path / folder).iterdir())
        return {path.stem for path in sources} - set(hardware.modules())

    wires = Chain("wires", 2, FixedType(4, 0, False), 0).requantize(6, False, -2, Rounding.TRN, Overflow.WRAP).graph
    assert library(wires, "xc7", "a") == {"pipeline_control", "skid_buffer"}
    assert library(network(), "xc7", "b") == {"add3", "pipeline_control", "skid_buffer"}
    # The engine's three kinds of products are instances that one design does not have all.
    folded = {"folded_matrix", "pot_product", "popcount", "table_bit", "add3", "pipeline_control", "skid_buffer"}
    assert library(network(reuse=2), "xc7", "c") == folded
    assert library(network(reuse=2, argmax=True), "xc7", "d") == {*folded, "argmax_vector"}


@pytest.mark.parametrize("family", ["xc7", "xcup", "ecp5", "ice40", "gowin", "intel"])
@pytest.mark.parametrize(("reuse", "second"), [(1, 1), (2, 2), (12, 16)])
def test_generated_files_are_lint_clean(family: str, reuse: int, second: int, tmp_path: Path) -> None:
    hardware = make_hardware(network(reuse=reuse, second=second, argmax=True), 4.0, family)
    toolchain.lint(hardware.write(tmp_path), "net")


def test_three_input_adders_only_where_they_are_cheap() -> None:
    used = {f: "add3" in str(make_hardware(network(), 5.0, f).modules()["net_matmul1"]) for f in ("xc7", "ice40")}
    assert used["xc7"]
    inputs = {f: _layer(network(), f).adder_inputs for f in ("xc7", "xcup", "ecp5", "ice40", "gowin", "intel")}
    assert inputs == {"xc7": 3, "xcup": 3, "ecp5": 2, "ice40": 2, "gowin": 2, "intel": 2}


def _layer(graph: Graph, family: str) -> UnrolledLayer:
    layer = make_hardware(graph, 5.0, family).blocks[0].hardware
    assert isinstance(layer, UnrolledLayer)
    return layer


def test_latency_adds_up_and_the_slowest_layer_sets_the_ii() -> None:
    hardware = make_hardware(network(reuse=2, argmax=True), 5.0, "xc7")
    assert hardware.latency == sum(block.hardware.latency for block in hardware.blocks)
    assert hardware.ii == 2
    assert make_hardware(network(), 5.0, "xc7").ii == 1


def test_probes_name_what_leaves_each_layer() -> None:
    probes = [block.probe for block in make_hardware(network(reuse=2, argmax=True), 5.0, "xc7").blocks]
    assert probes == [None, "cast3", "matmul4", "argmax5"]


def test_headers_tell_shapes_and_figures() -> None:
    hardware = make_hardware(network(), 5.0, "xc7")
    top = str(hardware.modules()["net"])
    assert "Input   6 x fixed<5,4> in 4 bytes" in top
    assert f"Latency {hardware.latency} cycles, II 1" in top
    assert "[31:0] s_axis_tdata" in top


def test_unknown_family_is_refused() -> None:
    with pytest.raises(ConfigError, match="FPGA family 'zx81' is unknown; known are xc7"):
        make_hardware(network(), 5.0, "zx81")


def test_modules_of_the_same_name_are_refused() -> None:
    graph = renamed(network(reuse=2), {"matmul1": "fc", "matmul4": "fc_matrix"})
    with pytest.raises(
        ModelError, match="two modules are called 'net_fc_matrix_weights'; rename the design or a layer"
    ):
        make_hardware(graph, 5.0, "xc7").modules()


@pytest.mark.parametrize("name", ["add3", "skid_buffer", "pipeline_control"])
def test_names_of_library_blocks_are_taken(name: str) -> None:
    with pytest.raises(ModelError, match=f"two modules are called '{name}'"):
        make_hardware(network(name), 5.0, "xc7").modules()


def test_illegal_reuse_factors_are_refused() -> None:
    with pytest.raises(ModelError, match="reuse factor 12 does not divide its 8x4 matrix"):
        make_hardware(network(reuse=12), 5.0, "xc7").modules()
