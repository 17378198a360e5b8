"""A thin structural emitter: modules as data, SystemVerilog as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_LINE = 116
#: Reserved words that a layer may be called.
KEYWORDS = frozenset(
    """
    accept_on alias always and assert assign automatic before begin bind bit bool buf byte case cell class config
    const cover default design disable do edge else end endcase endfunction endmodule enum event expect export
    extern final for force forever fork function generate genvar global if import initial inout input inside
    instance int integer interface join let library local localparam logic longint macromodule matches module nand
    negedge new nor not null or output package packed parameter posedge primitive priority program property
    protected pure rand real ref reg release repeat return sequence shortint signed soft solve specify static string
    strong struct super supply0 supply1 table tagged task this throughout time timeprecision timeunit tran tri type
    typedef union unique unsigned use uwire var vectored virtual void wait wand weak while wildcard wire with within
    wor xnor xor
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


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Return a legal and unique identifier for every name."""
    used: set[str] = set()
    result: dict[str, str] = {}
    for name in names:
        plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name) or "layer"
        if plain[0].isdigit() or plain in KEYWORDS:
            plain = f"l_{plain}"
        candidate, k = plain, 1
        while candidate.lower() in used:
            k += 1
            candidate = f"{plain}_{k}"
        used.add(candidate.lower())
        result[name] = candidate
    return result
