"""``fpgaq quantize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgaq.cli.common import app, console, guarded, quiet_tensorflow
from fpgaq.cli.options import (
    ActivationBits,
    BiasCorrection,
    BitBudget,
    BitPolicy,
    BitPrice,
    CalibrationFile,
    LayerBits,
    RangeMethod,
    Reconstruct,
    Scales,
    WeightBits,
    WeightFormat,
    WeightsFile,
)


@app.command()
def quantize(
    ctx: typer.Context,
    model: Annotated[Path, typer.Argument(help="Trained float model file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write: .keras or .h5.")],
    calibration: CalibrationFile,
    method: Annotated[
        str,
        typer.Option(help="How weights are rounded: nearest, stochastic, adaround, attention-round, pwlq, cfws, ecqx."),
    ] = "attention-round",
    bits: WeightBits = None,
    layer_bits: LayerBits = None,
    policy: BitPolicy = None,
    budget: BitBudget = None,
    activations: ActivationBits = 8,
    format: WeightFormat = None,
    scales: Scales = "layer",
    bit_price: BitPrice = None,
    ranges: RangeMethod = None,
    reconstruct: Reconstruct = "layer",
    bias_correction: BiasCorrection = True,
    weights: WeightsFile = None,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
) -> None:
    """Quantize a trained float model without training: the result is a QKeras model for the other commands."""
    given = dict(locals())

    def run() -> int:
        quiet_tensorflow()
        from fpgaq.quantize.ptq.command import quantize_file

        return quantize_file(model, weights, output, given, console())

    guarded(ctx, run)
