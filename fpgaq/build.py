"""A whole build: sources, gates, synthesis, report; complete or not there at all."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from fpgaq import cache, processes
from fpgaq.accuracy import accuracy_of, load_labels, share_of_right
from fpgaq.bundles import Bundle, bundled, rows, samples
from fpgaq.config import DesignConfig, Options, load_design
from fpgaq.conversion import lower
from fpgaq.cosim import SimulationResult
from fpgaq.design import Design
from fpgaq.errors import ConfigError, ModelError
from fpgaq.gates import Gate
from fpgaq.ir.graph import Graph
from fpgaq.progress import Progress
from fpgaq.report.content import Report, make_report, save_report
from fpgaq.stimuli import input_codes, load_array, random_codes, real_codes, save_codes
from fpgaq.synth import Synthesis
from fpgaq.verilator import prepare_runtime
from fpgaq.workspace import building


def build_design(folder: Path, output: Path | None, progress: Progress) -> tuple[Report, Path]:
    """Build a design folder: train if the model is missing, then everything.

    Returns
    -------
    report, output folder

    Raises
    ------
    FpgaqError
        If anything but a gate fails.
    """
    from fpgaq.frontend.load import load_model

    config = load_design(folder)
    name = config.name or folder.resolve().name
    with processes.worker_threads(1) as pool:
        # TensorFlow keeps one processor busy until the model is there: this is for the other one.
        runtime = pool.submit(prepare_runtime)
        _train(config, folder, progress)
        with progress.phase("load", "loading the model"):
            model = load_model(config.model)
        runtime.result()
    target = output or Path("build") / name
    return build_model(model, name, config.options, target, progress), target


def build_model(model: Any, name: str, options: Options, output: Path, progress: Progress) -> Report:
    """Build a loaded model into a folder; the report says whether the gates passed."""
    with building(output) as partial:
        with progress.phase("lower", "deriving exact types and the integer graph"):
            design = lower(model, name, options, partial)
        codes, labels, source = gate_inputs(design)
        design.write_software()
        save_codes(design.graph, codes, partial / "inputs")
        report = _run(design, codes, labels, source, progress)
        save_failing_inputs(design.graph, report, codes, partial)
        save_report(report, partial)
        _drop_intermediates(partial)
    return report


def gate_inputs(design: Design) -> tuple[Bundle, np.ndarray | None, str]:
    """Return input codes for the gates, their labels if there are any, and what they are in words."""
    options = design.options
    if options.inputs is None:
        if options.labels is not None:
            raise ConfigError("labels need inputs: give both, or none")
        text = f"{options.samples} random vectors over the input range, seed {options.seed}"
        return random_codes(design.graph, options.samples, options.seed), None, text
    codes = real_codes(design.graph, load_array(options.inputs), str(options.inputs))
    count = samples(codes)
    labels = None if options.labels is None else load_labels(options.labels, design.graph, count)
    missing = options.samples - count
    text = f"{count} vectors of {options.inputs.name}"
    if missing > 0:
        more = input_codes(design.graph, random_codes(design.graph, missing, options.seed))
        given = input_codes(design.graph, codes)
        codes = bundled([np.concatenate(pair) for pair in zip(given, more, strict=True)])
        text += f" and {missing} random vectors, seed {options.seed}"
    return codes, labels, text


def _run(design: Design, codes: Bundle, labels: np.ndarray | None, source: str, progress: Progress) -> Report:
    with processes.worker_threads(3) as pool:
        software: Future[Gate] = pool.submit(_csim, design, codes, progress)
        with progress.phase("write", "writing SystemVerilog"):
            design.write_hardware()
        hardware: Future[tuple[Gate, SimulationResult]] = pool.submit(_simulate, design, codes, progress)
        synthesis: Future[Synthesis | None] = pool.submit(_synthesize, design, progress)
        with progress.phase("keras", "gate: frozen Keras model = golden model"):
            keras = design.keras_gate(codes)
            accuracy, distance = quality(design, codes, labels)
        csim = software.result()
        rtl, simulation = hardware.result()
        found = synthesis.result()
    found_codes = design.computed(simulation)[0]
    if accuracy is not None and labels is not None and len(found_codes) == samples(codes):  # none lost, none surplus
        accuracy["hardware"] = accuracy_of(design, found_codes, labels)
    assert design.origin is not None
    return make_report(
        design,
        [keras, csim, rtl],
        simulation,
        found,
        accuracy=accuracy,
        distance=distance,
        decisions=design.origin.derivation.decisions,
        seconds=dict(progress.seconds),
        inputs=source,
    )


def _synthesize(design: Design, progress: Progress) -> Synthesis | None:
    if not design.options.synth:
        return None
    with progress.phase("synth", f"synthesis with yosys ({design.options.family})"):
        return design.synth(cache=cache.folder("synth"))


def _csim(design: Design, codes: Bundle, progress: Progress) -> Gate:
    with progress.phase("csim", "gate: HLS C++ (g++) = golden model"):
        design.csim_library.build()
        return design.csim_gate(codes)


def _simulate(design: Design, codes: Bundle, progress: Progress) -> tuple[Gate, SimulationResult]:
    with progress.phase("rtl", "gate: SystemVerilog (Verilator) = golden model"):
        return design.rtl_gate(codes)


def quality(
    design: Design, codes: Bundle, labels: np.ndarray | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return accuracy of the original and the frozen model, and the distance between them."""
    from fpgaq.frontend.frozen import original_outputs

    assert design.origin is not None
    originals = _listed(original_outputs(design.origin.model, codes, design.graph))
    frozen = _listed(design.golden(codes, raw=True))
    values = _listed(design.values(bundled(frozen)))
    accuracy: dict[str, Any] | None = None
    if labels is not None:
        accuracy = {"samples": len(labels)}
        accuracy |= {
            "original": share_of_right(originals[0], labels),
            "frozen": accuracy_of(design, values[0], labels),
        }
    ends = [_ends_in_softmax(tensor) for tensor in design.origin.model.outputs]
    return accuracy, _worst(
        [_output_distance(design.options.head, *each) for each in zip(originals, values, ends, strict=True)]
    )


