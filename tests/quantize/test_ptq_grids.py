"""Grids of every format: places, fits, and networks whose weights lie on them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras_models import lowered, sequential, stimuli

from fpgaq.frontend.load import load_model
from fpgaq.quantize import formats
from fpgaq.quantize.ptq.adaround import adaround
from fpgaq.quantize.ptq.attention_round import attention_round
from fpgaq.quantize.ptq.entropy import entropy_constrained, prices, relevances
from fpgaq.quantize.ptq.fits import FITS
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.nearest import stochastic
from fpgaq.quantize.ptq.post_training import RoundedLayer, quantized
from fpgaq.quantize.ptq.reconstruction import Reconstruction
from fpgaq.quantize.ptq.settings import Settings

K = keras.layers
EACH = [(fit.name, bits) for fit in FITS.values() for bits in sorted({fit.least, min(4, fit.most), min(fit.most, 8)})]


@functools.cache
def samples(kind: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.normal(0, 0.1, 4000) if kind == "gauss" else rng.laplace(0, 0.1, 4000)


def error(weights: np.ndarray, grid: Grid) -> float:
    return float(np.mean((grid.values(grid.nearest(weights)) - weights) ** 2))


@pytest.mark.parametrize(("name", "bits"), EACH)
def test_places_are_those_of_the_nearest_level(name: str, bits: int) -> None:
    weights = samples("gauss")
    grid = FITS[name].grid(weights, bits)
    levels = grid.integers * grid.unit
    assert grid.bits == bits
    assert np.frexp(grid.unit)[0] == 0.5
    assert len(levels) <= 2**bits
    assert set(grid.integers.tolist()) <= set(grid.format.levels.tolist())
    some = np.concatenate([weights[:300], 3 * weights[:300], levels])
    found = grid.values(grid.nearest(some))
    assert np.allclose(np.abs(found - some), np.abs(levels - some[:, None]).min(1), atol=1e-12)
    places = grid.positions(some[600:])
    assert np.array_equal(places, np.arange(len(levels)))


@pytest.mark.parametrize("kind", ["gauss", "laplace"])
@pytest.mark.parametrize("bits", [4, 5, 6])
def test_coarse_tails_are_no_worse_than_equal_steps_of_as_many_bits(kind: str, bits: int) -> None:
    weights = samples(kind)
    errors = {name: error(weights, FITS[name].grid(weights, bits)) for name in ("int", "pwlq", "cfws")}
    assert errors["pwlq"] <= errors["int"]
    assert errors["pwlq"] <= errors["cfws"]
    if kind == "laplace" and bits > 4:
        assert errors["cfws"] < errors["int"]
        assert errors["pwlq"] < 0.8 * errors["int"]


def test_the_search_of_the_tails_finds_what_trying_everything_finds() -> None:
    """At 3 bits, with the step that was found: every shift and breakpoint."""
    weights = samples("laplace")
    grid = FITS["pwlq"].grid(weights, 3)
    every = [
        error(weights, Grid(formats.PiecewiseLinear(2, 2 + behind, shift), grid.unit))
        for shift in range(5)
        for behind in range((1 << shift) + 1)
    ]
    assert error(weights, grid) <= min(every) * 1.02


def task_of(seed: int, bit_price: float | None = None) -> Reconstruction:
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 0.3, (1, 12, 5))
    x = rng.normal(size=(1, 200, 12)) @ rng.normal(size=(12, 12))
    task = Reconstruction.of(weights, [(x, x)], biased=True)
    if bit_price is None:
        return task
    relevance = np.abs(weights) * rng.exponential(size=weights.shape)
    return Reconstruction(*(getattr(task, k) for k in ("weights", "products", "wanted", "power", "shift")),
                          prices(relevance, bit_price))  # fmt: skip


@pytest.mark.parametrize(("name", "bits"), [("pwlq", 3), ("codebook", 3), ("pot", 4), ("ternary", 2), ("apot", 4)])
@pytest.mark.parametrize("search", [adaround, attention_round])
def test_searches_work_on_every_grid(search: Any, name: str, bits: int) -> None:
    task = task_of(2)
    grid = FITS[name].grid(task.weights, bits)
    places = search(task, grid, np.random.default_rng(0))
    assert np.array_equal(places, grid.clipped(np.rint(places)))
    assert task.error(grid.values(places)) < 0.9 * task.error(grid.values(grid.nearest(task.weights)))


def test_stochastic_rounding_has_no_bias() -> None:
    weights = np.full((1, 100, 100), 0.3)
    task = Reconstruction(weights, weights, weights, 0.0, None)
    grid = FITS["int"].grid(np.array([-1.0, 0.99]), 3)
    found = grid.values(stochastic(task, grid, np.random.default_rng(0)))
    assert set(np.unique(found)) == {0.25, 0.5}
    assert found.mean() == pytest.approx(0.3, abs=0.005)


@given(seed=st.integers(0, 50), bits=st.integers(2, 5), first=st.floats(0, 2), more=st.floats(0, 2))
def test_dearer_bits_give_more_zeros(seed: int, bits: int, first: float, more: float) -> None:
    zeros = []
    for price in (0.0, first, first + more):
        task = task_of(seed, price)
        grid = FITS["int"].grid(task.weights, bits)
        places = entropy_constrained(task, grid, np.random.default_rng(0))
        if price == 0:
            assert np.array_equal(places, grid.nearest(task.weights))
        zeros.append(int(np.sum(grid.values(places) == 0)))
    assert zeros == sorted(zeros)


def test_relevance_is_what_comes_through_a_weight() -> None:
    """Of two outputs the first is highest; a weight of a dead unit or of the other output has none."""
    model = sequential(K.Dense(2, activation="relu", name="a"), K.Dense(2, name="b"), inputs=(2,))
    model.set_weights([np.eye(2), np.array([0.0, -100.0]), np.array([[2.0, 1.0], [1.0, 1.0]]), np.zeros(2)])
    x = np.array([[1.0, 3.0], [2.0, 5.0]], "float32")
    found = relevances(model, ["a", "b"], x)
    assert np.array_equal(found["b"], [[3.0, 0.0], [0.0, 0.0]])
    assert np.array_equal(found["a"], [[3.0, 0.0], [0.0, 0.0]])
    assert np.array_equal(prices(found["b"], 1.0), [[0.4, 2.0], [2.0, 2.0]])
    assert np.array_equal(prices(np.zeros(3), 1.0), [2.0, 2.0, 2.0])


def network() -> Any:
    layers = [
        K.DepthwiseConv2D((2, 1), activation="relu", name="a"),
        K.Conv2D(3, (2, 1), activation="relu", name="b"),
        K.Flatten(name="flat"),
        K.Dense(3, name="c"),
    ]
    return sequential(*layers, inputs=(6, 1, 2))


@pytest.mark.parametrize(
    ("method", "format_", "bits"),
    [
        ("pwlq", None, 4),
        ("cfws", None, 4),
        ("ecqx", "codebook", 2),
        ("attention-round", "pot", 4),
        ("nearest", "tapered", 4),
    ],
)
def test_networks_of_every_format_are_saved_and_equal_golden(
    tmp_path: Path, method: str, format_: str | None, bits: int
) -> None:
    x = np.random.default_rng(3).normal(size=(40, 6, 1, 2))
    layers: list[RoundedLayer] = []
    quantized(network(), x, Settings(method, bits, {}, 5, format=format_), layers.append).save(tmp_path / "q.keras")
    assert [layer.name for layer in layers] == ["a", "b", "c"]
    model = load_model(tmp_path / "q.keras")
    assert model.get_layer("b").kernel_quantizer_internal.format == layers[1].grid.format
    design = lowered(model, input_precision="fixed<6,3>")
    design.keras_gate(stimuli(design, 50)).require()
