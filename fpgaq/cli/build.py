"""``fpgaq build`` and ``fpgaq convert``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from fpgaq.cli.common import EXIT_GATE, app, console, guarded, quiet_tensorflow
from fpgaq.cli.options import (
    ActivationBits,
    ActivationPrecision,
    BiasCorrection,
    BitBudget,
    BitPolicy,
    BitPrice,
    ClockPeriod,
    CurvePrecision,
    FamilyOption,
    FoldingFile,
    Head,
    HeadOption,
    InputPrecision,
    LayerBits,
    RangeMethod,
    Reconstruct,
    ReuseFactor,
    ScalePrecision,
    Scales,
    StatePrecision,
    StrategyOption,
    TargetFps,
    TargetIi,
    WeightBits,
    WeightFormat,
    WeightPrecision,
    WeightsFile,
    options_of,
)
from fpgaq.errors import ConfigError

if TYPE_CHECKING:
    from fpgaq.quantize.ptq.policy import Policy
    from fpgaq.quantize.ptq.settings import Settings

OutputOption = Annotated[Optional[Path], typer.Option("--output", "-o", help="Folder to write to.")]  # noqa: UP045
CheckOnly = Annotated[
    bool, typer.Option("--check-only", help="Only check the model, derive the types and state what is rounded.")
]

_DESIGN_HELP = """Build a design folder (design.yaml, and train.py where the model is not there yet).

design.yaml may hold: {keys}. The exit code is 0 when every gate passed, 1 when one failed, 2 on bad input."""


def _design_keys() -> str:
    return (
        "model, train, name, input_precision, inputs, labels, samples, weight_precision, activation_precision, "
        "scale_precision, curve_precision, state_precision, head, io_type, strategy, reuse_factor, "
        "layers (options by layer name), target_ii, target_fps, folding, family, clock_period, synth, "
        "flat_limit, seed, jobs"
    )


@app.command(help=_DESIGN_HELP.format(keys=_design_keys()))
def build(ctx: typer.Context, design: Path, output: OutputOption = None, check_only: CheckOnly = False) -> None:
    """Build a design folder."""

    def run() -> int:
        quiet_tensorflow()
        if check_only:
            from fpgaq.check import check_design

            return check_design(design, console())
        from fpgaq.build import build_design
        from fpgaq.progress import Progress

        with Progress(console()) as progress:
            report, target = build_design(design, output, progress)
        return _finish(report, target)

    guarded(ctx, run)


@app.command()
def convert(
    ctx: typer.Context,
    model: Path,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
    weights: WeightsFile = None,
    input_precision: InputPrecision = "fixed<16,6>",
    inputs: Annotated[Optional[Path], typer.Option(help=".npy or .npz file with real inputs.")] = None,  # noqa: UP045
    labels: Annotated[Optional[Path], typer.Option(help=".npy file with their class labels.")] = None,  # noqa: UP045
    samples: Annotated[int, typer.Option(help="Samples of every gate.")] = 1000,
    io_type: Annotated[str, typer.Option(help="C++ on arrays (io_parallel) or pixels (io_stream).")] = "io_parallel",
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
    synth: Annotated[bool, typer.Option(help="Count resources with yosys, or end with the gates.")] = True,
    flat_limit: Annotated[float, typer.Option(help="Seconds after which flat synthesis is given up.")] = 300.0,
    seed: Annotated[int, typer.Option(help="Seed of random inputs and stalls.")] = 0,
    jobs: Annotated[int, typer.Option(help="Parallel tool runs.")] = 2,
    quantize: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="METHOD", help="Quantize the float model first; methods as in fpgaq quantize."),
    ] = None,
    calibration: Annotated[Optional[Path], typer.Option(help=".npy file with inputs for --quantize.")] = None,  # noqa: UP045
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
    check_only: CheckOnly = False,
) -> None:
    """Build a .keras, .h5 or .json model file without a design folder."""
    given = dict(locals())

    def run() -> int:
        options = options_of(given)
        quiet_tensorflow()
        how = _quantization(given)
        if check_only:
            from fpgaq.check import check_loaded

            return check_loaded(_loaded(given, how), output.name, options, console())
        from fpgaq.build import build_model
        from fpgaq.progress import Progress

        with Progress(console()) as progress:
            with progress.phase("load", "loading the model"):
                loaded = _loaded(given, how)
            report = build_model(loaded, output.name, options, output, progress)
        if quantize is not None:
            from fpgaq.quantize.model_files import save

            save(loaded, output / "quantized.keras")
        return _finish(report, output)

    guarded(ctx, run)


def _quantization(given: dict[str, Any]) -> tuple[Settings, Policy | None] | None:
    """Return how ``fpgaq convert`` quantizes the model first, None where it does not."""
    if given["quantize"] is None:
        defaults = {"scales": "layer", "reconstruct": "layer"}
        names = ("calibration", "bits", "layer_bits", "policy", "budget", "format", "bit_price", "ranges", *defaults)
        for name in names:
            if given[name] != defaults.get(name):
                raise ConfigError(f"--{name.replace('_', '-')} belongs to --quantize METHOD; give both, or none")
        return None
    if given["calibration"] is None:
        raise ConfigError("--quantize needs inputs of the network: give --calibration FILE.npy")
    from fpgaq.quantize.ptq.command import settings_of

    return settings_of(given, given["quantize"])


def _loaded(given: dict[str, Any], how: tuple[Settings, Policy | None] | None) -> Any:
    from fpgaq.frontend.load import load_model

    model = load_model(given["model"], given["weights"])
    if how is None:
        return model
    from fpgaq.quantize.ptq.command import quantize_loaded

    return quantize_loaded(model, given["calibration"], *how, console())


def _finish(report: dict[str, Any], folder: Path) -> int:
    from fpgaq.report.text import print_report
    from fpgaq.steps import explain_failures

    print_report(report, console(stderr=False), str(folder))
    if report["passed"]:
        return 0
    explain_failures(report, folder)
    return EXIT_GATE
