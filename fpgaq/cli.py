"""The command line."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Optional

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


class Format(str, Enum):
    """Forms of the report."""

    text = "text"
    json = "json"
    markdown = "markdown"
    junit = "junit"


class Head(str, Enum):
    """What becomes of a final softmax."""

    logits = "logits"
    argmax = "argmax"
    softmax = "softmax"


class StrategyName(str, Enum):
    """Schedules of a matrix."""

    unrolled = "unrolled"
    folded = "folded"
    auto = "auto"


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


OutputOption = Annotated[Optional[Path], typer.Option("--output", "-o", help="Folder to write to.")]  # noqa: UP045
CheckOnly = Annotated[
    bool, typer.Option("--check-only", help="Only check the model, derive the types and state what is rounded.")
]

_DESIGN_HELP = """Build a design folder (design.yaml, and train.py where the model is not there yet).

design.yaml may hold: {keys}. The exit code is 0 when every gate passed, 1 when one failed, 2 on bad input."""


def _design_keys() -> str:
    return (
        "model, train, name, input_precision, inputs, labels, samples, weight_precision, activation_precision, "
        "scale_precision, curve_precision, head, io_type, strategy, reuse_factor, layers (options by layer name), "
        "target_ii, target_fps, folding, family, clock_period, synth, flat_limit, seed, jobs"
    )


@app.command(help=_DESIGN_HELP.format(keys=_design_keys()))
def build(ctx: typer.Context, design: Path, output: OutputOption = None, check_only: CheckOnly = False) -> None:
    """Build a design folder."""

    def run() -> int:
        _quiet_tensorflow()
        if check_only:
            from fpgaq.check import check_design

            return check_design(design, _console())
        from fpgaq.build import build_design
        from fpgaq.progress import Progress

        with Progress(_console()) as progress:
            report, target = build_design(design, output, progress)
        return _finish(report, target)

    _guarded(ctx, run)


@app.command()
def convert(
    ctx: typer.Context,
    model: Path,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
    weights: Annotated[Optional[Path], typer.Option(help="Weights (.h5) of a .json model.")] = None,  # noqa: UP045
    input_precision: Annotated[str, typer.Option(help="Type of the inputs, in hls4ml's spelling.")] = "fixed<16,6>",
    inputs: Annotated[Optional[Path], typer.Option(help=".npy or .npz file with real inputs.")] = None,  # noqa: UP045
    labels: Annotated[Optional[Path], typer.Option(help=".npy file with their class labels.")] = None,  # noqa: UP045
    samples: Annotated[int, typer.Option(help="Samples of every gate.")] = 1000,
    io_type: Annotated[str, typer.Option(help="C++ on arrays (io_parallel) or pixels (io_stream).")] = "io_parallel",
    reuse_factor: Annotated[int, typer.Option(help="Reuse factor of every layer (hls4ml's meaning).")] = 1,
    strategy: Annotated[
        Optional[StrategyName],  # noqa: UP045
        typer.Option(help="Schedule of the matrices; by default the reuse factor says: 1 is unrolled, more is folded."),
    ] = None,
    target_ii: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Cycles between vectors or frames; every layer is folded as far as this allows."),
    ] = None,
    target_fps: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Vectors or frames per second, instead of --target-ii."),
    ] = None,
    folding: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="File of reuse factors, as every build writes one (folding.yaml)."),
    ] = None,
    family: Annotated[str, typer.Option(help="FPGA family that yosys maps to.")] = "xc7",
    clock_period: Annotated[float, typer.Option(help="Clock target in ns.")] = 5.0,
    head: Annotated[Head, typer.Option(help="What becomes of a final softmax.")] = Head.logits,
    weight_precision: Annotated[int, typer.Option(help="Bits of weights and biases without quantizer.")] = 16,
    activation_precision: Annotated[int, typer.Option(help="Bits of activations without quantizer.")] = 16,
    scale_precision: Annotated[int, typer.Option(help="Bits of alpha='auto' scales, batch norms and slopes.")] = 16,
    curve_precision: Annotated[int, typer.Option(help="Bits of tanh, sigmoid and curves without quantizer.")] = 8,
    synth: Annotated[bool, typer.Option(help="Count resources with yosys, or end with the gates.")] = True,
    flat_limit: Annotated[float, typer.Option(help="Seconds after which flat synthesis is given up.")] = 300.0,
    seed: Annotated[int, typer.Option(help="Seed of random inputs and stalls.")] = 0,
    jobs: Annotated[int, typer.Option(help="Parallel tool runs.")] = 2,
    check_only: CheckOnly = False,
) -> None:
    """Build a .keras, .h5 or .json model file without a design folder."""
    given = dict(locals())

    def run() -> int:
        from fpgaq.config import Options, make_options

        values = {key: given[key] for key in Options.model_fields if key in given}
        values |= {key: value.value for key, value in values.items() if isinstance(value, Enum)}
        options = make_options(values)
        _quiet_tensorflow()
        if check_only:
            from fpgaq.check import check_file

            return check_file(model, weights, output.name, options, _console())
        from fpgaq.build import build_model
        from fpgaq.frontend.load import load_model
        from fpgaq.progress import Progress

        with Progress(_console()) as progress:
            with progress.phase("load", "loading the model"):
                loaded = load_model(model, weights)
            report = build_model(loaded, output.name, options, output, progress)
        return _finish(report, output)

    _guarded(ctx, run)


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

        return repeat_simulation(folder, inputs, codes, samples, seed, labels, _console())

    _guarded(ctx, run)


@app.command()
def synth(
    ctx: typer.Context,
    folder: Path,
    family: Annotated[Optional[str], typer.Option(help="FPGA family that yosys maps to.")] = None,  # noqa: UP045
) -> None:
    """Repeat the synthesis of a built folder, for another FPGA family if you like."""

    def run() -> int:
        from fpgaq.steps import repeat_synthesis

        return repeat_synthesis(folder, family, _console())

    _guarded(ctx, run)


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
        return show_report(folder, chosen, _console(stderr=False))

    _guarded(ctx, run)


@app.command()
def doctor(ctx: typer.Context) -> None:
    """Check that everything fpgaq needs is there, and say how to mend what is not."""

    def run() -> int:
        from fpgaq.doctor import examine

        return examine(_console(stderr=False))

    _guarded(ctx, run)


def _finish(report: dict[str, Any], folder: Path) -> int:
    from fpgaq.report.text import print_report
    from fpgaq.steps import explain_failures

    print_report(report, _console(stderr=False), str(folder))
    if report["passed"]:
        return 0
    explain_failures(report, folder)
    return EXIT_GATE


def _console(*, stderr: bool = True) -> Any:
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=not sys.stdout.isatty())


def _quiet_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


def _guarded(ctx: typer.Context, run: Callable[[], int]) -> None:
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


def main() -> None:
    """Entry point of the ``fpgaq`` command."""
    app()
