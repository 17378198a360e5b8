"""The report: real ones fit the schema, every key of the schema is described, damaged files are refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import keras
import numpy as np
import pytest
from keras_models import bits, dense, lowered, sequential, stimuli
from qkeras import QActivation

import fpgaq.report.content as content
from fpgaq.build import quality, save_failing_inputs
from fpgaq.config import DesignConfig, Options
from fpgaq.design import Design
from fpgaq.errors import ConfigError
from fpgaq.gates import GATES, Gate, Mismatch
from fpgaq.ir import activity
from fpgaq.quantize.layers import GatedDense
from fpgaq.report import SCHEMA_VERSION, load_report, save_report
from fpgaq.report.content import make_report

SCHEMA = json.loads((Path(content.__file__).parent / "schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture(scope="module")
def design() -> Design:
    model = sequential(
        dense(5, name="fc1"),
        QActivation("quantized_relu(4)", name="act"),
        keras.layers.Dense(4, name="fc2"),
        keras.layers.BatchNormalization(name="bn"),
        dense(3, bits(4, alpha="auto"), name="fc3"),
    )
    return lowered(model, weight_precision=6, activation_precision=8, layers={"fc1": {"reuse_factor": 1}})


@pytest.fixture(scope="module")
def report(design: Design) -> dict[str, Any]:
    """A report without simulation and synthesis, as after an interrupted tool."""
    x = stimuli(design)
    assert design.origin is not None
    accuracy, distance = quality(design, x, np.zeros(len(x), int))
    gates = [
        design.keras_gate(x),
        Gate("csim_vs_golden", 9, 0),
        Gate("rtl_vs_golden", 9, 2, Mismatch("fc1", 3, 1, 5, 6)),
    ]
    return make_report(
        design,
        gates,
        None,
        None,
        accuracy=accuracy,
        distance=distance,
        decisions=design.origin.derivation.decisions,
        seconds={"keras": 0.5},
        inputs="300 random vectors",
    )


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == SCHEMA_VERSION


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_every_key_is_described_and_no_other_is_allowed() -> None:
    found = list(objects(SCHEMA))
    assert len(found) > 10
    for schema in found:
        assert schema["additionalProperties"] is False
        for key, value in schema["properties"].items():
            assert value.get("description", "").endswith("."), key


def test_the_schema_knows_every_option_and_gate() -> None:
    assert (
        set(SCHEMA["properties"]["options"]["properties"]) == set(Options.model_fields) < set(DesignConfig.model_fields)
    )
    assert tuple(SCHEMA["properties"]["gates"]["properties"]) == GATES


def test_a_real_report_fits_the_schema(report: dict[str, Any]) -> None:
    VALIDATOR.validate(json.loads(json.dumps(report)))
    assert report["passed"] is False
    assert report["gates"]["keras_vs_golden"]["passed"]
    assert [layer["name"] for layer in report["layers"]]
    assert {row["layer"] for row in report["freeze"]} >= {"fc2", "bn"}


def test_gated_layers_report_their_activity() -> None:
    layers = (GatedDense(5, name="g1"), keras.layers.ReLU(name="r"), GatedDense(4, name="g2"), dense(3, name="fc"))
    model = sequential(*layers)
    for name in ("g1", "g2"):
        model.get_layer(name).alpha.assign(3.0)
    design = lowered(model, input_precision="ufixed<6,2>")
    x = stimuli(design)
    gate = design.keras_gate(x)
    found = make_report(
        design, [gate], None, None, accuracy=None, distance=None, decisions=[], seconds={}, inputs="some"
    )["layers"]
    masks = activity.open_gates(design.graph, [x])
    for row in found:
        if row["name"] in masks:
            updates = masks[row["name"]].sum(axis=1)
            assert row["activity"] == {
                "gates": masks[row["name"]].shape[1],
                "share_updated": pytest.approx(masks[row["name"]].mean()),
                "mean_updates": updates.mean(),
                "min_updates": updates.min(),
                "max_updates": updates.max(),
            }
            assert row["weights"] == {"g1": design.graph.inputs[0].shape[0] * 5, "g2": 5 * 4}[row["name"]]
            assert row["weight_bits"] == 8
        else:
            assert row["activity"] is None
    assert {row["name"] for row in found} > {"g1", "g2", "fc"}
    jsonschema.Draft202012Validator(SCHEMA["properties"]["layers"]).validate(json.loads(json.dumps(found)))


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for k, inner in enumerate(value[:1]):
            yield from paths_of(inner, (*path, k))


def test_the_schema_refuses_every_missing_and_every_unknown_key(report: dict[str, Any]) -> None:
    free = ("seconds", "versions")
    for path in paths_of(json.loads(json.dumps(report))):
        if (path[0] in free and len(path) > 1) or (path[:2] == ("options", "layers") and len(path) == 3):
            continue
        for change in ("missing", "unknown"):
            broken = json.loads(json.dumps(report))
            inner = broken
            for key in path[:-1]:
                inner = inner[key]
            if change == "missing":
                if path == ("accuracy", "hardware"):
                    continue
                del inner[path[-1]]
            else:
                inner[f"{path[-1]}_"] = 1
            assert not VALIDATOR.is_valid(broken), (change, path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), "1st"),
        (("passed",), "yes"),
        (("schema",), 1),
        (("gates", "csim_vs_golden", "mismatches"), -1),
        (("gates", "rtl_vs_golden", "first_mismatch", "got"), 0.5),
        (("accuracy", "frozen"), 1.5),
        (("timing", "predicted_ii_cycles"), 0),
        (("tensors", 0, "type"), "float"),
        (("tensors", 0, "bounds"), [1]),
        (("options", "head"), "sigmoid"),
    ],
)
def test_the_schema_refuses_wrong_values(report: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    broken = copy.deepcopy(json.loads(json.dumps(report)))
    inner = broken
    for key in path[:-1]:
        inner = inner[key]
    assert inner[path[-1]] != value
    inner[path[-1]] = value
    assert not VALIDATOR.is_valid(broken)


def test_saved_reports_read_back(report: dict[str, Any], tmp_path: Path) -> None:
    save_report(report, tmp_path)
    assert load_report(tmp_path) == json.loads(json.dumps(report))
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "holds no report"),
        (b"{", "holds no report"),
        (b"\xff\xfe\x00", "holds no report"),
        (b"[]", "is not a report"),
        (b"3", "is not a report"),
        (b"{}", "report schema None, this version reads 3; build the design again"),
        (b'{"schema": 1}', "report schema 1, this version reads 3"),
    ],
)
def test_damaged_reports_are_refused(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "report.json").write_bytes(text)
    with pytest.raises(ConfigError, match=message):
        load_report(tmp_path)


def test_a_missing_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no report .*; build the design first"):
        load_report(tmp_path)


def test_the_failing_input_is_saved(report: dict[str, Any], design: Design, tmp_path: Path) -> None:
    x = stimuli(design)
    save_failing_inputs(design.graph, report, x, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mismatch_rtl_vs_golden.npy"]
    assert np.array_equal(np.load(tmp_path / "mismatch_rtl_vs_golden.npy"), x[3:4])
