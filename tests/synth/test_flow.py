"""Counts, caching, time limits and processes of `synthesize`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fpgaq.errors import ConfigError, ToolError
from fpgaq.synth import FAMILIES, Resources, Synthesis, synthesize

from synth_designs import ADD3, TWO_LAYERS, add3_chain, adder_tree  # isort: skip


BETWEEN = """\
module between(input logic clk, input logic [7:0] a, b, output logic [8:0] y);
  logic [8:0] h, later;
  always_ff @(posedge clk) later <= h;
  first u_first(.clk(clk), .a(a), .b(b), .y(h));
  second u_second(.clk(clk), .a(later), .y(y));
endmodule
"""


def one(folder: Path, text: str, top: str, **options: object) -> Resources:
    source = folder / f"{top}.sv"
    source.write_text(text)
    return synthesize([source, ADD3], top, [], work=folder / "work", **options).total  # type: ignore[arg-type]


def test_adder_tree_keeps_its_carry_chains(tmp_path: Path) -> None:
    """63 adders, 64 x 8 bits: one LUT per sum bit that is not a bare carry, one chain per adder."""
    ours = one(tmp_path, adder_tree(64, 8), "tree")
    plain = one(tmp_path, adder_tree(64, 8), "tree", carry_chains=False)
    assert ours == Resources(lut=561, carry=192)
    assert plain.carry < 10
    assert ours.lut < 0.65 * plain.lut


@pytest.mark.parametrize("family", ["xc7", "xcup"])
def test_three_input_adders_take_one_lut_a_bit(family: str, tmp_path: Path) -> None:
    assert one(tmp_path, add3_chain(5, 12), "chain", family=family) == Resources(lut=5 * 12, carry=5 * 3)


def test_subtractions_take_one_lut_a_bit(tmp_path: Path) -> None:
    """The lowest sum bit comes from the carry cell, without an inverter beside the propagate LUT."""
    text = "module diff(input logic [7:0] a, b, output logic [7:0] y); assign y = a - b; endmodule\n"
    assert one(tmp_path, text, "diff") == Resources(lut=8, carry=2)


def test_accumulator_stays_in_the_dsp_block(tmp_path: Path) -> None:
    text = """\
module mac(input logic clk, input logic clr, input logic signed [15:0] a, b, output logic signed [39:0] y);
  logic signed [31:0] p;
  always_ff @(posedge clk) begin
    p <= a * b;
    y <= clr ? 40'sd0 : y + 40'(p);
  end
endmodule
"""
    assert one(tmp_path, text, "mac") == Resources(dsp=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_counts_a_registered_design(family: str, tmp_path: Path) -> None:
    text = """\
