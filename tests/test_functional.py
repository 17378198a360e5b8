"""Keras models with branches, several inputs and several outputs: every gate, the Python interface, whole builds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hls4ml
import jsonschema
import keras
import numpy as np
import pytest
from functional_models import MODELS, exposed_trunk, two_classifiers, two_heads, two_inputs
from keras_models import dense, lowered, stimuli
from typer.testing import CliRunner, Result

import fpgaq.report.content as content
from fpgaq.cli import app
from fpgaq.design import Design
from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.frozen import original_outputs
from fpgaq.gates import GATES

SAMPLES = 120


def written(model: Any, folder: Path, **options: Any) -> Design:
    design = lowered(model, "net", folder=folder, **options)
    design.write()
    return design


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("two_heads", {}, marks=pytest.mark.extended),
        pytest.param("two_heads", {"layers": {"deep1": {"reuse_factor": 14}}}, marks=pytest.mark.extended),
        ("two_inputs", {"layers": {"hidden": {"reuse_factor": 3}}}),
        pytest.param("exposed_trunk", {}, marks=pytest.mark.extended),
        pytest.param("two_classifiers", {}, marks=pytest.mark.extended),
        pytest.param("two_classifiers", {"head": "argmax"}, marks=pytest.mark.extended),
        pytest.param("two_classifiers", {"head": "softmax"}, marks=pytest.mark.extended),
    ],
)
def test_every_gate_passes(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    design = written(MODELS[name](), tmp_path, **options)
    design.csim_library.build()
    x = stimuli(design, SAMPLES)
    gates = design.check(x, raw=True)
    assert [(gate.name, gate.samples, gate.mismatches) for gate in gates] == [(g, SAMPLES, 0) for g in GATES]
    assert len(design.golden(x, raw=True)) == 2
    if "layers" in options:  # what is beside the folded layer, but not connected to it, keeps its own pace
        paces = [design.hardware.flow.ii[end.stream] for end in design.hardware.outputs]
        assert paces == ([14, 14] if name == "two_heads" else [1, 3])


def test_order_and_names_of_inputs(tmp_path: Path) -> None:
    """A list in the model's order, or a dict by names; everything else is refused."""
    design = lowered(two_inputs())
    assert [node.name for node in design.graph.inputs] == ["tracks", "cells"]
    assert design.graph.outputs == ("of_cells", "of_tracks")
    rng = np.random.default_rng(0)
    tracks, cells = rng.uniform(-2, 2, (9, 3)), rng.uniform(-2, 2, (9, 2, 2))
    outputs = design.golden([tracks, cells])
    assert [y.shape for y in outputs] == [(9, 4), (9, 2)]
    named = design.golden({"cells": cells, "tracks": tracks})
    assert all(np.array_equal(a, b) for a, b in zip(outputs, named, strict=True))
    for wrong, message in (
        (tracks, r"the model has 2 inputs \(tracks, cells\), not one array; give a list or a dict"),
        ([tracks], r"not 1 of them"),
        ({"tracks": tracks, "other": cells}, "arrays for tracks, other; the model has the inputs tracks, cells"),
        ([tracks, cells[:5]], "the inputs have 5 and 9 samples; give as many each"),
        ([cells, tracks], "input 'tracks': shape"),
    ):
        with pytest.raises(ConfigError, match=message):
            design.golden(wrong)


def test_one_output_is_an_array_as_ever() -> None:
    design = lowered(two_heads())
    x = stimuli(design, 7)
    assert isinstance(x, np.ndarray)
    assert isinstance(design.golden(x, raw=True), list)
    assert isinstance(original_outputs(design.origin.model, x, design.graph), list)  # type: ignore[union-attr]


def test_a_head_behind_a_layer_that_goes_on_is_refused() -> None:
    with pytest.raises(ModelError, match=r"layer 'hidden': its result is an output and goes on to 'head'.*head logits"):
        lowered(exposed_trunk(), head="argmax")


def test_every_output_gets_the_head_that_was_asked_for() -> None:
    design = lowered(two_heads(), head="argmax")
    assert design.graph.outputs == ("shallow_argmax", "deep2_argmax")
    assert [design.graph.nodes[o].op for o in design.graph.outputs] == ["argmax", "argmax"]
    assert design.keras_gate(stimuli(design)).passed


