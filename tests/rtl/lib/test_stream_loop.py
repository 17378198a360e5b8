"""Recurrent layers in every clock under every stall: values, states, ends of frames, and handshakes as in the model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from one_block import OneBlock
from recurrent_graphs import gated_step, looped, simple_step
from test_stream_blocks import lint_everything, warnings, yosys

from fpgaq import resources, toolchain
from fpgaq.errors import ToolError
from fpgaq.ir import Graph
from fpgaq.rtl.hardware import library_blocks
from fpgaq.rtl.layer_blocks import BlockMaker
from fpgaq.rtl.scan_loop import ScanLoop
from fpgaq.rtl.words import pack, unpack
from fpgaq.synth import simulate

BLOCK = resources.rtl_library() / "stream_loop.sv"
SIGNALS = ("in_ready", "in_last", "out_valid", "out_last", "out_data")
IN_BITS = 12
Cycle = dict[str, int]


@dataclass(frozen=True)
class Case:
    """A loop, and the design of nothing but it."""

    graph: Graph

    @property
    def name(self) -> str:
        return self.graph.name

    @cached_property
    def hardware(self) -> ScanLoop:
        (block,) = BlockMaker(self.graph, 5.0, "xc7").blocks()
        assert isinstance(block.hardware, ScanLoop)
        return block.hardware


def cases() -> list[Case]:
    """One state and two, a folded matrix in the step, every result or the last one, frames of one beat."""
    return [
        Case(looped("last", simple_step(), (-5,), steps=4, sequences=False)),
        Case(looped("short", simple_step(), (7,), steps=1, sequences=False)),
        Case(looped("folded", simple_step(reuse=3), (0,), steps=2, sequences=True)),
        Case(looped("two", gated_step(), (0, 0), steps=5, sequences=True)),
        Case(looped("two_last", gated_step(reuse=2), (3, -16), steps=2, sequences=False)),
    ]


def out_bits(case: Case) -> int:
    return 2 * case.graph.nodes["loop"].type.width


def write(folder: Path, found: Sequence[Case]) -> list[Path]:
    """Write the modules, and a top with all loops side by side that counts the beats of each for its in_last."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = [f"input logic clk, rst_n, in_valid, out_ready, input logic [{IN_BITS - 1}:0] in_data"]
    body, texts = [], {}
    for case in found:
        name, hardware = case.name, case.hardware
        texts |= {module.name: str(module) for module in hardware.modules()}
        ports.append(f"output logic {', '.join(f'{name}_{s}' for s in SIGNALS[:4])}")
        ports.append(f"output logic [{out_bits(case) - 1}:0] {name}_out_data")
        outputs = ", ".join(f".{s}({name}_{s})" for s in SIGNALS)
        body += [
            f"{hardware.name} u_{name} (.clk, .rst_n, .in_valid, .in_data, .out_ready, {outputs});",
            f"logic [3:0] count_{name};",
            f"assign {name}_in_last = count_{name} == 4'd{hardware.steps - 1};",
            f"always_ff @(posedge clk) if (!rst_n) count_{name} <= '0;",
            f"else if (in_valid & {name}_in_ready) count_{name} <= {name}_in_last ? '0 : count_{name} + 1'b1;",
        ]
    texts |= {"loops": "module loops (\n    " + ",\n    ".join(ports) + "\n);\n" + "\n".join(body) + "\nendmodule\n"}
    texts |= {path.stem: path.read_text() for path in library_blocks(texts.values())}
    for name, text in texts.items():
        (folder / f"{name}.sv").write_text(text)
    return [folder / f"{name}.sv" for name in texts]


def stimulus() -> list[Cycle]:
    """Random beats, idle x back-pressure, a reset in mid-frame between any two."""
    rng = random.Random(3)
    cycles: list[Cycle] = []
    for valid in (1.0, 0.5, 0.1):
        for ready in (1.0, 0.5, 0.1, 0.0):
            for k in range(200 if ready else 30):
                held = {"rst_n": int(k >= 2), "out_ready": int(rng.random() < ready)}
                cycles.append({**held, "in_valid": int(rng.random() < valid), "in_data": rng.getrandbits(IN_BITS)})
    return cycles


def run(folder: Path, found: Sequence[Case]) -> dict[str, str | None]:
    """Simulate; return what is wrong with each loop."""
    cycles, outputs = stimulus(), [f"{case.name}_{signal}" for case in found for signal in SIGNALS]
    sources = sorted((folder / "rtl").glob("*.sv"))
    rows = simulate(sources, "loops", cycles, inputs=list(cycles[0]), outputs=outputs, work=folder / "sim", clock="clk")
    return {case.name: trouble(case, cycles, rows) for case in found}