module small(input logic clk, input logic rst, input logic [9:0] addr, input logic signed [8:0] a, b,
             output logic signed [17:0] p, output logic [9:0] s, output logic [8:0] q);
  logic [8:0] memory [0:1023];
  always_ff @(posedge clk) begin
    memory[addr] <= a;
    q <= memory[addr ^ 10'd1];
    p <= a * b;
    s <= rst ? 10'd0 : s + 10'd3;
  end
endmodule
"""
    found = one(tmp_path, text, "small", family=family)
    assert found.bram18 >= 1
    assert found.ff >= 10
    assert found.carry >= 2
    assert found.dsp == (0 if family == "ice40" else 1)


def test_layers_and_total(tmp_path: Path) -> None:
    source = tmp_path / "net.sv"
    source.write_text(TWO_LAYERS)
    found = synthesize([source], "net", ["first", "second"], family="ice40", work=tmp_path / "work")
    assert found.layers == {"first": Resources(lut=8, ff=9, carry=8), "second": Resources(lut=9, ff=9)}
    assert found.total == Resources(lut=17, ff=18, carry=8)
    assert not found.total_is_sum
    assert found.to_json()["layers"]["first"]["lut"] == 8


def test_cache_answers_until_the_text_changes(tmp_path: Path) -> None:
    source, other = tmp_path / "net.sv", tmp_path / "second.sv"
    first, second, net = TWO_LAYERS.split("endmodule\n")[:3]
    source.write_text(f"{first}endmodule\n{net}endmodule\n")
    other.write_text(f"{second}endmodule\n")
    cache = tmp_path / "cache"

    def go(work: str) -> Synthesis:
        return synthesize(
            [source, other], "net", ["first", "second"], family="ice40", work=tmp_path / work, cache=cache
        )

    def ran(work: str) -> set[str]:
        return {log.parent.name for log in (tmp_path / work).glob("*/yosys.log")}

    cold = go("cold")
    assert ran("cold") == {"net.ice40", "first.ice40", "second.ice40"}
    warm = go("warm")
    assert ran("warm") == set()
    assert (warm.total, warm.layers) == (cold.total, cold.layers)
    other.write_text(f"{second}endmodule // only a comment\n".replace("a ^", "a &"))
    changed = go("changed")
    assert "second.ice40" in ran("changed")
    assert changed.layers["second"].lut == cold.layers["second"].lut
    assert not list(cache.glob("*.part"))


def test_slow_total_becomes_the_sum(tmp_path: Path) -> None:
    source = tmp_path / "net.sv"
    source.write_text(TWO_LAYERS)
    options = {"family": "ice40", "work": tmp_path / "work", "flat_limit": 0.01}
    found = synthesize([source], "net", ["first", "second"], **options)  # type: ignore[arg-type]
    assert found.total_is_sum
    assert found.total == found.layers["first"] + found.layers["second"]
    # What lies between the layers is counted, too.
    source.write_text(TWO_LAYERS + BETWEEN)
    found = synthesize([source], "between", ["first", "second"], **options)  # type: ignore[arg-type]
    assert found.total_is_sum
    assert found.total == found.layers["first"] + found.layers["second"] + Resources(ff=9)
    with pytest.raises(ToolError, match=r"more than 0\.01 s.*no layers"):
        synthesize([source], "net", [], **options)  # type: ignore[arg-type]


def test_unknown_layer_and_family(tmp_path: Path) -> None:
    source = tmp_path / "net.sv"
    source.write_text(TWO_LAYERS)
    with pytest.raises(ConfigError, match="'third'"):
        synthesize([source], "net", ["third"], work=tmp_path / "work")
    with pytest.raises(ConfigError, match="Known: xc7"):
        synthesize([source], "net", [], family="xc9", work=tmp_path / "work")


def test_ram_contents_come_from_data_files(tmp_path: Path) -> None:
    source, data = tmp_path / "rom.sv", tmp_path / "data" / "table.mem"
    data.parent.mkdir()
    source.write_text(
        "module rom(input logic [3:0] i, output logic [3:0] y); logic [3:0] m [0:15];\n"
        '  initial $readmemh("table.mem", m); assign y = m[i]; endmodule\n'
    )
    data.write_text("\n".join(f"{i * 7 % 16:x}" for i in range(16)))
    found = synthesize([source], "rom", [], family="ice40", work=tmp_path / "work", data_files=[data])
    assert 0 < found.total.lut <= 4
    with pytest.raises(ToolError, match=r"table\.mem"):
        synthesize([source], "rom", [], family="ice40", work=tmp_path / "work")


def test_interrupt_leaves_no_process_behind(tmp_path: Path) -> None:
    """Ctrl-C while yosys runs ends the call and every process in the groups it started."""
    source = tmp_path / "tree.sv"
    source.write_text(adder_tree(512, 16))  # busy for long, so that the interrupt never comes too late
    code = (
        "from pathlib import Path; from fpgaq.synth import synthesize;"
        f"synthesize([Path({str(source)!r})], 'tree', [], work=Path({str(tmp_path / 'work')!r}), carry_chains=False)"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # it is ignored in the background
    )
    log = tmp_path / "work" / "tree.xc7" / "yosys.log"
    deadline = time.monotonic() + 60
    while not (log.is_file() and log.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = children(caller.pid)
    assert workers
    os.kill(caller.pid, signal.SIGINT)
    _, said = caller.communicate(timeout=30)
    assert b"KeyboardInterrupt" in said
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.killpg(worker, 0)


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
