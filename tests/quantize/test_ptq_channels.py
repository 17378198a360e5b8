"""A unit for every output channel: fits, quantizers, files, networks that are exact to the hardware, and refusals."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from batches import Batch, check
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_models import lowered, sequential, stimuli
from qkeras import QDense
from typer.testing import CliRunner

import fpgaq
from fpgaq.build import quality
from fpgaq.cli import app
from fpgaq.config import make_options
from fpgaq.design import Design
from fpgaq.errors import ConfigError, FpgaqError, ModelError
from fpgaq.estimate.estimate import estimate
from fpgaq.explore.costs import whole_cost
from fpgaq.frontend.load import load_model
from fpgaq.ir.ops import MatMul
from fpgaq.quantize import formats
from fpgaq.quantize.ptq import policy as policies
from fpgaq.quantize.ptq import post_training
from fpgaq.quantize.ptq.adaround import adaround
from fpgaq.quantize.ptq.attention_round import attention_round
from fpgaq.quantize.ptq.blocks import TunedBlock, _step
from fpgaq.quantize.ptq.entropy import entropy_constrained, prices
from fpgaq.quantize.ptq.exact import quantizer_of
from fpgaq.quantize.ptq.fits import FITS
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.nearest import nearest, stochastic
from fpgaq.quantize.ptq.patches import as_kernel, as_matrix
from fpgaq.quantize.ptq.policy import Policy
from fpgaq.quantize.ptq.post_training import RoundedLayer, quantized
from fpgaq.quantize.ptq.reconstruction import Reconstruction
from fpgaq.quantize.ptq.settings import Settings
from fpgaq.quantize.quantizers import FixedLevels
from fpgaq.quantize.requantize import quantized_kernels
from fpgaq.rtl.hardware import make_hardware
from fpgaq.synth import synthesize

K = keras.layers
PLAIN = [fit for fit in FITS.values() if not fit.shared]
SIZES = np.array([1.0, 0.05, 7.0, 0.0, 0.4])


def errors(weights: np.ndarray, grid: Grid) -> np.ndarray:
    return np.sum((grid.values(grid.nearest(weights)) - weights) ** 2, axis=(0, 1))


@settings(deadline=None)
@given(
    seed=st.integers(0, 10**6),
    groups=st.integers(1, 3),
    inputs=st.integers(1, 12),
    name=st.sampled_from([fit.name for fit in PLAIN]),
    more=st.integers(0, 5),
    spread=st.floats(0, 3),
)
def test_no_channel_is_worse_than_in_the_unit_of_its_layer(
    seed: int, groups: int, inputs: int, name: str, more: int, spread: float
) -> None:
    rng, fit = np.random.default_rng(seed), FITS[name]
    bits = min(fit.least + more, fit.most)
    weights = rng.normal(size=(groups, inputs, 5)) * np.exp(spread * rng.normal(size=(groups, 1, 5)))
    weights[:, :, 3] = 0
    layer, grid = fit.grid(weights, bits), fit.by_channel(weights, bits)
    assert grid.format == layer.format
    assert grid.unit.shape == (groups, 1, 5)
    assert np.all(np.frexp(grid.unit)[0] == 0.5)
    for group in range(groups):
        one = Grid(grid.format, grid.unit[group : group + 1])
        assert np.all(errors(weights[group : group + 1], one) <= errors(weights[group : group + 1], layer))
    assert np.all(grid.unit[:, :, 3] == layer.unit)
    assert np.all(grid.values(grid.nearest(weights))[:, :, 3] == 0)


def test_channels_of_next_to_nothing_do_not_make_sums_wide() -> None:
    model = dense()
    kernel = model.get_layer("a").kernel
    kernel.assign(kernel.numpy() * np.array([1.0, 1e-4, 1e-38, 1e-41, 0.0]))
    layers: list[RoundedLayer] = []
    found = quantized(model, samples(model), Settings("nearest", 4, {}, scales="channel"), layers.append)
    units = layers[0].grid.unit.reshape(-1)
    assert units[1] < 2.0**-12 * units[0]
    assert np.all(units >= 2.0**-16 * units[0])
    assert found.get_layer("a").get_weights()[0].any(0).tolist() == [True, True, False, False, False]
    design = lowered(found, input_precision="fixed<6,3>")
    assert distance(design) == 0


def test_unlike_channels_gain_in_every_format() -> None:
    weights = np.random.default_rng(0).normal(0, 0.3, (1, 40, 5)) * SIZES
    for fit in PLAIN:
        bits = min(4, fit.most)
        layer, grid = (errors(weights, make(weights, bits)) for make in (fit.grid, fit.by_channel))
        assert np.all(grid <= layer)
        assert grid[1] < 0.3 * layer[1]


def unlike() -> Reconstruction:
    rng = np.random.default_rng(2)
    weights = rng.normal(0, 0.3, (1, 12, 5)) * SIZES
    x = rng.normal(size=(1, 200, 12)) @ rng.normal(size=(12, 12))
    task = Reconstruction.of(weights, [(x, x)], biased=True)
    return Reconstruction(task.weights, task.products, task.wanted, task.power, task.shift, prices(abs(weights), 0.5))


@pytest.mark.parametrize("search", [nearest, stochastic, adaround, attention_round, entropy_constrained])
def test_every_method_rounds_to_places_of_the_channel(search: Any) -> None:
    task = unlike()
    grid = FITS["int"].by_channel(task.weights, 3)
    places = search(task, grid, np.random.default_rng(0))
    values = grid.values(places)
    assert np.isin(values / grid.unit, grid.integers).all()
    assert not values[:, :, 3].any()
    least = task.error(grid.values(grid.nearest(task.weights)))
    if search in (adaround, attention_round):
        assert task.error(values) < 0.9 * least
    plain = FITS["int"].grid(task.weights, 3)
    channel = np.abs(values - task.weights)[:, :, 1].max()
    assert channel < plain.unit / 4 or search is entropy_constrained


@pytest.mark.parametrize(("shape", "groups"), [((6, 5), 1), ((2, 3, 5), 1), ((3, 3, 5, 1), 5)])
@pytest.mark.parametrize("format_", [formats.Integer(3), formats.PowerOfTwo(4)])
def test_quantizers_have_the_units_of_the_grid(shape: tuple[int, ...], groups: int, format_: Any) -> None:
    rng = np.random.default_rng(1)
    units = 2.0 ** rng.integers(-9, 3, 5)
    grid = Grid(format_, units.reshape((groups, 1, 5 // groups)))
    quantizer = quantizer_of(grid)
    scaled = units[:, None] if groups > 1 else units
    kernel = (rng.choice(format_.levels, shape) * scaled).astype("float32")
    again = FixedLevels.from_config(quantizer.get_config())
    for each in (quantizer, again):
        assert np.array_equal(each(kernel), kernel)
        integers, found, stored = each.stored(kernel)
        assert np.array_equal(integers * found, kernel)
        assert np.array_equal(found, scaled)
        assert stored == format_


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ([0.5, 0.3], "unit 0.3 is not a power of two"),
        ([0.5, -1.0], "unit -1 is not a power of two"),
        ([0.5, float("nan")], "unit nan is not a power of two"),
        ([0.5, 1.0], r"units of shape \[2\] do not fit the last axes of a kernel of shape \[4, 3\]"),
    ],
)
def test_units_that_are_none_are_refused(unit: list[float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FixedLevels(formats.Integer(4), unit)(np.ones((4, 3), "float32"))


def test_units_of_inputs_are_refused_by_the_front_end() -> None:
    """Units shaped like those of a depthwise kernel, on a dense one with one output."""
    by_input = FixedLevels(formats.Integer(4), [[0.5]] * 3 + [[0.25]] * 3)
    model = sequential(QDense(1, kernel_quantizer=by_input, use_bias=False, name="a"))
    with pytest.raises(
        FpgaqError, match=r"layer 'a': its weight has 6 units for 1 output channels; give one for every"
    ):
        lowered(model)


def dense() -> Any:
    model = sequential(K.Dense(5, activation="relu", name="a"), K.Dense(3, name="b"))
    for name, sizes in (("a", SIZES), ("b", [0.1, 1.0, 5.0])):
        variable = model.get_layer(name).kernel
        variable.assign(variable.numpy() * sizes)
    return model


def image() -> Any:
    layers = [
        K.DepthwiseConv2D((2, 1), activation="relu", name="a"),
        K.Conv2D(3, (2, 1), activation="relu", name="b"),
        K.Flatten(name="flat"),
        K.Dense(3, name="c"),
    ]
    model = sequential(*layers, inputs=(6, 1, 2))
    for name, sizes in (("a", [[0.05], [1.0]]), ("b", [0.1, 1.0, 0.0]), ("c", [1.0, 8.0, 0.3])):
        variable = model.get_layer(name).weights[0]
        variable.assign(variable.numpy() * sizes)
    return model


def samples(model: Any) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(40, *model.input_shape[1:]))


#: Network, format, bits, ending of the file, and options of the schedule.
NETWORKS: list[tuple[Any, str, int, str, dict[str, Any]]] = [
    (dense, "pot", 4, ".keras", {"layers": {"a": {"reuse_factor": 6}, "b": {"reuse_factor": 5}}}),
    (image, "int", 3, ".h5", {}),
    (dense, "int", 2, ".keras", {}),
    (image, "ternary", 2, ".h5", {"layers": {"b": {"reuse_factor": 4}, "c": {"reuse_factor": 12}}}),
]
PLACES = [0, 1, *(pytest.param(place, marks=pytest.mark.extended) for place in (2, 3))]


@functools.cache
def made(place: int, folder: Path) -> tuple[Design, list[RoundedLayer]]:
    """Quantize, save, load and convert."""
    network, format_, bits, suffix, options = NETWORKS[place]
    layers: list[RoundedLayer] = []
    how = Settings("adaround", bits, {}, 5, format=format_, scales="channel")
    found = quantized(network(), samples(network()), how, layers.append)
    found.save(folder / f"q{place}{suffix}")
    model = load_model(folder / f"q{place}{suffix}")
    assert all(np.array_equal(a, b) for a, b in zip(found.get_weights(), model.get_weights(), strict=True))
    return lowered(model, f"net{place}", folder=folder, input_precision="fixed<6,3>", **options), layers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("channels")


def matrices(design: Design) -> list[MatMul]:
    return [node for node in design.graph.nodes.values() if isinstance(node, MatMul)]


def distance(design: Design) -> float:
    """Return how far the integers are from what the quantized model computes."""
    return float((quality(design, stimuli(design, 50), None)[1] or {})["max_abs"])


@pytest.mark.parametrize("place", PLACES)
def test_networks_have_units_by_channel_and_equal_golden(folder: Path, place: int) -> None:
    design, layers = made(place, folder)
    for layer, node in zip(layers, matrices(design), strict=True):
        wanted = layer.grid.unit.reshape(-1)
        assert np.unique(wanted).size > 1
        assert node.format == layer.grid.format
        assert np.array_equal(node.unit / node.unit[0], wanted / wanted[0])
    design.keras_gate(stimuli(design, 50)).require()
    assert distance(design) == 0


@pytest.mark.extended
def test_hardware_equals_golden(folder: Path, tmp_path: Path) -> None:
    """Folded and unrolled, in one build."""
    graphs = [made(place, folder)[0].graph for place in (0, 2)]
    batch = Batch(graphs, tmp_path)
    assert [sum("folded" in block.hardware.summary for block in h.blocks) for h in batch.hardware.values()] == [2, 0]
    traces = batch.run(batch.stimulus(1))
    for graph in graphs:
        check(graph, batch.hardware[graph.name], traces[graph.name])
        assert len(traces[graph.name][0].given) > 20


def photo() -> Any:
    layers = [
        K.Conv2D(6, 3, activation="relu", name="a"),
        K.DepthwiseConv2D(3, activation="relu", name="b"),
        K.Flatten(name="flat"),
        K.Dense(5, name="c"),
    ]
    model, rng = sequential(*layers, inputs=(8, 8, 3)), np.random.default_rng(5)
    for name, shape in (("a", (6,)), ("b", (6, 1)), ("c", (5,))):
        variable = model.get_layer(name).weights[0]
        variable.assign(variable.numpy() * 2.0 ** rng.uniform(-2, 2, shape))
    return model


@pytest.mark.extended
@pytest.mark.parametrize(
    ("network", "format_", "bits", "options", "folded"),
    [
        (dense, "int", 3, {}, 0),
        (dense, "pot", 4, NETWORKS[0][-1], 2),
        (photo, "int", 3, {}, 0),
        (photo, "pot", 4, {"target_ii": 160}, 1),
    ],
)
def test_estimates_are_what_yosys_makes(
    network: Any, format_: str, bits: int, options: dict[str, Any], folded: int, tmp_path: Path
) -> None:
    how = Settings("nearest", bits, {}, 5, format=format_, scales="channel")
    design = lowered(quantized(network(), samples(network()), how), input_precision="fixed<6,3>", **options)
    hardware = make_hardware(design.graph, 5.0, "xc7")
    assert sum("folded" in block.hardware.summary for block in hardware.blocks) == folded
    found = synthesize(hardware.write(tmp_path / "rtl"), hardware.graph.name, [], family="xc7", work=tmp_path / "synth")
    estimated = estimate(hardware)
    for name in ("lut", "ff"):
        figure = getattr(estimated.total, name)
        assert abs(figure.value - getattr(found.total, name)) <= 2 * figure.error + 3, (name, figure, found.total)
    for name in ("dsp", "bram18"):
        assert getattr(estimated.total, name).value == getattr(found.total, name)
    assert (estimated.latency, estimated.ii) == (hardware.latency, hardware.ii)


@pytest.mark.extended
@pytest.mark.parametrize("place", [1, 3])
def test_every_gate_of_images(folder: Path, place: int, tmp_path: Path) -> None:
    design, _ = made(place, folder)
    assert design.origin is not None
    options = design.options.model_dump(exclude_unset=True)
    built = fpgaq.convert(design.origin.model, output=tmp_path / "build", **options)
    assert [gate.mismatches for gate in built.check(stimuli(built, 30), raw=True)] == [0, 0, 0]


def test_units_of_other_channels_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: quantizers whose units are one channel off."""

    def wrong(grid: Grid) -> Any:
        return quantizer_of(replace(grid, unit=np.roll(grid.unit, 1)))

    monkeypatch.setattr(post_training, "quantizer_of", wrong)
    with pytest.raises(ModelError, match="layer 'a': its quantizers do not reproduce the rounded weights"):
        quantized(dense(), samples(dense()), Settings("nearest", 4, {}, scales="channel"))


