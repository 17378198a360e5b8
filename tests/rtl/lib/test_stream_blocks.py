"""Library blocks with valid/ready streams: a matrix of idle cycles, back-pressure, lengths, widths and depths."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cocotb_tools.runner import Runner, get_results, get_runner
from random_layers import Chain

from fpgaq import resources, toolchain
from fpgaq.errors import ToolError
from fpgaq.ir import FixedType, golden
from fpgaq.rtl.hardware import make_hardware
from fpgaq.rtl.verilog import Module
from fpgaq.rtl.words import pack

LIBRARY = resources.rtl_library()
BLOCKS = (
    "pipeline_control",
    "skid_buffer",
    "argmax_vector",
    "folded_matrix",
    "gated_engine",
    "softmax_vector",
    "stream_fork",
    "stream_join",
    "stream_fifo",
)
WORDS = 80
#: idle x back-pressure x length of the bench
MATRIX = 3 * 3 * 4
#: The part of it that shows faults.
HARDEST, HARD_CASES = r"idle=(none|random)/backpressure=random", 2 * 4

DELAY_LINE = """\
module delay_line #(parameter int unsigned STAGES = 1, parameter int unsigned WIDTH = 8) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic             in_valid,
    output logic             in_ready,
    input  logic             in_last,
    input  logic [WIDTH-1:0] in_data,
    output logic             out_valid,
    input  logic             out_ready,
    output logic             out_last,
    output logic [WIDTH-1:0] out_data
);
    logic enable;
    pipeline_control #(.STAGES(STAGES)) control (
        .clk, .rst_n, .in_valid, .in_ready, .in_last, .out_valid, .out_ready, .out_last, .enable
    );
    logic [WIDTH-1:0] data [0:STAGES];
    assign data[0] = in_data;
    assign out_data = data[STAGES];
    for (genvar k = 0; k < STAGES; k++) begin : stage
        always_ff @(posedge clk) if (enable) data[k+1] <= data[k];
    end
endmodule
"""


#: Lets words through in about half of the clocks, as consumers of a fork that do not agree.
THROTTLE = """\
module throttle #(parameter int unsigned SEED = 1) (
    input  logic clk,
    input  logic rst_n,
    input  logic in_valid,
    output logic in_ready,
    output logic out_valid,
    input  logic out_ready
);
    logic [15:0] state;
    logic open;  // once open, it stays so until the word is taken
    assign out_valid = in_valid & open;
    assign in_ready  = out_ready & open;
    always_ff @(posedge clk) begin
        if (!rst_n) begin
            state <= 16'(SEED);
            open  <= 1'b0;
        end else begin
            state <= {state[14:0], state[15] ^ state[13] ^ state[12] ^ state[10]};
            open  <= (out_valid & ~out_ready) | (state[0] & state[5]) | state[9];
        end
    end
