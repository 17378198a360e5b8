"""One method on one network: trained or rounded, lowered, measured as integers, and built where that is asked for."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.methods.networks import NETWORKS, Data, Network, float_model
from benchmarks.methods.points import BASELINE, CHANNEL, GATED, Point
from fpgaq.errors import FpgaqError

#: What is found out: of every point, and of those that are built.
FIGURES = ("accuracy", "zeros", "closed", "lut", "ff", "dsp", "bram18", "latency", "ii", "seconds")


def evaluate(built: int, point: Point) -> dict[str, str]:
    """Return the row of a point; of seeds below `built` with what yosys counts of its hardware."""
    started = time.perf_counter()
    try:
        found = _figures(point, hardware=point.seed < built)
    except FpgaqError as problem:
        found = {"error": str(problem)}
    return {**point.to_row(), **found, "seconds": f"{time.perf_counter() - started:.1f}"}


def _figures(point: Point, *, hardware: bool) -> dict[str, str]:
    network = NETWORKS[point.network]
    data = network.load(point.seed)
    original = float_model(point.network, point.seed)
    if point.method == "float":
        scores = original.predict(data.x_test, verbose=0)
        return {"accuracy": f"{np.mean(scores.argmax(1) == data.y_test):.4f}"}
    model = _quantized(point, network, data, original)
    with tempfile.TemporaryDirectory() as folder:
        return _measured(model, network, data, Path(folder), hardware=hardware)


def _quantized(point: Point, network: Network, data: Data, original: Any) -> Any:
    if point.method.startswith("ptq-"):
        from fpgaq.quantize.ptq.post_training import quantized
        from fpgaq.quantize.ptq.settings import Settings as Rounding

        method = point.method.removeprefix("ptq-")
        rounding = Rounding(
            method=method.removesuffix(CHANNEL),
            bits=point.bits,
            layer_bits={},
            activations=point.activations,
            seed=point.seed,
            scales="channel" if method.endswith(CHANNEL) else "layer",
        )
        return quantized(original, data.x, rounding)
    from fpgaq.quantize.training.trainer import Settings, train

    gate = point.activations // 2 if point.method == GATED else None
    name = BASELINE if gate else point.method
    method, _, activation_method = name.partition(f"{BASELINE}-")
    trained = train(
        original,
        data.x,
        data.y,
        Settings(
            method=method or BASELINE,
            bits=point.bits,
            activation_method=activation_method or "pact",
            activations=point.activations,
            epochs=network.tuning,
            batch=network.batch,
            rate=network.rate / 2,
            gate=gate,
            seed=point.seed,
        ),
    )
    if trained.diverged:
        raise FpgaqError(trained.diverged)
    return trained.model


def _measured(model: Any, network: Network, data: Data, folder: Path, *, hardware: bool) -> dict[str, str]:
    import fpgaq
    from fpgaq.config import make_options
    from fpgaq.conversion import lower
    from fpgaq.ir.activity import open_gates
    from fpgaq.ir.ops import GatedMatMul, MatMul
    from fpgaq.stimuli import real_codes
    from fpgaq.synth import synthesize

    options = make_options({"input_precision": network.input_precision})
    design = lower(fpgaq.freeze(model), "network", options, folder)
    codes = real_codes(design.graph, data.x_test, "test data")
    scores = np.asarray(design.golden(codes, raw=True)).reshape(len(data.x_test), -1)
    weights = np.concatenate(
        [n.weight.ravel() for n in design.graph.nodes.values() if isinstance(n, (MatMul, GatedMatMul))]
    )
    found = {"accuracy": f"{np.mean(scores.argmax(1) == data.y_test):.4f}", "zeros": f"{np.mean(weights == 0):.4f}"}
    masks = [mask.ravel() for mask in open_gates(design.graph, [codes]).values()]
    if masks:
        found["closed"] = f"{1 - np.mean(np.concatenate(masks)):.4f}"
    if hardware:
        design.write_hardware()
        total = synthesize(design.sources, design.name, [], family=options.family, work=folder / "synth", jobs=1).total
        found |= {name: str(getattr(total, name)) for name in ("lut", "ff", "dsp", "bram18")}
        found |= {"latency": str(design.hardware.latency), "ii": str(design.hardware.ii)}
    return found
