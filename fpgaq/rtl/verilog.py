"""A thin structural emitter: modules as data, SystemVerilog as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_LINE = 116
#: Reserved words of IEEE 1800-2017, annex B.
KEYWORDS = frozenset(
    """
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind
    bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config
    const constraint context continue cover covergroup coverpoint cross deassign default defparam design disable
    dist do edge else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup
    endinterface endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask
    enum event eventually expect export extends extern final first_match for force foreach forever fork forkjoin
    function generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import
    incdir include initial inout input inside instance int integer interconnect interface intersect join join_any
    join_none large let liblist library local localparam logic longint macromodule matches medium modport module
    nand negedge nettype new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed
    parameter pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup
    pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg
    reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime
    s_until s_until_with scalared sequence shortint shortreal showcancelled signed small soft solve specify
    specparam static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table
    tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg
    type typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait
    wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
    """.split()  # noqa: SIM905  a list of a hundred quoted words is harder to read
)


@dataclass(frozen=True)
class Port:
    """A port of a module; `width` in bits."""

    direction: str
    name: str
    width: int = 1
    unused: bool = False

    def __str__(self) -> str:
        kind = f"{self.direction:6} logic {vector(self.width)}{self.name}"
        return (
            f"/* verilator lint_off UNUSEDSIGNAL */ {kind} /* verilator lint_on UNUSEDSIGNAL */"
            if self.unused
            else kind
        )


@dataclass
class Module:
    """A module: header comment, ports, body lines.

    Parameters
    ----------
    name : str
    comment : sequence of str
        Header lines without ``//``.
    ports : list of Port
    body : list of str
        Lines of SystemVerilog, indented relative to the module.
    """

    name: str
    comment: Sequence[str]
    ports: list[Port]
    body: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        head = [f"// {line}".rstrip() for line in self.comment]
        ports = ",\n".join(f"    {port}" for port in self.ports)
        body = [f"    {line}".rstrip() for text in self.body for line in text.split("\n")]
        return "\n".join([*head, f"module {self.name} (", ports, ");", *body, "endmodule", ""])


def instance(module: str, name: str, connections: dict[str, str], parameters: dict[str, object] | None = None) -> str:
    """Return an instance with named connections, on one line if that is short."""
    values = ", ".join(f".{k}({v})" for k, v in (parameters or {}).items())
    ports = ", ".join(f".{k}({v})" for k, v in connections.items())
    head = f"{module} {f'#({values}) ' if values else ''}{name} ("
    if len(head) + len(ports) <= _LINE:
        return f"{head}{ports});"
    lines = ",\n".join(f"    .{k}({v})" for k, v in connections.items())
    return f"{head}\n{lines}\n);"


def vector(width: int) -> str:
    """Return the range of a packed vector, followed by a space; nothing for one bit."""
    return f"[{width - 1}:0] " if width > 1 else ""


def constant(value: int, width: int) -> str:
    """Return a sized literal in two's complement."""
    return f"{width}'d{value & ((1 << width) - 1)}"


def identifiers(names: Iterable[str]) -> list[str]:
    """Return a legal identifier for every name, each another one, also where case does not count."""
    used: set[str] = set()
    result: list[str] = []
    for name in names:
        plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name) or "layer"
        if plain[0].isdigit() or plain in KEYWORDS:
            plain = f"l_{plain}"
        candidate, k = plain, 1
        while candidate.lower() in used:
            k += 1
            candidate = f"{plain}_{k}"
        used.add(candidate.lower())
        result.append(candidate)
    return result
