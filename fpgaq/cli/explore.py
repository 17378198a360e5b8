"""Commands that try designs of one model side by side."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from fpgaq.cli.common import app, console, guarded, quiet_tensorflow
from fpgaq.cli.options import ClockPeriod, FamilyOption, InputPrecision, ReuseFactor


@app.command()
def sweep(
    ctx: typer.Context,
    target: Annotated[Path, typer.Argument(help="Model file, or design folder with inputs and labels.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV file; rows that are there stay.")] = Path(
        "sweep.csv"
    ),
    formats: Annotated[str, typer.Option(help="Formats of weights: int, pot, ternary, binary.")] = "int",
    weights: Annotated[str, typer.Option(help="Bits of weights: 4, 2..8 or 2,4,8.")] = "2..8",
    activations: Annotated[str, typer.Option(help="Bits of activations.")] = "4",
    reuse: Annotated[str, typer.Option(help="Reuse factors.")] = "1",
    inputs: Annotated[Optional[Path], typer.Option(help=".npy file with inputs that accuracy is measured on.")] = None,  # noqa: UP045
    labels: Annotated[Optional[Path], typer.Option(help=".npy file with their classes.")] = None,  # noqa: UP045
    calibration: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help=".npy file with inputs that set the ranges of activations; the inputs by default."),
    ] = None,
    calibration_labels: Annotated[Optional[Path], typer.Option(help="Their classes, for --finetune.")] = None,  # noqa: UP045
    finetune: Annotated[int, typer.Option(help="Epochs of training behind the quantization.")] = 0,
    input_precision: InputPrecision = "fixed<16,6>",
    family: FamilyOption = "xc7",
    clock_period: ClockPeriod = 5.0,
    jobs: Annotated[int, typer.Option(help="Local worker processes.")] = os.cpu_count() or 1,
    scheduler: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Address of a dask scheduler instead; its workers need the files at the same paths."),
    ] = None,
) -> None:
    """Quantize a model in many ways, and tell accuracy (of the integer model) and estimated cost of each.

    A design folder has its own inputs, labels and options. The exit code is 1 when a design had an error.
    """
    given = dict(locals())

    def run() -> int:
        from fpgaq.explore.command import run_sweep

        quiet_tensorflow()
        return run_sweep({key: value for key, value in given.items() if key != "ctx"}, console())

    guarded(ctx, run)


@app.command()
def search(
    ctx: typer.Context,
    target: Annotated[Path, typer.Argument(help="Trained model file, or design folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
    budget: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="lut=5000,dsp=0; also ff, bram18, lutram, size (bits of all weights), latency (cycles)."),
    ] = None,
    latency: Annotated[Optional[int], typer.Option(help="Cycles, the same as latency=N in the budget.")] = None,  # noqa: UP045
    weights: Annotated[str, typer.Option(help="Bits of weights to choose from: 4, 2..8 or 2,4,8.")] = "2..8",
    activations: Annotated[str, typer.Option(help="Bits of activations to choose from.")] = "4",
    formats: Annotated[str, typer.Option(help="Formats to choose from: int, pot, ternary, binary.")] = "int",
    policy: Annotated[
        str,
        typer.Option(help="Damage of a choice: kl, ce, mse, fisher, hessian, nuclear-norm, ompq, lossy-coding-length."),
    ] = "kl",
    solver: Annotated[
        str, typer.Option(help="milp, dp (one budget), greedy, clusters; or a search: anneal, reinforce, evolution.")
    ] = "milp",
    calibration: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help=".npy file with inputs for ranges and losses; the inputs by default."),
    ] = None,
    calibration_labels: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Their classes: losses are cross entropies then, else divergences from the model."),
    ] = None,
    inputs: Annotated[Optional[Path], typer.Option(help=".npy file with inputs that accuracy is measured on.")] = None,  # noqa: UP045
    labels: Annotated[Optional[Path], typer.Option(help=".npy file with their classes.")] = None,  # noqa: UP045
    evaluations: Annotated[int, typer.Option(help="Networks that a search may measure.")] = 200,
    finetune: Annotated[int, typer.Option(help="Epochs of training of the three best.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of searches and random baselines.")] = 0,
    input_precision: InputPrecision = "fixed<16,6>",
    reuse_factor: ReuseFactor = 1,
    family: FamilyOption = "xc7",
    clock_period: ClockPeriod = 5.0,
    fast: Annotated[
        bool, typer.Option("--fast", help="Tell costs of layers without searching adder graphs; finalists have theirs.")
    ] = False,
    build: Annotated[bool, typer.Option(help="Build and synthesize the winner.")] = True,
) -> None:
    """Choose bits and formats of every layer within a hardware budget, and build the network that came out best.

    A design folder has its own inputs, labels and options. The exit code is 1 when what was built is above the budget
    by more than the error of the estimate, or a gate failed.
    """
    given = dict(locals())

    def run() -> int:
        quiet_tensorflow()
        from fpgaq.explore.search_command import run_search

        arguments = {key: value for key, value in given.items() if key != "ctx"}
        return run_search(arguments, console(), console(stderr=False))

    guarded(ctx, run)
