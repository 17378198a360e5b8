"""The C++ simulation: planted faults are found and located, and C++ that dies does not take Python with it."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_models import bits, dense, quantized_mlp, sequential, stimuli
from qkeras import QActivation
from written_designs import compiled, passed, traced_layers

from fpgaq import toolchain
from fpgaq.design import Design
from fpgaq.errors import GateError, ToolError
from fpgaq.hls import csim
from fpgaq.ir import Graph
from fpgaq.ir.ops import MatMul, Softmax
from fpgaq.stimuli import real_codes


def small() -> Any:
    return sequential(dense(5, name="fc1"), QActivation("quantized_relu(4)", name="act"), dense(3, bits(4), name="fc2"))


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    return compiled(small(), tmp_path_factory.mktemp("csim") / "net")


def corners(design: Design) -> np.ndarray:
    """Return stimuli, and for every output of fc1 the inputs that reach its two bounds."""
    node, source = design.graph.nodes["fc1"], design.graph.inputs[0].type
    assert isinstance(node, MatMul)
    up = np.where(node.weight.T > 0, source.max, source.min)
    down = np.where(node.weight.T > 0, source.min, source.max)
    return np.concatenate([stimuli(design), up, down])


def test_every_layer_equals_the_golden_model(design: Design) -> None:
    passed(design.csim_gate(corners(design)))
    assert set(traced_layers(design, corners(design))) == {"fc1", "act", "fc2"}


def test_samples_are_shared_between_processes(design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csim, "_WORTH_A_PROCESS", 100)
    monkeypatch.setattr(csim.os, "sched_getaffinity", lambda _: {0, 1, 2})
    started = []
    start = csim.start_logged
    monkeypatch.setattr(csim, "start_logged", lambda *args, **kw: (started.append(args), start(*args, **kw))[1])
    codes = np.concatenate([corners(design), stimuli(design)[:1]])
    passed(design.csim_gate(codes))
    assert len(started) == 3
    assert set(traced_layers(design, codes)) == {"fc1", "act", "fc2"}


def test_values_are_codes_times_the_step(design: Design) -> None:
    x = np.random.default_rng(0).uniform(-5, 5, (20, 6))
    assert np.array_equal(design.csim(x), design.golden(x))
    codes = design.golden(real_codes(design.graph, x, "x"), raw=True)
    assert codes.dtype == np.int64
    assert np.array_equal(design.golden(x), codes * design.graph.nodes["fc2"].type.step)


def replace_once(path: Path, pattern: str, replacement: Callable[[re.Match[str]], str]) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, f"{pattern} is not in {path}"
    path.write_text(text)


def one_weight_bit(firmware: Path) -> None:
    """Add one step of 1/8 to the weight of input 1, output 2, of fc1."""

    def change(match: re.Match[str]) -> str:
        values = match[2].split(", ")
        values[7] = f"{float(values[7]) + (0.125 if float(values[7]) < 0.8 else -0.125):.3f}"
        return f"{match[1]}{', '.join(values)}"

    replace_once(firmware / "weights" / "w2.h", r"(w2\[30\] = \{)([^}]*)", change)


def rounding_mode(firmware: Path) -> None:
    replace_once(firmware / "defines.h", r"AP_RND_CONV", lambda m: "AP_TRN")


def overflow_mode(firmware: Path) -> None:
    replace_once(firmware / "defines.h", r"AP_SAT", lambda m: "AP_WRAP")


def narrow_accumulator(firmware: Path) -> None:
    """Take away the most significant bit of the accumulator of fc1."""
    replace_once(
        firmware / "defines.h",
        r"ap_fixed<(\d+),(\d+)> layer2_accum_t",
        lambda m: f"ap_fixed<{int(m[1]) - 1},{int(m[2]) - 1}> layer2_accum_t",
    )


FAULTS = {
    one_weight_bit: ("fc1", 2),
    rounding_mode: ("act", None),
    overflow_mode: ("act", None),
    narrow_accumulator: ("fc1", None),
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda f: f.__name__)
def test_planted_faults_are_found_and_located(design: Design, tmp_path: Path, plant: Callable[[Path], None]) -> None:
    broken = Design(design.graph, design.options, tmp_path / "net")
    shutil.copytree(design.folder / "hls", broken.folder / "hls")
    plant(broken.folder / "hls" / "firmware")
    broken.csim_library.build()
    x = corners(design)
    gate = broken.csim_gate(x)
    first = gate.first_mismatch
    assert not gate.passed
    assert first is not None
    layer, index = FAULTS[plant]
    assert first.layer == layer
    assert index is None or first.index == index
    assert first.got != first.want
    assert first.want == design._trace(x)[layer][first.sample].reshape(-1)[first.index]
    with pytest.raises(GateError, match=rf"gate csim_vs_golden failed for {gate.mismatches} of {len(x)} .*'{layer}'"):
        gate.require()


def test_a_changed_softmax_table_is_found(tmp_path: Path) -> None:
    """Keras has no such table, so C++ and golden model must hold each other to it."""
    found = compiled(sequential(dense(4, bits(5, 2), name="fc")), tmp_path / "net", head="softmax")
    x = stimuli(found)
    passed(found.csim_gate(x))
    nodes = list(found.graph.nodes.values())
    last = nodes[-1]
    assert isinstance(last, Softmax)
    for table in ("exponentials", "inverses"):
        entries = getattr(last, table).copy()
        entries[64 if table == "exponentials" else 128 :] += 1
        changed = [*nodes[:-1], dataclasses.replace(last, **{table: entries})]
        gate = Design(Graph("net", changed, found.graph.outputs), found.options, found.folder).csim_gate(x)
        assert gate.first_mismatch is not None
        assert gate.first_mismatch.layer == last.name


def library_of(design: Design, folder: Path, body: str) -> Design:
    """Return the design with a hand-written library."""
    other = Design(design.graph, design.options, folder)
    library = other.csim_library.library
    library.parent.mkdir(parents=True)
    source = folder / "bad.cpp"
    source.write_text(f'#include <cstdlib>\nextern "C" void net_double(double *x, double *y) {{ {body} }}\n')
    subprocess.run([str(toolchain.gxx()), "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    return other


@pytest.mark.parametrize(
    ("body", "how"),
    [("std::abort();", "SIGABRT"), ("*(volatile int *)0 = 1;", "SIG(SEGV|ILL|TRAP)"), ("std::exit(3);", "exit code 3")],
)
def test_cpp_that_dies_is_an_error(design: Design, tmp_path: Path, body: str, how: str) -> None:
    with pytest.raises(ToolError, match=rf"the C\+\+ simulation failed with .*{how}"):
        library_of(design, tmp_path, body).csim_gate(stimuli(design, 3))


def test_values_off_the_grid_are_an_error(design: Design, tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"layer 'fc2': the C\+\+ simulation returned values off the grid"):
        library_of(design, tmp_path, "y[0] = 0.3; y[1] = y[2] = 0;").csim_gate(stimuli(design, 3))


@pytest.mark.parametrize("value", ['__builtin_nan("")', "__builtin_inf()"])
def test_values_that_are_no_numbers_are_an_error(design: Design, tmp_path: Path, value: str) -> None:
    with pytest.raises(GateError, match="off the grid"):
        library_of(design, tmp_path, f"y[0] = {value}; y[1] = y[2] = 0;").csim_gate(stimuli(design, 3))


@pytest.mark.parametrize("kept", [0, 1000])
def test_a_damaged_library_is_an_error(design: Design, tmp_path: Path, kept: int) -> None:
    other = library_of(design, tmp_path, "")
    path = other.csim_library.library
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ToolError, match=r"the C\+\+ simulation failed with (exit code 1|signal SIGBUS)"):
        other.csim_gate(stimuli(design, 3))


def test_a_library_of_another_network_is_an_error(design: Design, tmp_path: Path) -> None:
    other = library_of(design, tmp_path, "")
    csim = dataclasses.replace(other.csim_library, graph=Design(design.graph, design.options, tmp_path).graph)
    renamed = type(design.graph)("another", design.graph.nodes.values(), design.graph.outputs)
    with pytest.raises(ToolError, match="undefined symbol: another_double"):
        dataclasses.replace(csim, graph=renamed).run(stimuli(design, 3))


def test_a_missing_library_is_an_error(design: Design, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"hls does not exist; build the design first"):
        Design(design.graph, design.options, tmp_path).csim_gate(stimuli(design, 3))


def test_cpp_that_does_not_compile_is_an_error(design: Design, tmp_path: Path) -> None:
    broken = Design(design.graph, design.options, tmp_path / "net")
    shutil.copytree(design.folder / "hls", broken.folder / "hls")
    with (broken.folder / "hls" / "firmware" / "net.cpp").open("a") as source:
        source.write("#error planted\n")
    with pytest.raises(ToolError, match=r"compiling the HLS C\+\+ failed(.|\n)*planted"):
        broken.csim_library.build()
    assert not broken.csim_library.library.exists()


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder, without the Keras model (a zip with times) and hls4ml's own paths."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "keras_model.keras":
            lines = path.read_bytes().splitlines(keepends=True)
            found[str(path.relative_to(folder))] = b"".join(x for x in lines if str(folder).encode() not in x)
    return found


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    import fpgaq

    texts = []
    for run in ("a", "b"):
        folder = tmp_path / run / "net"
        fpgaq.convert(quantized_mlp(), output=folder, input_precision="fixed<7,3>")
        texts.append(contents(folder))
    first, second = texts
    assert list(first) == list(second)
    assert {name for name in first if first[name] != second[name]} == set()
    assert {"graph.json", "design.json", "rtl/net.sv", "hls/firmware/net.cpp"} <= set(first)
