"""What all commands have in common: the application, errors as one paragraph, and options that several have."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer

from fpgaq import __version__
from fpgaq.errors import FpgaqError, GateError

EXIT_GATE, EXIT_USAGE = 1, 2

app = typer.Typer(
    help="Quantized Keras/QKeras models to FPGA IP, with a proof that the IP computes the model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"fpgaq {__version__}")
        raise typer.Exit


@app.callback()
def common(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command."""
    ctx.obj = {"debug": debug}


def console(*, stderr: bool = True) -> Any:
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=not sys.stdout.isatty())


def quiet_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


def guarded(ctx: typer.Context, run: Callable[[], int]) -> None:
    """Run a command; errors become one paragraph on stderr and an exit code."""
    try:
        code = run()
    except KeyboardInterrupt:
        typer.echo("fpgaq: interrupted; nothing incomplete was left behind", err=True)
        raise typer.Exit(130) from None
    except (FpgaqError, OSError) as error:
        if ctx.obj["debug"]:
            traceback.print_exc()
        typer.echo(f"fpgaq: {error}", err=True)
        raise typer.Exit(EXIT_GATE if isinstance(error, GateError) else EXIT_USAGE) from None
    if code:
        raise typer.Exit(code)