endmodule
"""

#: A fork whose branches meet again: throttled or not, of different lengths, with FIFOs or not.
DIAMOND = """\
module diamond #(
    parameter int unsigned N = 2, parameter int unsigned WIDTH = 8, parameter int unsigned STEP = 1,
    parameter int unsigned DEPTH = 0, parameter bit THROTTLED = 1'b0
) (
    input  logic               clk,
    input  logic               rst_n,
    input  logic               in_valid,
    output logic               in_ready,
    input  logic               in_last,
    input  logic [WIDTH-1:0]   in_data,
    output logic               out_valid,
    input  logic               out_ready,
    output logic               out_last,
    output logic [N*WIDTH-1:0] out_data
);
    logic [N-1:0] fork_valid, fork_ready, open_valid, open_ready, line_valid, line_ready, line_last;
    logic [N-1:0] join_valid, join_ready, join_last;
    stream_fork #(.N(N)) forked (.clk, .rst_n, .in_valid, .in_ready, .out_valid(fork_valid), .out_ready(fork_ready));
    for (genvar k = 0; k < N; k++) begin : branch
        if (THROTTLED) begin : slow
            throttle #(.SEED(71 * k + 5)) gate (
                .clk, .rst_n, .in_valid(fork_valid[k]), .in_ready(fork_ready[k]), .out_valid(open_valid[k]),
                .out_ready(open_ready[k])
            );
        end else begin : fast
            assign open_valid[k] = fork_valid[k];
            assign fork_ready[k] = open_ready[k];
        end
        logic [WIDTH-1:0] line_data;
        delay_line #(.STAGES(1 + k * STEP), .WIDTH(WIDTH)) line (
            .clk, .rst_n, .in_valid(open_valid[k]), .in_ready(open_ready[k]), .in_last, .in_data,
            .out_valid(line_valid[k]), .out_ready(line_ready[k]), .out_last(line_last[k]), .out_data(line_data)
        );
        if (DEPTH > 0) begin : waiting
            stream_fifo #(.WIDTH(WIDTH + 1), .DEPTH(DEPTH)) fifo (
                .clk, .rst_n, .in_valid(line_valid[k]), .in_ready(line_ready[k]), .in_data({line_last[k], line_data}),
                .out_valid(join_valid[k]), .out_ready(join_ready[k]),
                .out_data({join_last[k], out_data[k*WIDTH+:WIDTH]})
            );
        end else begin : direct
            assign join_valid[k] = line_valid[k];
            assign line_ready[k] = join_ready[k];
            assign join_last[k]  = line_last[k];
            assign out_data[k*WIDTH+:WIDTH] = line_data;
        end
    end
    stream_join #(.N(N)) joined (
        .in_valid(join_valid), .in_ready(join_ready), .in_last(join_last), .out_valid, .out_ready, .out_last
    );
