"""``fpgaq methods``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from fpgaq.cli.common import app, console, guarded
from fpgaq.errors import ConfigError

if TYPE_CHECKING:
    from fpgaq.quantize.literature import Entry


@app.command()
def methods(
    ctx: typer.Context,
    name: Annotated[Optional[str], typer.Argument(help="Name of a system, or a part of it: all about it.")] = None,  # noqa: UP045
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List the quantization systems of the literature: what works, how it is asked for, and what is not built."""

    def run() -> int:
        from fpgaq.quantize.literature import SYSTEMS

        found = [entry for entry in SYSTEMS if name is None or name.lower() in entry.name.lower()]
        exact = [entry for entry in found if name is not None and name.lower() == entry.name.lower()]
        if not found:
            raise ConfigError(f"no system is called {name!r}; `fpgaq methods` lists all")
        if as_json:
            typer.echo(json.dumps([_document(entry) for entry in exact or found], indent=2))
        elif name is None:
            console(stderr=False).print(_table(found))
        else:
            typer.echo("\n\n".join(_details(entry) for entry in exact or found))
        return 0

    guarded(ctx, run)


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "status": entry.status,
        "idea": entry.idea,
        "source": entry.source,
        "ways": [way.typed for way in entry.ways],
        "remark": entry.remark,
    }


def _table(entries: list[Entry]) -> Any:
    from rich.table import Table

    table = Table("system", "status", "asked for by", caption="`fpgaq methods NAME` tells more")
    for entry in entries:
        table.add_row(entry.name, entry.status, f"{entry.ways[0].command} {entry.ways[0].text}" if entry.ways else "")
    return table


def _details(entry: Entry) -> str:
    source = f" ({entry.source})" if entry.source else ""
    lines = [f"{entry.name}{source}", f"  {entry.kind}, {entry.status}", f"  {entry.idea}"]
    lines += [f"  {way.typed}" for way in entry.ways]
    return "\n".join([*lines, f"  {entry.remark}"])
