"""The list of systems: each way of each row is typed, and what comes out is equal in Keras, golden model and RTL."""

from __future__ import annotations

import functools
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from batches import Batch, check
from keras_models import bits, dense, lowered, sequential
from qkeras import QActivation
from typer.testing import CliRunner

from fpgaq.build import quality
from fpgaq.cli import app
from fpgaq.design import Design
from fpgaq.explore.policies import POLICIES
from fpgaq.explore.searches import SEARCHES
from fpgaq.explore.solvers import SOLVERS
from fpgaq.frontend.load import load_model
from fpgaq.quantize.layers import GatedDense
from fpgaq.quantize.literature import SYSTEMS, Way
from fpgaq.quantize.ptq.fits import FITS
from fpgaq.quantize.ptq.registry import METHODS
from fpgaq.quantize.quantizers import ThresholdLevels
from fpgaq.quantize.ranges import RANGES
from fpgaq.quantize.training.registry import ACTIVATIONS, WEIGHTS

# One worker has them all: the last test wants what the others made.
pytestmark = pytest.mark.xdist_group("literature")

PRECISION = "fixed<6,3>"
#: What several rows are asked for by is made once.
WAYS = list(dict.fromkeys(way for entry in SYSTEMS for way in entry.ways))
#: What an option may be followed by, in each command.
REGISTRIES = {
    ("train", "--method"): set(WEIGHTS),
    ("train", "--activation-method"): set(ACTIVATIONS),
    ("quantize", "--method"): set(METHODS),
    ("quantize", "--format"): set(FITS),
    ("quantize", "--ranges"): set(RANGES),
    ("quantize", "--policy"): set(POLICIES),
    ("search", "--policy"): set(POLICIES),
    ("search", "--solver"): {*SOLVERS, *SEARCHES},
}
#: Of what is typed here in addition: everything small.
EXTRA = {
    "train": ["--epochs", "2", "--batch", "96", "--rate", "0.01"],
    "quantize": [],
    "search": ["--no-build", "--fast", "--evaluations", "6", "--weights", "2..4", "--input-precision", PRECISION],
}


def blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(96) % 4
    x = rng.uniform(-2.5, 2.5, (4, 8))[y] + rng.normal(0, 0.4, (96, 8))
    return (np.rint(x * 8).clip(-32, 31) / 8).astype("float32"), y


