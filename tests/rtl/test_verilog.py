"""Names, literals and module text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaq import toolchain
from fpgaq.errors import ToolError
from fpgaq.rtl.verilog import KEYWORDS, Module, Port, constant, identifiers, instance, vector

#: IEEE 1800-2017, annex B.
RESERVED = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind bins
binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const
constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge
else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule
endpackage endprimitive endprogram endproperty endspecify endsequence endtable endtask enum event eventually expect
export extends extern final first_match for force foreach forever fork forkjoin function generate genvar global highz0
highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input inside
instance int integer interconnect interface intersect join join_any join_none large let liblist library local
localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority program
property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1
s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled signed small
soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on
sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand
trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void
wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
""".split()  # noqa: SIM905  a list of hundreds of quoted words is harder to read

names = st.lists(st.text(max_size=8) | st.sampled_from([*RESERVED, "fc1", "FC1", "fc1_2", "fc-1", "1st"]), max_size=20)


@given(names)
def test_identifiers_are_legal_and_unique(given_names: list[str]) -> None:
    """Also where case does not count, as in VHDL and in file names on some systems."""
    found = identifiers(given_names)
    assert len(found) == len(given_names)
    assert len({name.lower() for name in found}) == len(found)
    for name in found:
        assert name.isascii()
        assert name.replace("_", "a").isalnum()
        assert not name[0].isdigit()
        assert name not in RESERVED


@given(st.lists(st.from_regex(r"[a-z][a-z0-9]{0,5}x", fullmatch=True), unique=True, max_size=8))
def test_good_names_are_kept(given_names: list[str]) -> None:
    assert identifiers(given_names) == given_names


def test_names_that_collide_are_numbered() -> None:
    given_names = ["fc/1", "fc-1", "FC_1", "fc_1_2", "fc/1", "module", ""]
    assert identifiers(given_names) == ["fc_1", "fc_1_2", "FC_1_3", "fc_1_2_2", "fc_1_4", "l_module", "layer"]


def test_every_reserved_word_is_known() -> None:
    assert set(RESERVED) <= KEYWORDS


@given(st.integers(-(2**80), 2**80), st.integers(1, 80))
def test_constant(value: int, width: int) -> None:
    size, digits = constant(value, width).split("'d")
    assert int(size) == width
    assert 0 <= int(digits) < 1 << width
    assert (int(digits) - value) % (1 << width) == 0


def test_vector() -> None:
    assert (vector(1), vector(2), vector(64)) == ("", "[1:0] ", "[63:0] ")


def test_module_text() -> None:
    module = Module("m", ["m: test", ""], [Port("input", "a", 4), Port("output", "y")], ["assign y = ^a;", ""])
    expected = """\
// m: test
//
module m (
    input  logic [3:0] a,
    output logic y
);
    assign y = ^a;

endmodule
"""
    assert str(module) == expected


def test_long_instances_are_broken_into_lines() -> None:
    short = instance("add", "u", {"a": "x"}, {"W": 3})
    assert short == "add #(.W(3)) u (.a(x));"
    assert instance("add", "u", {"a": "x"}) == "add u (.a(x));"
    ports = {f"port_{k}": f"signal_{k}" for k in range(9)}
    broken = instance("add", "u", ports)
    assert broken.split("\n")[0] == "add u ("
    assert broken.replace("\n", "").replace(" ", "") == instance("add", "u", ports).replace("\n", "").replace(" ", "")
    assert all(f".port_{k}(signal_{k})" in broken for k in range(9))
    assert max(map(len, broken.split("\n"))) < 120


def test_unused_ports_are_lint_clean(tmp_path: Path) -> None:
    for unused in (True, False):
        module = Module("m", [], [Port("input", "a", 4, unused), Port("output", "y")], ["assign y = 1'b0;"])
        source = tmp_path / "m.sv"
        source.write_text(str(module))
        if unused:
            toolchain.lint([source], "m")
        else:
            with pytest.raises(ToolError, match="UNUSEDSIGNAL"):
                toolchain.lint([source], "m")