def trouble(case: Case, cycles: Sequence[Cycle], rows: Sequence[Cycle]) -> str | None:
    """Compare with the model of the handshakes clock by clock, and the results with those of the golden model."""
    hardware = case.hardware
    engine, taken, given = OneBlock(hardware), list[int](), list[tuple[int, int]]()
    for k, (cycle, row) in enumerate(zip(cycles, rows, strict=True)):
        seen = {signal: row[f"{case.name}_{signal}"] for signal in SIGNALS}
        free, offers = bool(cycle["out_ready"]), engine.offers
        if not cycle["rst_n"]:
            wrong = difference(case, hardware, taken, given)
            if wrong:
                return f"before cycle {k}: {wrong}"
            engine, taken, given = OneBlock(hardware), [], []
            continue
        if (seen["out_valid"], seen["in_ready"]) != (offers, engine.accepts(free)):
            return f"cycle {k}: out_valid is {seen['out_valid']}, in_ready is {seen['in_ready']}"
        took = bool(cycle["in_valid"] and seen["in_ready"])
        if took:
            taken.append(cycle["in_data"])
        if offers and free:
            given.append((seen["out_data"], seen["out_last"]))
        engine.step(free=free, taken=took)
    return difference(case, hardware, taken, given)


def difference(case: Case, hardware: ScanLoop, taken: list[int], given: list[tuple[int, int]]) -> str | None:
    words = taken + [0] * (-len(taken) % hardware.steps)
    x = unpack(words, case.graph.inputs[0].type, 4, 3).reshape(-1, hardware.steps, 3)
    results = hardware.scan.evaluate([x])
    want = pack(results.reshape(-1, 2), hardware.scan.type)[: len(given)]
    every = hardware.steps if hardware.scan.sequences else 1
    ends = [int(k % every == every - 1) for k in range(len(given))]
    if [word for word, _ in given] != want:
        return "wrong results"
    return None if [last for _, last in given] == ends else "wrong ends of frames"


def case_of(name: str) -> Case:
    return next(case for case in cases() if case.name == name)


FAULTS = [
    ("EVERY | back_last;", "1'b1;"),
    ("out_ready | ~gives", "1'b1"),
    ("in_ready   = ~busy | done", "in_ready   = ~busy"),
    ("back_last ? FIRST : back_state", "back_state"),
    ("step_state <= FIRST;", "busy <= 1'b0;"),
    ("{SOURCES{busy}} & ~taken", "{SOURCES{busy}}"),
]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What is wrong with each case, and with copies of the block that have one fault each; all are in one build."""
    tmp_path = tmp_path_factory.mktemp("loops")
    broken = [Case(looped(f"f{k}", simple_step(), (3,), steps=2, sequences=False)) for k in range(len(FAULTS))]
    folder, found = tmp_path / "rtl", [*cases(), *broken]
    toolchain.lint(write(folder, found), "loops")
    for k, (right, wrong) in enumerate(FAULTS):
        text = BLOCK.read_text()
        assert text.count(right) == 1, right
        name = f"{BLOCK.stem}_{k}"
        (folder / f"{name}.sv").write_text(text.replace(right, wrong).replace(f"module {BLOCK.stem}", f"module {name}"))
        module = folder / f"{broken[k].hardware.name}.sv"
        module.write_text(module.read_text().replace(f"{BLOCK.stem} #", f"{name} #"))
    return run(tmp_path, found)


def test_every_loop_under_every_stall(verdicts: dict[str, str | None]) -> None:
    assert {case.name: verdicts[case.name] for case in cases()} == dict.fromkeys([case.name for case in cases()])
    assert case_of("two").hardware.ii == case_of("two").hardware.latency > 4


def test_planted_faults_are_found(verdicts: dict[str, str | None]) -> None:
    assert [fault for k, fault in enumerate(FAULTS) if verdicts[f"f{k}"] is None] == []


def test_wrong_parameters_stop_elaboration(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sv"
    wrong.write_text(f"module wrong (input logic clk);\n  {BLOCK.stem} #(.SOURCES(1)) u (.clk(clk));\nendmodule\n")
    with pytest.raises(ToolError, match="SOURCES must be at least 2"):
        lint_everything([wrong, BLOCK], "wrong")


def test_default_parameters_are_lint_clean() -> None:
    toolchain.lint([BLOCK], BLOCK.stem)


def test_yosys_reads_a_loop_without_a_warning(tmp_path: Path) -> None:
    assert warnings(yosys(write(tmp_path, [case_of("two")]), "loops")) == []


def test_the_states_of_the_first_step_are_a_constant() -> None:
    text = str(case_of("two_last").hardware.modules()[-1])
    assert f".FIRST(20'd{0b10000_10000_00011_00011})" in text
    assert np.array_equal(case_of("two_last").hardware.gives, [False, True])