X, Y = blobs()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained float model, and its data."""
    folder = tmp_path_factory.mktemp("literature")
    keras.utils.set_random_seed(0)
    _trained("a").save(folder / "float.keras")
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", Y)
    return folder


def _trained(*hidden: str) -> Any:
    layers = [keras.layers.Dense(6, activation="relu", name=name) for name in hidden]
    model = keras.Sequential([keras.Input((8,), name="x"), *layers, keras.layers.Dense(4, name="b")])
    model.compile(keras.optimizers.Adam(3e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, epochs=12, batch_size=48, verbose=0)
    return model


def _gated() -> Any:
    layer = GatedDense(4, name="g")
    model = sequential(dense(6, name="a"), QActivation("quantized_relu(4,2)", name="r"), layer, inputs=(8,))
    layer.alpha.assign(2.0)
    return model


def _residual() -> Any:
    image = keras.Input((8,), name="x")
    first = QActivation("quantized_relu(4,1)", name="a")(dense(6, name="first")(image))
    normal = keras.layers.BatchNormalization(name="bn")(dense(6, name="second")(first))
    return keras.Model(image, QActivation(bits(6, 2), name="out")(keras.layers.Add(name="sum")([first, normal])))


def _uneven() -> Any:
    return sequential(dense(6, name="a"), QActivation(ThresholdLevels([-1, 0.3, 0.5, 2], [-2, 0, 0.25, 1, 4])),
                      dense(4, name="b"), inputs=(8,))  # fmt: skip


def _pruned() -> Any:
    model = sequential(dense(6, name="a", activation="quantized_relu(4,1)"), dense(4, name="b"), inputs=(8,))
    kernel = model.get_layer("a").kernel
    kernel.assign(np.where(np.abs(kernel) > 0.5, kernel, 0.0))
    return model


#: The models that rows describe in words, by the row.
MODELS: dict[str, Callable[[], Any]] = {
    "Precision Gating": _gated,
    "AQD": _residual,
    "SQUAT": _uneven,
    "ISS-P": _pruned,
}
DESCRIBED = {entry.ways[0]: MODELS[entry.name] for entry in SYSTEMS if entry.name in MODELS}


def _typed(way: Way, folder: Path, output: Path) -> Path:
    """Run a command in a folder; return the model that it wrote."""
    arguments = [*shlex.split(way.typed)[1:], *EXTRA[way.command]]
    files = {name: str(folder / name) for name in ("float.keras", "x.npy", "y.npy")}
    if "--gate" in arguments:  # needs a layer between two rectifiers
        files["float.keras"] = str(folder / "deep.keras")
        _trained("a", "h").save(files["float.keras"])
    written = {"q.keras": str(output / "q.keras"), "build/searched": str(output / "searched")}
    # Tracing takes longer than the few steps that are trained; other tests train what is traced.
    tf.config.run_functions_eagerly(way.command == "train")
    try:
        result = CliRunner().invoke(app, [{**files, **written}.get(word, word) for word in arguments])
    finally:
        tf.config.run_functions_eagerly(False)
    assert result.exit_code == 0, result.output + result.stderr
    return output / ("searched/model.keras" if way.command == "search" else "q.keras")


@functools.cache
def made(way: Way, folder: Path) -> tuple[Any, Design]:
    """Return the model of a way, and its design."""
    place = WAYS.index(way)
    if way.command == "model":
        model = DESCRIBED[way]()
    else:
        (folder / str(place)).mkdir(exist_ok=True)
        model = load_model(_typed(way, folder, folder / str(place)))
    return model, lowered(model, f"way{place}", input_precision=PRECISION)


def _cases() -> list[Any]:
    first = {entry.ways[0] for entry in SYSTEMS if entry.ways}
    return [
        pytest.param(way, marks=() if way in first else pytest.mark.extended, id=f"{way.command} {way.text}")
        for way in WAYS
    ]


@pytest.mark.parametrize("way", _cases())
def test_every_way_makes_integers_that_keras_computes(way: Way, folder: Path) -> None:
    model, design = made(way, folder)
    codes = np.rint(X * 8).astype(np.int64)
    design.keras_gate(codes).require()
    distance = quality(design, codes, None)[1]
    assert distance is not None
    assert distance["max_abs"] == 0  # of the given model itself: freezing rounds nothing
    if way.command != "model":
        assert np.mean(np.argmax(model(X), 1) == Y) > 0.6


def test_hardware_equals_golden(folder: Path, tmp_path: Path) -> None:
    """In one build; of rows with several ways the first one."""
    ways = dict.fromkeys(entry.ways[0] for entry in SYSTEMS if entry.status == "works")
    graphs = [made(way, folder)[1].graph for way in ways]
    batch = Batch(graphs, tmp_path)
    traces = batch.run(batch.stimulus(1))
    for graph in graphs:
        check(graph, batch.hardware[graph.name], traces[graph.name])
        assert len(traces[graph.name][0].given) > 20


def test_every_name_of_the_registries_has_a_row_and_rows_name_nothing_else() -> None:
    for (command, option), known in REGISTRIES.items():
        asked = {value for way in WAYS if way.command == command for key, value in way.asked() if key == option}
        assert asked <= known, (command, option)
    named = {value for way in WAYS for _, value in way.asked()}
    every = set.union(*REGISTRIES.values())
    assert not every - named, f"no row names {every - named}"


def test_rows_say_what_their_status_needs() -> None:
    names = [entry.name for entry in SYSTEMS]
    assert len(set(names)) == len(names)
    for entry in SYSTEMS:
        assert bool(entry.ways) == (entry.status != "out of scope"), entry.name
        assert entry.remark, entry.name
    assert set(DESCRIBED) == {way for way in WAYS if way.command == "model"}


def test_the_command_lists_and_tells_without_tensorflow() -> None:
    call = functools.partial(CliRunner().invoke, app)
    assert all(entry.name.split()[0] in call(["methods"]).stdout for entry in SYSTEMS)
    rows = json.loads(call(["methods", "--json"]).stdout)
    assert [row["name"] for row in rows] == [entry.name for entry in SYSTEMS]
    assert "fpgaq train float.keras" in call(["methods", "fatnn"]).stdout
    assert json.loads(call(["methods", "TTQ", "--json"]).stdout)[0]["status"] == "works"
    unknown = call(["methods", "nothing like it"])
    assert unknown.exit_code == 2
    assert "no system is called 'nothing like it'" in unknown.stderr
    code = "import sys; from fpgaq.cli import app; app(['methods', 'lsq'], standalone_mode=False); " \
           "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