def test_stored_units_of_other_channels_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: the front end gives the integers of a channel the unit of another."""
    model = quantized(dense(), samples(dense()), Settings("nearest", 4, {}, scales="channel"))
    stored = FixedLevels.stored
    monkeypatch.setattr(FixedLevels, "stored", lambda self, x: (stored(self, x)[0], np.roll(stored(self, x)[1], 1),
                                                                self.format))  # fmt: skip
    assert distance(lowered(model, input_precision="fixed<6,3>")) > 0.1


def test_weights_of_a_block_move_by_a_unit_of_their_channel() -> None:
    model = image()
    for name, shape in (("a", (2, 1, 2, 1)), ("b", (2, 1, 2, 3))):
        layer = model.get_layer(name)
        weights = layer.get_weights()[0].astype(np.float64)
        matrix = as_matrix(layer, weights)
        grid = FITS["int"].by_channel(matrix, 4)
        kernel = as_kernel(layer, grid.values(grid.nearest(matrix)))
        moved = _step(layer, kernel, weights, grid)
        assert moved.shape == shape
        assert set(np.unique(np.abs(as_matrix(layer, moved) / grid.unit))) <= {0.0, 1.0}
        assert np.array_equal(np.sign(moved), np.sign(weights - kernel) * (moved != 0))
        assert np.mean(moved != 0) > 0.4


@pytest.mark.extended
def test_blocks_stay_on_the_units_of_channels() -> None:
    model, told, layers = dense(), list[TunedBlock](), list[RoundedLayer]()
    how = Settings("nearest", 2, {}, None, reconstruct="block", scales="channel")
    found = quantized(model, samples(model), how, layers.append, tuned_block=told.append)
    assert [block.names for block in told] == [["a", "b"]]
    assert told[0].after < 0.95 * told[0].before
    for layer in layers:
        assert np.isin(quantized_kernels(found)[layer.name] / layer.grid.unit[0], layer.grid.integers).all()


@pytest.mark.parametrize(
    "policy", [Policy("mse", 3.5), pytest.param(Policy("mse", None, "lut=900"), marks=pytest.mark.extended)]
)
def test_policies_choose_bits(policy: Policy) -> None:
    layers: list[RoundedLayer] = []
    quantized(dense(), samples(dense()), Settings("nearest", None, {}, scales="channel"), layers.append, policy=policy)
    assert all(np.unique(layer.grid.unit).size > 1 for layer in layers)
    assert {layer.grid.bits for layer in layers} <= set(range(2, 9))


@pytest.mark.extended
def test_a_budget_estimates_units_by_channel() -> None:
    """With bits of 4 everywhere; layers of one unit take less."""
    model, data = dense(), samples(dense())
    costs = {}
    for scales in ("layer", "channel"):
        how = Settings("nearest", None, {}, 5, scales=scales)
        space = policies._space(model, data, how, [3, 4, 5], estimated=True)
        costs[scales] = sum(int(table[1]) for table in space.costs["lut"])
    quantized_model = quantized(model, data, Settings("nearest", 4, {}, 5, scales="channel"))
    real = whole_cost(quantized_model, make_options({}), 0).value["lut"]
    assert abs(costs["channel"] - real) < 0.1 * real
    assert abs(costs["layer"] - real) > 0.15 * real


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"format": "codebook"},
            "format codebook has a table for a whole layer; use --scales layer, or one of the form",
        ),
        ({"format": "pwlq"}, "format pwlq has a breakpoint for a whole layer; .* int, pot, apot, ternary, tapered"),
        ({"method": "cfws"}, "format cfws has a second scale for a whole layer"),
        ({"scales": "row"}, "--scales 'row' is unknown; use layer or channel"),
    ],
)
def test_scales_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings(**{"method": "nearest", "bits": 4, "layer_bits": {}, "scales": "channel", **given})


def test_scales_as_typed(tmp_path: Path) -> None:
    dense().save(tmp_path / "float.keras")
    np.save(tmp_path / "x.npy", samples(dense()))
    how = ["--bits", "3", "--calibration", str(tmp_path / "x.npy"), "--scales", "channel"]
    call = ["quantize", str(tmp_path / "float.keras"), *how, "--method", "nearest", "-o", str(tmp_path / "q.keras")]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.stderr
    found = load_model(tmp_path / "q.keras").get_layer("a").kernel_quantizer_internal.unit
    assert f"{min(found):g} to {max(found):g}" in result.stderr
    for name, value in (("scales", "channel"), ("reconstruct", "block"), ("ranges", "kl")):
        alone = ["convert", str(tmp_path / "float.keras"), f"--{name}", value, "-o", str(tmp_path / "out")]
        refused = CliRunner().invoke(app, alone)
        assert refused.exit_code == 2
        assert f"--{name} belongs to --quantize METHOD; give both, or none" in refused.stderr
