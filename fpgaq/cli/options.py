"""Options that several commands have."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    from fpgaq.config import Options


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


WeightsFile = Annotated[Optional[Path], typer.Option(help="Weights (.h5) of a .json model.")]  # noqa: UP045
InputPrecision = Annotated[str, typer.Option(help="Type of the inputs, in hls4ml's spelling.")]
ReuseFactor = Annotated[int, typer.Option(help="Reuse factor of every layer (hls4ml's meaning).")]
StrategyOption = Annotated[
    Optional[StrategyName],  # noqa: UP045
    typer.Option(help="Schedule of the matrices; by default the reuse factor says: 1 is unrolled, more is folded."),
]
TargetIi = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(help="Cycles between vectors or frames; every layer is folded as far as this allows."),
]
TargetFps = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(help="Vectors or frames per second, instead of --target-ii."),
]
FoldingFile = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="File of reuse factors, as every build writes one (folding.yaml)."),
]
FamilyOption = Annotated[str, typer.Option(help="FPGA family that yosys maps to.")]
ClockPeriod = Annotated[float, typer.Option(help="Clock target in ns.")]
HeadOption = Annotated[Head, typer.Option(help="What becomes of a final softmax.")]
WeightPrecision = Annotated[int, typer.Option(help="Bits of weights and biases without quantizer.")]
ActivationPrecision = Annotated[int, typer.Option(help="Bits of activations without quantizer.")]
ScalePrecision = Annotated[int, typer.Option(help="Bits of alpha='auto' scales, batch norms and slopes.")]
CurvePrecision = Annotated[int, typer.Option(help="Bits of tanh, sigmoid and curves without quantizer.")]

StatePrecision = Annotated[str, typer.Option(help="Type of states of recurrent layers without quantizer.")]

CalibrationFile = Annotated[Path, typer.Option(help=".npy file with inputs that quantization looks at; 500 or more.")]
WeightBits = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(help="Bits of weights, 2 to 16; with --policy the most on average."),
]
BitPolicy = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        metavar="NAME",
        help="Choose the bits of every layer by a policy: kl, mse, hessian, nuclear-norm, ompq, lossy-coding-length.",
    ),
]
BitBudget = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--budget", help="Budget of the policy instead of --bits, such as lut=5000."),
]
LayerBits = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="YAML file with bits of weights by layer name, instead of --bits."),
]
ActivationBits = Annotated[int, typer.Option(help="Bits of rectifiers; 0 leaves them as they are.")]
WeightFormat = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Format of weights: int (default), pot, apot, ternary, tapered, pwlq, cfws, codebook."),
]
BitPrice = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(help="What a bit of a weight costs ecqx, in squared steps: more gives more zeros."),
]
RangeMethod = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="How ranges of rectifiers are found: mse, max, percentile, kl, ema; cfws: kl, others: mse."),
]
Scales = Annotated[
    str, typer.Option(metavar="layer|channel", help="One unit for the weights of a layer, or of every output channel.")
]
Reconstruct = Annotated[
    str, typer.Option(metavar="layer|block", help="Round layer by layer, or tune the layers of blocks together then.")
]
BiasCorrection = Annotated[bool, typer.Option(help="Let biases take up the mean error of the outputs.")]


def options_of(given: dict[str, Any]) -> Options:
    """Return the options of a conversion among the arguments of a command."""
    from fpgaq.config import Options, make_options

    values = {key: given[key] for key in Options.model_fields if key in given}
    return make_options({key: value.value if isinstance(value, Enum) else value for key, value in values.items()})
