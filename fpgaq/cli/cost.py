"""Commands that tell what a design costs before it is built."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgaq.cli.common import app, console, guarded, quiet_tensorflow
from fpgaq.cli.options import (
    ActivationPrecision,
    ClockPeriod,
    CurvePrecision,
    FamilyOption,
    FoldingFile,
    Head,
    HeadOption,
    InputPrecision,
    ReuseFactor,
    ScalePrecision,
    StatePrecision,
    StrategyOption,
    TargetFps,
    TargetIi,
    WeightPrecision,
    WeightsFile,
    options_of,
)


@app.command()
def estimate(
    ctx: typer.Context,
    target: Annotated[Path, typer.Argument(help="Model file, design folder or built folder.")],
    weights: WeightsFile = None,
    input_precision: InputPrecision = "fixed<16,6>",
    reuse_factor: ReuseFactor = 1,
    strategy: StrategyOption = None,
    target_ii: TargetIi = None,
    target_fps: TargetFps = None,
    folding: FoldingFile = None,
    family: FamilyOption = "xc7",
    clock_period: ClockPeriod = 5.0,
    head: HeadOption = Head.logits,
    weight_precision: WeightPrecision = 16,
    activation_precision: ActivationPrecision = 16,
    scale_precision: ScalePrecision = 16,
    curve_precision: CurvePrecision = 8,
    state_precision: StatePrecision = "fixed<16,4,RND_CONV,SAT>",
    fast: Annotated[
        bool, typer.Option("--fast", help="Tell adders from figures of a matrix, without a search; larger errors.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Estimate LUTs, registers, DSP blocks, latency and II, each with its error; no tool runs.

    A folder has its own options; those of the command are for a model file.
    """
    given = dict(locals())

    def run() -> int:
        from fpgaq.estimate.command import show_estimate

        quiet_tensorflow()
        return show_estimate(target, weights, options_of(given), console(stderr=False), fast=fast, as_json=json_)

    guarded(ctx, run)