endmodule
"""


@dataclass(frozen=True)
class Instance:
    """One block in the top: its text without the stream ports, widths, and what it computes from a word."""

    name: str
    module: str
    in_width: int
    out_width: int
    compute: Callable[[list[int]], list[int]]
    packs_last: bool = False

    def ports(self) -> list[str]:
        lines = []
        for side, width, into in (("s", self.in_width, "input"), ("m", self.out_width, "output")):
            back = "output" if into == "input" else "input"
            lines += [
                f"{into} logic {self.name}_{side}_tvalid",
                f"{back} logic {self.name}_{side}_tready",
                f"{into} logic {self.name}_{side}_tlast",
                f"{into} logic [{width - 1}:0] {self.name}_{side}_tdata",
            ]
        return lines

    def body(self) -> str:
        def end(side: str, port: str) -> str:
            signals = {s: f"{self.name}_{side}_t{s}" for s in ("valid", "ready", "last", "data")}
            if self.packs_last:
                signals["data"] = f"{{{signals.pop('last')}, {signals['data']}}}"
            return ", ".join(f".{port}_{s}({signal})" for s, signal in signals.items())

        return f"{self.module} u_{self.name} (.clk(clk), .rst_n(rst_n), {end('s', 'in')}, {end('m', 'out')});"


#: branches, width, how much longer each branch is than the one before, depth of the FIFOs, throttled
DIAMONDS = ((2, 8, 0, 0, False), (2, 1, 3, 0, False), (3, 9, 2, 2, True), (2, 40, 4, 5, False), (5, 4, 1, 0, True))


def diamond(n: int, width: int, step: int, depth: int, throttled: bool) -> Instance:
    """Every branch gives the word that went in."""

    def copies(words: list[int]) -> list[int]:
        return [sum(w << (k * width) for k in range(n)) for w in words]

    parameters = f".N({n}), .WIDTH({width}), .STEP({step}), .DEPTH({depth}), .THROTTLED(1'b{int(throttled)})"
    return Instance(f"diamond{n}x{width}", f"diamond #({parameters})", width, n * width, copies)


def instances(wanted: str = "") -> tuple[list[Instance], list[Module]]:
    """Blocks at several parameter values, those whose names begin as wanted, and generated modules that some need."""

    def same(words: list[int]) -> list[int]:
        return words

    found = [
        Instance(f"skid{w}", f"skid_buffer #(.WIDTH({w + 1}))", w, w, same, packs_last=True) for w in (1, 8, 33, 130)
    ]
    found += [
        Instance(f"line{n}x{w}", f"delay_line #(.STAGES({n}), .WIDTH({w}))", w, w, same)
        for n, w in ((1, 1), (2, 8), (3, 70), (8, 5))
    ]
    found += [
        Instance(f"fifo{n}x{w}", f"stream_fifo #(.WIDTH({w + 1}), .DEPTH({n}))", w, w, same, packs_last=True)
        for n, w in ((2, 1), (3, 8), (4, 33), (9, 130), (65, 9))
    ]
    found += [diamond(*parameters) for parameters in DIAMONDS]
    modules: list[Module] = []
    chains = [
        Chain("am5", 5, FixedType(3, 0, True), 0).argmax(),
        Chain("am9", 9, FixedType(8, 0, False), 0).argmax(),
        Chain("fold2", 4, FixedType(3, 0, True), 1).matmul(3, "dense", 4, 2),
        Chain("fold4", 4, FixedType(3, 0, False), 2).matmul(3, "dense", 4, 4),
        Chain("fold12", 4, FixedType(3, 0, True), 3).matmul(3, "dense", 4, 12),
        Chain("gate2", 4, FixedType(5, 0, False), 6).gated(4, "ternary", 2, 3, 2),
        Chain("gate8", 4, FixedType(2, 0, False), 7).gated(2, "dense", 3, 1, 4),
        Chain("fold16", 16, FixedType(2, 0, True), 4).matmul(3, "binary", 1, 2),
    ]
    found = [instance for instance in found if re.match(wanted, instance.name)]
    for chain in chains:
        graph = chain.graph
        if not re.match(wanted, graph.name):
            continue
        hardware = make_hardware(graph, 5.0, "xc7")
        (block,) = hardware.blocks
        modules += block.hardware.modules()
        (port,), (end,) = hardware.inputs, hardware.outputs
        source, count, out = port.operand.type, port.count, FixedType(end.width, 0, end.operand.type.signed)

        def compute(words: list[int], graph=graph, source=source, count=count, out=out) -> list[int]:
            mask = (1 << source.width) - 1
            fields = [[w >> (k * source.width) & mask for k in range(count)] for w in words]
            x = np.array(fields, dtype=np.int64)
            x = x - ((x > source.max).astype(np.int64) << source.width)
            return pack(golden.run(graph, [x])[0], out)

        name = block.hardware.name
        found.append(Instance(graph.name, name, count * source.width, block.out_width * block.out_count, compute))
    return found, modules


def write(folder: Path, blocks: list[Instance], modules: list[Module]) -> list[Path]:
    """Write the top and everything below it."""
    ports = ",\n    ".join(["input logic clk", "input logic rst_n", *(p for b in blocks for p in b.ports())])
    body = "\n    ".join(b.body() for b in blocks)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {m.name: str(m) for m in modules}
    texts |= {"delay_line": DELAY_LINE, "throttle": THROTTLE, "diamond": DIAMOND}
    texts |= {"blocks": f"module blocks (\n    {ports}\n);\n    {body}\nendmodule\n"}
    library = ("table_bit", *(name for name in BLOCKS if name != "softmax_vector"))
    texts |= {name: (LIBRARY / f"{name}.sv").read_text() for name in library}
    for name, text in texts.items():
        (folder / f"{name}.sv").write_text(text)
    return [folder / f"{name}.sv" for name in texts]


def compiled(sources: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Compile the top with the bench."""
    for name, value in toolchain.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COCOTB_LOG_LEVEL", "ERROR")
    monkeypatch.syspath_prepend(resources.benches())  # the runner hands sys.path on
    runner = get_runner("verilator")
    runner.build(
        sources=sources,
        hdl_toplevel="blocks",
        build_dir=folder / "build",
        always=True,
        build_args=["-Wno-fatal", "-O3"],
        log_file=folder / "build.log",
        timescale=("1ns", "1ps"),
    )
    return runner


