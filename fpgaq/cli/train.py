"""``fpgaq train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from fpgaq.cli.common import app, console, guarded, quiet_tensorflow
from fpgaq.cli.options import WeightsFile


@app.command()
def train(
    ctx: typer.Context,
    model: Annotated[Path, typer.Argument(help="Trained model file, float or quantized.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write: .keras or .h5.")],
    inputs: Annotated[Path, typer.Option(help=".npy file with inputs to train with.")],
    targets: Annotated[Path, typer.Option(help=".npy file with their classes, or the values to return.")],
    method: Annotated[str, typer.Option(help="How weights are quantized; an unknown name lists all.")],
    bits: Annotated[int, typer.Option(help="Bits of weights.")],
    layer_bits: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="YAML file with bits of weights by layer name, for layers with others than --bits."),
    ] = None,
    activation_method: Annotated[
        str, typer.Option(help="How rectifiers are quantized; an unknown name lists all.")
    ] = "pact",
    activations: Annotated[int, typer.Option(help="Bits of rectifiers; 0 leaves them as they are.")] = 4,
    epochs: Annotated[int, typer.Option(help="Epochs of training.")] = 20,
    batch: Annotated[int, typer.Option(help="Samples of a training step.")] = 64,
    rate: Annotated[float, typer.Option(help="Learning rate of Adam at the start.")] = 1e-3,
    rate_of: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="clip=0.5", help="Factor of the rate for a parameter of quantizers; may be repeated."),
    ] = None,
    gate: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Gate hidden layers: so many high bits of rectifiers predict where the others count."),
    ] = None,
    gate_target: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Where thresholds of gates are drawn to, in deviations of a layer (0.25); more closes more."),
    ] = None,
    progressive: Annotated[bool, typer.Option(help="Start from a model of one bit more.")] = False,
    distill: Annotated[float, typer.Option(help="Share of the given model's outputs in the loss, 0 to 1.")] = 0.0,
    gradient_l1: Annotated[
        float, typer.Option("--gradient-l1", help="How much the l1 norms of the gradients count in the loss.")
    ] = 0.0,
    more_bits: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="6,4", help="Write the trained model with other bits of weights, too: Q_6bit.keras ..."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
    test_inputs: Annotated[Optional[Path], typer.Option(help=".npy file with inputs to tell accuracy on.")] = None,  # noqa: UP045
    test_targets: Annotated[Optional[Path], typer.Option(help=".npy file with their targets.")] = None,  # noqa: UP045
    weights: WeightsFile = None,
) -> None:
    """Train a model with quantizers: the result is a QKeras model for the other commands, with fixed quantizers."""
    given = dict(locals())

    def run() -> int:
        quiet_tensorflow()
        from fpgaq.quantize.training.command import train_file

        return train_file(given, console())

    guarded(ctx, run)
