"""Streams in turn, in every clock under every stall: values, order, ends of frames, and handshakes as in the model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from one_block import OneBlock
from test_stream_blocks import lint_everything, warnings, yosys

from fpgaq import resources, toolchain
from fpgaq.errors import ToolError
from fpgaq.ir import FixedType
from fpgaq.ir.node import Bounds, Operand
from fpgaq.ir.ops import Concatenate
from fpgaq.rtl.stream_concatenate import StreamConcatenate
from fpgaq.rtl.words import pack, unpack
from fpgaq.synth import simulate

BLOCK = resources.rtl_library() / "stream_concatenate.sv"
SIGNALS = ("in_ready", "out_valid", "out_last", "out_data")
Cycle = dict[str, int]


def made(name: str, axis: int, types: Sequence[FixedType], *shapes: tuple[int, ...]) -> StreamConcatenate:
    """A block for tensors of these shapes; `types` are used over and over."""
    operands = []
    for k, shape in enumerate(shapes):
        type_ = types[k % len(types)]
        operands.append(Operand(type_, Bounds(np.full(shape, type_.min), np.full(shape, type_.max))))
    fracs = tuple(x.type.frac for x in operands)
    inputs = tuple(f"x{k}" for k in range(len(shapes)))
    common = {"name": name, "inputs": inputs, "layer": name, "axis": axis, "source_fracs": fracs}
    lo, hi = Concatenate(**common, type=FixedType(40, max(fracs), True)).infer(operands).hull
    node = Concatenate(**common, type=FixedType.from_interval(lo, hi, max(fracs)))
    return StreamConcatenate(name, node, operands)


def cases() -> list[StreamConcatenate]:
    """Rows, columns and series, frame sizes and channels, of one type or of several."""
    three, bit = FixedType(3, 0, False), FixedType(1, 0, False)
    mixed = (FixedType(4, 2, True), FixedType(3, 0, False), FixedType(2, 1, False))
    return [
        made("rows", 0, [three], (2, 3, 2), (1, 3, 2)),
        made("cols", 1, [three], (4, 3, 2), (4, 1, 2)),
        made("series", 0, [three], (5, 1), (1, 1), (9, 1)),
        made("pixels", 0, [bit], (1, 1), (1, 1)),
        made("five", 1, [bit], *[(2, n, 3) for n in (1, 2, 1, 4, 3)]),
        made("mixed", 0, mixed, (2, 2, 2), (3, 2, 2), (1, 2, 2)),
        made("mixed_cols", 1, mixed, (3, 2, 1), (3, 4, 1)),
        made("deep", 0, [FixedType(8, 0, True), FixedType(7, 0, False)], (3, 9), (2, 9)),
    ]


def in_bits(case: StreamConcatenate) -> int:
    return sum(x.type.width * x.shape[-1] for x in case.sources)


def out_bits(case: StreamConcatenate) -> int:
    return case.node.type.width * case.sources[0].shape[-1]


def write(folder: Path, found: Sequence[StreamConcatenate]) -> list[Path]:
    """Write the block, the modules and a top with all of them side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    most, bits = max(len(case.sources) for case in found), max(map(in_bits, found))
    ports = [
        f"input logic clk, rst_n, out_ready, input logic [{most - 1}:0] in_valid, input logic [{bits - 1}:0] in_data"
    ]
    body = []
    for case in found:
        n, name = len(case.sources), case.name
        ports.append(f"output logic {name}_out_valid, {name}_out_last, output logic [{n - 1}:0] {name}_in_ready")
        ports.append(f"output logic [{out_bits(case) - 1}:0] {name}_out_data")
        outputs = ", ".join(f".{s}({name}_{s})" for s in SIGNALS)
        inputs = f".in_valid(in_valid[{n - 1}:0]), .in_last('0), .in_data(in_data[{in_bits(case) - 1}:0])"
        body.append(f"{name} u_{name} (.clk, .rst_n, .out_ready, {inputs}, {outputs});")
    texts = {m.name: str(m) for case in found for m in case.modules()}
    texts |= {"turns": "module turns (\n    " + ",\n    ".join(ports) + "\n);\n" + "\n".join(body) + "\nendmodule\n"}
    texts |= {BLOCK.stem: BLOCK.read_text()}
    for name, text in texts.items():
        (folder / f"{name}.sv").write_text(text)
    return [folder / f"{name}.sv" for name in texts]


def stimulus(most: int, bits: int) -> list[Cycle]:
    """Random beats: idle cycles of every input by itself x back-pressure, a reset in mid-frame between any two."""
    rng = random.Random(3)
    cycles: list[Cycle] = []
    for valid in (1.0, 0.5, 0.15):
        for ready in (1.0, 0.5, 0.15, 0.0):
            for k in range(300 if ready else 30):
                on = {"in_valid": sum((rng.random() < valid) << i for i in range(most))}
                held = {"rst_n": int(k >= 2), "out_ready": int(rng.random() < ready)}
                cycles.append({**held, **on, "in_data": rng.getrandbits(bits)})
    return cycles