def run(runner: Runner, folder: Path, blocks: list[Instance], cases: str | None = None) -> tuple[int, int]:
    """Run the bench on some instances; return how many cases ran and how many failed."""
    rng = random.Random(9)
    job = {}
    for block in blocks:
        words = [rng.getrandbits(block.in_width) for _ in range(WORDS)]
        job[block.name] = {"words": [f"{w:x}" for w in words], "results": [f"{r:x}" for r in block.compute(words)]}
    (folder / "job.json").write_text(json.dumps(job))
    with contextlib.suppress(SystemExit):  # how the runner tells of failed cases
        runner.test(
            test_module="stream_blocks",
            hdl_toplevel="blocks",
            build_dir=folder / "build",
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            extra_env={"FPGAQ_JOB": str(folder / "job.json")},
            log_file=folder / "test.log",
            seed=1,
            test_filter=cases,
        )
    return get_results(folder / "results.xml")


@pytest.mark.slow
def test_matrix_of_stalls_lengths_and_widths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sound blocks pass all of it."""
    blocks, modules = instances()
    sources = write(tmp_path / "rtl", blocks, modules)
    toolchain.lint(sources, "blocks")
    assert run(compiled(sources, tmp_path, monkeypatch), tmp_path, blocks) == (MATRIX, 0)


#: Block, instances that show its fault, right and wrong text.
FAULTS = [
    ("skid_buffer", "skid", "if (!full) kept", "kept"),
    ("stream_fork", "diamond", " & ~taken", ""),  # a consumer gets a beat once more
    ("stream_fifo", "fifo", "assign in_ready = ~full", "assign in_ready = 1'b1"),
    ("stream_fifo", "fifo65", "push & (tail == head_after)", "1'b0"),
    ("stream_join", "diamond", "out_valid & out_ready", "out_ready"),  # beats that wait for others are lost
]


@pytest.mark.slow
def test_broken_blocks_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One fault a copy of a block; all copies are in one build."""
    broken: dict[int, list[Instance]] = {}
    texts: list[str] = []
    for k, (block, wanted, right, wrong) in enumerate(FAULTS):

        def copied(text: str, block: str = block, k: int = k) -> str:
            return re.sub(rf"\b({block}|diamond)\b", rf"\1_{k}", text)

        text = (LIBRARY / f"{block}.sv").read_text()
        assert right in text, right
        texts += [copied(text.replace(right, wrong)), copied(DIAMOND)]
        found = [one for one in instances(wanted)[0] if one.module.startswith((block, "diamond"))]
        broken[k] = [dataclasses.replace(one, name=f"{one.name}_{k}", module=copied(one.module)) for one in found]
    sources = write(tmp_path / "rtl", [one for group in broken.values() for one in group], [])
    (tmp_path / "rtl" / "copies.sv").write_text("\n".join(texts))
    runner = compiled([*sources, tmp_path / "rtl" / "copies.sv"], tmp_path, monkeypatch)
    for k, blocks in broken.items():
        ran, failed = run(runner, tmp_path, blocks, HARDEST)
        assert ran == HARD_CASES
        assert failed >= HARD_CASES // 2, FAULTS[k]


# --- parameters and tools ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", BLOCKS)
def test_default_parameters_are_lint_clean(block: str) -> None:
    toolchain.lint([LIBRARY / f"{name}.sv" for name in dict.fromkeys((block, "pipeline_control"))], block)


