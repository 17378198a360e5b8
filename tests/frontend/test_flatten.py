"""Nested models, wrappers and idle layers are written out; the result computes the same, the model is left alone."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import dense, lowered, sequential, stimuli, with_random_weights
from spatial_models import act

import fpgaq
from fpgaq.errors import ModelError
from fpgaq.frontend.flatten import flattened
from fpgaq.frontend.load import load_model
from fpgaq.ir.ops import MatMul

L = keras.layers


def in_sequence() -> Any:
    """Two models of equal names inside, one of them with a third one inside."""
    innermost = keras.Sequential([keras.Input((4,)), L.Identity(name="nothing"), dense(3, name="fc")], name="innermost")
    inner = keras.Sequential([keras.Input((5,)), dense(4, name="fc"), act(), innermost], name="inner")
    return sequential(dense(5, name="fc"), inner, L.GaussianNoise(1.0, name="noise"), dense(2, name="last"))


def in_graph() -> Any:
    """A model of two inputs and two outputs in a graph; what surrounds it crosses over."""
    p, q = keras.Input((3,), name="p"), keras.Input((3,), name="q")
    inner = keras.Model([p, q], [L.Add(name="sum")([dense(3, name="left")(p), q]), p], name="inner")
    x = keras.Input((3,), name="x")
    first, second = inner([x, dense(3, name="before")(x)])
    return with_random_weights(keras.Model(x, [dense(2, name="after")(second), first]))


def over_steps() -> Any:
    layers = [L.TimeDistributed(dense(3), name="each"), act(), L.SpatialDropout1D(0.5), L.TimeDistributed(L.Dense(2))]
    return sequential(*layers, inputs=(4, 2))


MODELS = {
    "in_sequence": (in_sequence, ["fc", "inner_fc", "innermost_fc", "last"]),
    "in_graph": (in_graph, ["after", "before", "left"]),
    "over_steps": (over_steps, ["each", "time_distributed"]),
}


@pytest.mark.parametrize("name", MODELS)
def test_golden_is_what_keras_computes(name: str, tmp_path: Path) -> None:
    make, matrices = MODELS[name]
    model = make()
    before = [len(layer._inbound_nodes) for layer in model.layers]
    flat = flattened(model)
    x = np.random.default_rng(0).uniform(-3, 3, (20, *model.inputs[0].shape[1:])).astype(np.float32)
    for ours, theirs in zip(keras.tree.flatten(flat(x)), keras.tree.flatten(model(x)), strict=True):
        assert np.array_equal(ours, theirs)
    assert [len(layer._inbound_nodes) for layer in model.layers] == before
    assert flattened(flat) is flat

    model.save(tmp_path / "m.keras")
    design = lowered(load_model(tmp_path / "m.keras"))
    design.keras_gate(stimuli(design, 100)).require()
    found = {node.layer for node in design.graph.nodes.values() if isinstance(node, MatMul)}
    assert {name.rstrip("_0123456789") for name in found} == set(matrices)


def test_every_execution_is_equal(tmp_path: Path) -> None:
    """A model in a model: matrices on the steps of a series, one of them folded, and a pool that stays a series."""
    inner = keras.Sequential(
        [keras.Input((5, 3)), act(), L.GlobalAveragePooling1D(keepdims=True, name="pool"), dense(4, name="wide")],
        name="inner",
    )
    model = sequential(
        L.Rescaling(0.5, offset=0.25), L.TimeDistributed(dense(3, name="fc"), name="steps"), inner, inputs=(5, 2)
    )
    options = {"input_precision": "fixed<5,2>", "layers": {"steps": {"reuse_factor": 2}}}
    design = fpgaq.convert(model, output=tmp_path / "net", **options)
    gates = design.check(stimuli(design, 150), raw=True)
    assert [(gate.samples, gate.mismatches) for gate in gates] == [(150, 0)] * 3


def used_twice() -> Any:
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4)], name="odd")
    x = keras.Input((4,))
    return keras.Model(x, inner(inner(x)))


def by_name() -> Any:
    p, q = keras.Input((4,), name="p"), keras.Input((4,), name="q")
    inner = keras.Model({"p": p, "q": q}, L.Subtract()([p, q]), name="odd")
    x = keras.Input((4,))
    return keras.Model(x, inner({"p": x, "q": L.Dense(4)(x)}))


class GaussianNoise(L.Layer):
    """A custom layer that shares no more than its name with one that does nothing."""

    def call(self, x: Any) -> Any:
        return -x


REFUSED = {
    "another noise": (
        lambda: sequential(GaussianNoise(name="odd"), L.GaussianNoise(1.0), L.Dense(2)),
        "layer 'odd': GaussianNoise layers are not supported",
    ),
    "used twice": (used_twice, "layer 'odd' is used more than once; give every use a layer of its own"),
    "inputs by name": (by_name, "layer 'odd': a nested model that reads its inputs by name; give it a list"),
    "wrapper": (
        lambda: sequential(L.TimeDistributed(L.Conv1D(2, 2), name="odd"), inputs=(3, 4, 2)),
        "layer 'odd': TimeDistributed around Conv1D is not supported, only around Dense and QDense; use a layer",
    ),
    "what is inside": (
        lambda: sequential(keras.Sequential([keras.Input((6,)), L.LayerNormalization(name="odd")])),
        "layer 'odd': LayerNormalization layers are not supported",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_layer_and_way_out(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(ModelError, match=message):
        lowered(make())


@pytest.mark.parametrize("kind", ["Lambda", "Conv3D"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_files_are_checked_inside_before_anything_is_built(kind: str, wrapped: bool, tmp_path: Path) -> None:
    (over_steps if wrapped else in_sequence)().save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as source, zipfile.ZipFile(tmp_path / "m.keras", "w") as out:
        for item in source.namelist():
            data = source.read(item)
            if item == "config.json":
                config = json.loads(data)
                outer = config["config"]["layers"][1 if wrapped else 2]["config"]
                inner = outer["layer"] if wrapped else outer["layers"][1]
                inner["class_name"], inner["config"]["name"] = kind, "odd"
                data = json.dumps(config).encode()
            out.writestr(item, data)
    with pytest.raises(ModelError, match=f"layer 'odd': {kind} layers are not supported"):
        load_model(tmp_path / "m.keras")