def run(folder: Path, found: Sequence[StreamConcatenate]) -> dict[str, str | None]:
    """Simulate; return what is wrong with each instance."""
    cycles = stimulus(max(len(case.sources) for case in found), max(map(in_bits, found)))
    outputs = [f"{case.name}_{signal}" for case in found for signal in SIGNALS]
    sources = sorted((folder / "rtl").glob("*.sv"))
    rows = simulate(sources, "turns", cycles, inputs=list(cycles[0]), outputs=outputs, work=folder / "sim", clock="clk")
    return {case.name: trouble(case, cycles, rows) for case in found}


def trouble(case: StreamConcatenate, cycles: Sequence[Cycle], rows: Sequence[Cycle]) -> str | None:
    """Compare with the model of the handshakes clock by clock, and each beat with the element that came."""
    engine, taken, given = OneBlock(case), [], 0
    for k, (cycle, row) in enumerate(zip(cycles, rows, strict=True)):
        if not cycle["rst_n"]:
            engine, taken, given = OneBlock(case), [], 0
            continue
        seen = {signal: row[f"{case.name}_{signal}"] for signal in SIGNALS}
        free, offers, turn = bool(cycle["out_ready"]), engine.offers, case.turns[len(taken) % len(case.turns)]
        if seen["out_valid"] != offers:
            return f"cycle {k}: out_valid is {seen['out_valid']}"
        if seen["in_ready"] != engine.accepts(free) << turn:
            return f"cycle {k}: in_ready is {seen['in_ready']:b}, it is the turn of input {turn}"
        if offers:
            last = int(given % len(case.turns) == len(case.turns) - 1)
            if (seen["out_data"], seen["out_last"]) != (taken[given], last):
                return f"cycle {k}: got {seen['out_data']:x}, {seen['out_last']}, want {taken[given]:x}, {last}"
            given += free
        took = bool(seen["in_ready"] & cycle["in_valid"])
        if took:
            taken.append(expected(case, turn, cycle["in_data"]))
        engine.step(free=free, taken=took)
    return None


def expected(case: StreamConcatenate, turn: int, word: int) -> int:
    """What the beat of an input is in the result."""
    channels = case.sources[0].shape[-1]
    low = sum(x.type.width * channels for x in case.sources[:turn])
    type_ = case.sources[turn].type
    beat = word >> low & (1 << type_.width * channels) - 1
    codes = unpack([beat], type_, type_.width, channels) << case.node.shifts[turn]
    return pack(codes, case.node.type)[0]


def test_every_shape_under_every_stall(tmp_path: Path) -> None:
    found = cases()
    toolchain.lint(write(tmp_path / "rtl", found), "turns")
    assert run(tmp_path, found) == dict.fromkeys([case.name for case in found])


FAULTS = [
    ("in_ready[k] = free;", "in_ready[k] = 1'b1;"),
    ("accept      = free & in_valid[k];", "accept      = free & in_valid[0];"),
    ("beat        = in_data[k*WIDTH+:WIDTH];", "beat        = in_data[0+:WIDTH];"),
    ("last_turn ? '0 : turn + 1'b1", "turn + 1'b1"),
    ("last_count ? '0 : count", "last_turn ? '0 : count"),
    ("last_count & last_turn & last_round", "last_count & last_turn"),
    ("last_round ? '0", "last_round ? 1"),
    ("out_ready | ~out_valid", "1'b1"),
]


def test_planted_faults_are_found(tmp_path: Path) -> None:
    """One fault a copy of the block; all copies are in one build."""
    shown = [made(f"f{k}", 1, [FixedType(3, 0, False)], *[(3, n, 2) for n in (2, 1, 3)]) for k in range(len(FAULTS))]
    folder = tmp_path / "rtl"
    write(folder, shown)
    for k, (right, wrong) in enumerate(FAULTS):
        text = BLOCK.read_text()
        assert text.count(right) == 1, right
        name = f"{BLOCK.stem}_{k}"
        (folder / f"{name}.sv").write_text(text.replace(right, wrong).replace(f"module {BLOCK.stem}", f"module {name}"))
        module = folder / f"f{k}.sv"
        module.write_text(module.read_text().replace(f"{BLOCK.stem} #", f"{name} #"))
    said = run(tmp_path, shown)
    assert [fault for k, fault in enumerate(FAULTS) if said[f"f{k}"] is None] == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("N(1)", "N must be at least 2"),
        ("WIDTH(0)", "WIDTH, COUNT_W and ROUNDS"),
        ("ROUNDS(0)", "COUNT_W and ROUNDS must"),
    ],
)
def test_wrong_parameters_stop_elaboration(parameters: str, message: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sv"
    wrong.write_text(f"module wrong (input logic clk);\n  {BLOCK.stem} #(.{parameters}) u (.clk(clk));\nendmodule\n")
    with pytest.raises(ToolError, match=message):
        lint_everything([wrong, BLOCK], "wrong")


def test_default_parameters_are_lint_clean() -> None:
    toolchain.lint([BLOCK], BLOCK.stem)


def test_yosys_reads_every_instance_without_a_warning(tmp_path: Path) -> None:
    assert warnings(yosys(write(tmp_path, cases()), "turns")) == []