@pytest.mark.parametrize(
    ("block", "parameters", "message"),
    [
        ("pipeline_control", "STAGES(0)", "STAGES must be at least 1"),
        ("skid_buffer", "WIDTH(0)", "WIDTH must be at least 1"),
        ("argmax_vector", "N(0)", "N must be at least 1"),
        ("argmax_vector", "N(5), .INDEX_W(2)", "INDEX_W is too small for N"),
        ("folded_matrix", "N_IN(5)", "INPUTS . BEATS must be N_IN"),
        ("folded_matrix", "N_IN(1), .BEATS(1)", "with one cycle use an unrolled layer"),
        ("folded_matrix", "ADDRESS_W(7)", "ADDRESS_W is derived, do not set it"),
        ("folded_matrix", "PIXELS(3)", "PIXELS must divide BEATS"),
        ("folded_matrix", "GROUPS(2), .PIXELS(2)", "needs GROUPS 1"),
        ("gated_engine", "N_IN(5)", "INPUTS . BEATS must be N_IN"),
        ("gated_engine", "LOW(0)", "LOW must be at least 1"),
        ("gated_engine", "GROUP_W(0)", "ADDRESS_W, GROUP_W and COUNT_W are derived"),
        ("softmax_vector", "N(1)", "N must be at least 2"),
        ("stream_fork", "N(1)", "N must be at least 2"),
        ("stream_join", "N(1)", "N must be at least 2"),
        ("stream_fifo", "DEPTH(1)", "DEPTH must be at least 2"),
        ("stream_fifo", "WIDTH(0)", "WIDTH must be at least 1"),
    ],
)
def test_wrong_parameters_stop_elaboration(block: str, parameters: str, message: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sv"
    ports = "" if block == "stream_join" else ".clk(clk)"
    wrong.write_text(f"module wrong (input logic clk);\n  {block} #(.{parameters}) u ({ports});\nendmodule\n")
    with pytest.raises(ToolError, match=message):
        # Other messages come first: the ports are open.
        lint_everything([wrong, LIBRARY / f"{block}.sv", LIBRARY / "pipeline_control.sv"], "wrong")


def lint_everything(sources: list[Path], top: str) -> None:
    command = [str(toolchain.verilator()), "--lint-only", "-Wno-lint", "-Wno-PINMISSING", "--top-module", top]
    files = [str(path) for path in dict.fromkeys(sources)]
    run = subprocess.run([*command, *files], env=toolchain.environment(), capture_output=True, text=True, check=False)
    if run.returncode:
        raise ToolError(run.stderr)


_YOSYS = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
*files, top = sys.argv[1:]
for file in files:
    ys.run_pass(f'read_verilog -sv -defer "{file}"', design)
for command in (f"hierarchy -check -top {top}", "proc", "flatten", "opt_clean", "check -assert"):
    ys.run_pass(command, design)
"""


def yosys(sources: list[Path], top: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _YOSYS, *map(str, sources), top]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def warnings(said: subprocess.CompletedProcess[str]) -> list[str]:
    """What yosys complains of; that small arrays become registers is meant."""
    assert said.returncode == 0, said.stderr[-2000:]
    lines = [line for line in (said.stdout + said.stderr).splitlines() if "Warning" in line]
    return [line for line in lines if not re.match(r"Warning: Replacing memory \S+ with list of registers", line)]


def test_yosys_reads_every_instance_without_a_warning(tmp_path: Path) -> None:
    said = yosys(write(tmp_path, *instances()), "blocks")
    assert warnings(said) == []
    for name in BLOCKS:
        if name == "softmax_vector":  # below
            continue
        assert name in said.stdout


@pytest.mark.parametrize("block", ["softmax_vector"])
def test_yosys_reads_the_default_without_a_warning(block: str) -> None:
    said = yosys([LIBRARY / f"{block}.sv", LIBRARY / "pipeline_control.sv"], block)
    assert warnings(said) == []