def _listed(values: Bundle) -> list[np.ndarray]:
    return values if isinstance(values, list) else [values]


def _output_distance(head: str, original: np.ndarray, frozen: np.ndarray, ends_in_softmax: bool) -> dict[str, Any]:
    if original.shape[1] == 1 and frozen.shape[1] == 1:
        return _distance(original, frozen, "outputs")
    if head == "argmax":
        same = float(np.mean(np.argmax(original, axis=1) == frozen[:, 0]))
        return {
            "of": "class index",
            "max_abs": float(np.abs(np.argmax(original, 1) - frozen[:, 0]).max()),
            "argmax_agreement": same,
        }
    if head == "softmax":
        probabilities = original if ends_in_softmax else _softmax(original)
        return _distance(probabilities, frozen, "probabilities")
    if ends_in_softmax:
        return _distance(original, _softmax(frozen), "probabilities")
    return _distance(original, frozen, "outputs")


def _worst(distances: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the largest distance of all outputs."""
    kinds = {d["of"] for d in distances}
    agreements = [d["argmax_agreement"] for d in distances if d["argmax_agreement"] is not None]
    return {
        "of": kinds.pop() if len(kinds) == 1 else "outputs",
        "max_abs": max(d["max_abs"] for d in distances),
        "argmax_agreement": min(agreements, default=None),
    }


def _ends_in_softmax(tensor: Any) -> bool:
    last = tensor._keras_history[0]
    return type(last).__name__ == "Softmax" or getattr(getattr(last, "activation", None), "__name__", "") == "softmax"


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _distance(original: np.ndarray, frozen: np.ndarray, what: str) -> dict[str, Any]:
    agreement = float(np.mean(original.argmax(1) == frozen.argmax(1))) if original.shape[1] > 1 else None
    return {"of": what, "max_abs": float(np.abs(original - frozen).max()), "argmax_agreement": agreement}


def save_failing_inputs(graph: Graph, report: Report, codes: Bundle, folder: Path) -> None:
    """Save the input of every failed gate; `fpgaq sim DIR --codes FILE` repeats it.

    A wrong value needs its vector only, a violation of the protocol the stream that led to it.
    """
    for name, gate in report["gates"].items():
        first = gate["first_mismatch"]
        if first is not None:
            sample = first["sample"]
            chosen = codes if first["note"] else rows(codes, sample, sample + 1)
            save_codes(graph, chosen, folder / f"mismatch_{name}")


def _drop_intermediates(folder: Path) -> None:
    """Remove what only the compilation needed."""
    for pattern in ("sim/*.gch", "sim/*.o", "sim/*.cpp", "sim/*.h", "sim/*.a", "sim/*.d", "sim/*.dat", "sim/*.mk"):
        for path in folder.glob(pattern):
            path.unlink()


def _train(config: DesignConfig, folder: Path, progress: Progress) -> None:
    """Run the training script where the model file is missing."""
    if config.model.is_file():
        return
    if not config.train.is_file():
        raise ConfigError(f"{config.model} is missing, and so is {config.train} that would make it")
    script = config.train.resolve()
    with progress.phase("train", f"training ({config.train})"), _inside(folder):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as stop:
            if stop.code not in (None, 0):
                raise ModelError(f"{config.train} ended with {stop.code}") from None
    if not config.model.is_file():
        raise ModelError(f"{config.train} did not write {config.model}")


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before, path = Path.cwd(), list(sys.path)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
