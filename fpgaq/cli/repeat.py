"""Single steps on a built folder, and ``fpgaq doctor``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from fpgaq.cli.common import app, console, guarded


class Format(str, Enum):
    """Forms of the report."""

    text = "text"
    json = "json"
    markdown = "markdown"
    junit = "junit"


@app.command()
def sim(
    ctx: typer.Context,
    folder: Path,
    inputs: Annotated[Optional[Path], typer.Option(help=".npy or .npz file with real inputs.")] = None,  # noqa: UP045
    codes: Annotated[Path | None, typer.Option(help="File with input codes, as a failed gate saves them.")] = None,
    samples: Annotated[Optional[int], typer.Option(help="Random vectors instead of a file.")] = None,  # noqa: UP045
    seed: Annotated[int, typer.Option(help="Seed of the random vectors.")] = 1,
    labels: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help=".npy file with class labels of the inputs: show the accuracy of hardware and golden model."),
    ] = None,
) -> None:
    """Repeat the C++ and RTL gates of a built folder on other or more inputs, a whole test set for example.

    Of many samples the first ones, 1000 at most, also test the protocol of the streams, under stalls and resets.
    """

    def run() -> int:
        from fpgaq.steps import repeat_simulation

        return repeat_simulation(folder, inputs, codes, samples, seed, labels, console())

    guarded(ctx, run)


@app.command()
def synth(
    ctx: typer.Context,
    folder: Path,
    family: Annotated[Optional[str], typer.Option(help="FPGA family that yosys maps to.")] = None,  # noqa: UP045
) -> None:
    """Repeat the synthesis of a built folder, for another FPGA family if you like."""

    def run() -> int:
        from fpgaq.steps import repeat_synthesis

        return repeat_synthesis(folder, family, console())

    guarded(ctx, run)


@app.command()
def report(
    ctx: typer.Context,
    folder: Path,
    form: Annotated[Format, typer.Option("--format", help="Form of the report.")] = Format.text,
    json_: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Short for --format markdown.")] = False,
    junit: Annotated[bool, typer.Option("--junit", help="Short for --format junit.")] = False,
) -> None:
    """Show the report of a built folder."""

    def run() -> int:
        from fpgaq.steps import show_report

        chosen = "json" if json_ else "markdown" if markdown else "junit" if junit else form.value
        return show_report(folder, chosen, console(stderr=False))

    guarded(ctx, run)


@app.command()
def doctor(ctx: typer.Context) -> None:
    """Check that everything fpgaq needs is there, and say how to mend what is not."""

    def run() -> int:
        from fpgaq.doctor import examine

        return examine(console(stderr=False))

    guarded(ctx, run)
