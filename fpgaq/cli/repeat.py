"""Single steps on a built folder, and ``fpgaq doctor``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from fpgaq.cli.common import app, console, guarded
from fpgaq.errors import ConfigError


class Format(str, Enum):
    """Forms of the report."""

    text = "text"
    json = "json"
    markdown = "markdown"
    junit = "junit"
    html = "html"


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
    place_and_route: Annotated[
        bool, typer.Option("--place-and-route", help="Go on with nextpnr for a real Fmax: ecp5 and ice40.")
    ] = False,
    time_limit: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="MINUTES", min=0, help="Of --place-and-route: give up after this; 30 by default."),
    ] = None,
) -> None:
    """Repeat the synthesis of a built folder, for another FPGA family if you like, and place and route it."""

    def run() -> int:
        from fpgaq.steps import repeat_synthesis

        if time_limit is not None and not place_and_route:
            raise ConfigError("--time-limit belongs to --place-and-route")
        minutes = 30.0 if time_limit is None else time_limit
        return repeat_synthesis(folder, family, console(), minutes if place_and_route else None)

    guarded(ctx, run)


@app.command()
def vendor(
    ctx: typer.Context,
    folder: Path,
    part: Annotated[Optional[str], typer.Option(help="Part number; by default one of the design's family.")] = None,  # noqa: UP045
    place_and_route: Annotated[
        bool, typer.Option("--place-and-route", help="Let Vivado go on behind synthesis, for real timing.")
    ] = False,
    run: Annotated[bool, typer.Option(help="Run what is on PATH, or write the scripts only.")] = True,
) -> None:
    """Write scripts for Vivado and Vitis HLS, and run them where these tools are.

    Vivado takes the SystemVerilog, out of context, Vitis HLS the C++ project.
    """

    def start() -> int:
        from fpgaq.vendor.command import run_vendor

        return run_vendor(folder, part, place_and_route=place_and_route, run=run, console=console(stderr=False))

    guarded(ctx, start)


@app.command()
def report(
    ctx: typer.Context,
    folder: Annotated[Optional[Path], typer.Argument(help="Built folder, without --compare.")] = None,  # noqa: UP045
    form: Annotated[Format, typer.Option("--format", help="Form of the report.")] = Format.text,
    json_: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Short for --format markdown.")] = False,
    junit: Annotated[bool, typer.Option("--junit", help="Short for --format junit.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Short for --format html: a page for a browser.")] = False,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="File of the page; FOLDER/report.html without it."),
    ] = None,
    sweep: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Of --html: CSV table of a sweep, beside whose designs this one is shown."),
    ] = None,
    compare: Annotated[
        Optional[tuple[Path, Path]],  # noqa: UP045
        typer.Option(metavar="OLD NEW", help="Two built folders or report.json files: print what changed."),
    ] = None,
    fail_above: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            metavar="PERCENT", min=0, help="Of --compare: exit code 1 when LUT, FF, DSP, BRAM, latency or II grew more."
        ),
    ] = None,
) -> None:
    """Show the report of a built folder, or compare two."""

    def run() -> int:
        from fpgaq.steps import compare_reports, show_report

        short = {"json": json_, "markdown": markdown, "junit": junit, "html": html}
        chosen = next((name for name, given in short.items() if given), form.value)
        _check_report(compare is not None, chosen, fail_above, output, sweep)
        if folder is not None and compare is None:
            return show_report(folder, chosen, output, sweep, console(stderr=False))
        if folder is None and compare is not None:
            return compare_reports(*compare, chosen, fail_above, console(stderr=False))
        raise ConfigError("give one built folder, or --compare with two")

    guarded(ctx, run)


def _check_report(compared: bool, form: str, fail_above: float | None, output: Path | None, sweep: Path | None) -> None:
    if compared and form not in ("text", "markdown"):
        raise ConfigError(f"--compare has no form {form}; it prints text, or Markdown with --markdown")
    if fail_above is not None and not compared:
        raise ConfigError("--fail-above belongs to --compare")
    if output is not None and form != "html":
        raise ConfigError(f"-o belongs to --html; {form} goes to standard output")
    if sweep is not None and form != "html":
        raise ConfigError("--sweep belongs to --html")


@app.command()
def doctor(ctx: typer.Context) -> None:
    """Check that everything fpgaq needs is there, and say how to mend what is not."""

    def run() -> int:
        from fpgaq.doctor import examine

        return examine(console(stderr=False))

    guarded(ctx, run)