def test_a_wrong_output_fails_the_first_gate() -> None:
    """One bias of the second head changes in Keras after the conversion."""
    model = two_classifiers()
    design = lowered(model)
    x = stimuli(design)
    assert design.keras_gate(x).passed
    parameters = design.origin.derivation.parameters["logits"]  # type: ignore[union-attr]
    parameters["bias"].codes.setflags(write=True)
    parameters["bias"].codes[1] += 1
    gate = (
        design.keras_gate(x)
        if "frozen" not in vars(design)
        else Design(design.graph, design.options, design.folder, design.origin).keras_gate(x)
    )
    assert gate.first_mismatch is not None
    assert (gate.first_mismatch.layer, gate.first_mismatch.index) == ("logits", 1)
    assert gate.mismatches == len(x)


def test_a_tensor_is_one_port() -> None:
    x = keras.Input((3,), name="x")
    y = dense(2, name="fc")(x)
    with pytest.raises(ModelError, match="layer 'fc': its result is two outputs of the model; keep one"):
        lowered(keras.Model(x, [y, y]))
    with pytest.raises(ModelError, match="layer 'x': its result is an input and an output of the model"):
        lowered(keras.Model(x, [y, x]))
    image = keras.Input((2, 3), name="image")
    flat = keras.layers.Flatten(name="flat")(image)
    with pytest.raises(ModelError, match="layer 'flat': its result is an input and an output of the model"):
        lowered(keras.Model(image, [dense(2, name="fc")(flat), flat]))


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.mark.slow
def test_a_whole_build_of_two_inputs_and_two_outputs(tmp_path: Path) -> None:
    two_inputs().save(tmp_path / "m.keras")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", cells=rng.uniform(-2, 2, (40, 2, 2)), tracks=rng.uniform(-2, 2, (40, 3)))
    options = ["--input-precision", "fixed<5,3>", "--samples", 100, "--inputs", tmp_path / "x.npz"]
    output = tmp_path / "net"
    result = call("convert", tmp_path / "m.keras", "-o", output, *options)
    assert result.exit_code == 0, result.output
    report = json.loads((output / "report.json").read_text())
    jsonschema.validate(report, json.loads((Path(content.__file__).parent / "schema.json").read_text()))
    assert {gate["samples"] for gate in report["gates"].values()} == {100}
    rows = report["timing"]["outputs"]
    assert [(row["name"], row["port"]) for row in rows] == [
        ("of_cells", "m_axis_of_cells"),
        ("of_tracks", "m_axis_of_tracks"),
    ]
    assert all(row["latency_cycles"] == row["predicted_latency_cycles"] for row in rows)
    assert report["resources"]["total"]["lut"] > 0
    with np.load(output / "inputs.npz") as saved:
        assert {name: values.shape for name, values in saved.items()} == {"tracks": (100, 3), "cells": (100, 2, 2)}
    for more in (["--codes", output / "inputs.npz"], ["--inputs", tmp_path / "x.npz"], ["--samples", 30]):
        assert call("sim", output, *more).exit_code == 0
    refused = call("sim", output, "--inputs", tmp_path / "m.keras")
    assert refused.exit_code == 2


def test_labels_belong_to_one_output(tmp_path: Path) -> None:
    two_heads().save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", np.zeros((4, 6)))
    np.save(tmp_path / "y.npy", np.zeros(4, int))
    data = ["--inputs", tmp_path / "x.npy", "--labels", tmp_path / "y.npy", "--check-only"]
    result = call("convert", tmp_path / "m.keras", "-o", tmp_path / "net", *data)
    assert result.exit_code == 2
    assert "labels belong to one output, the model has several" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_the_plugin_of_hls4ml(tmp_path: Path) -> None:
    model = two_inputs()
    config = {"Model": {"Precision": {"default": "fixed<6,3>"}, "ReuseFactor": 1}}
    graph = hls4ml.converters.convert_from_keras_model(
        model, backend="fpgaq", hls_config=config, output_dir=str(tmp_path / "net"), project_name="net"
    )
    graph.compile()
    rng = np.random.default_rng(1)
    x = [rng.uniform(-3, 3, (20, 3)).astype(np.float32), rng.uniform(-3, 3, (20, 2, 2)).astype(np.float32)]
    software, hardware = graph.predict(x), graph.predict(x, sim="rtl")
    assert [y.shape for y in hardware] == [(20, 4), (20, 2)]
    for a, b in zip(software, hardware, strict=True):
        assert np.array_equal(a, b)
