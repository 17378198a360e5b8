"""Bits of activations by layer: which rectifiers a layer's choice is about, and what the exchanged network computes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fpgaq.explore.network import Data, Network, Rounded
from fpgaq.explore.space import Space
from fpgaq.explore.wiring import sources
from fpgaq.quantize.requantize import Choice, rectifiers, requantized

RNG = np.random.default_rng(1)
X = np.round(RNG.normal(size=(100, 6)) * 8) / 8
CHOICES = [Choice("int", weights, activations) for activations in (2, 3, 5) for weights in (2, 4)]


@pytest.fixture(scope="module")
def space() -> Space:
    """A fork, sums, a rectifier that two layers take, and one that none takes."""
    keras.utils.set_random_seed(0)
    x = keras.Input((6,), name="x")
    a = keras.layers.Dense(5, activation="relu", name="a")(x)
    b = keras.layers.ReLU(name="relu_b")(keras.layers.Dense(5, name="b")(a))
    total = keras.layers.ReLU(name="relu_c")(keras.layers.Add(name="add")([b, keras.layers.Dense(5, name="c")(a)]))
    d, e = (keras.layers.Dense(3, name=name)(total) for name in "de")
    model = keras.Model(x, keras.layers.ReLU(name="last")(keras.layers.Add(name="sum")([d, e])))
    copies = [requantized(model, choice, X) for choice in CHOICES]
    return Space(Network(model, Rounded.of(CHOICES, copies), CHOICES, Data(X)), {})


def test_rectifiers_that_layers_take(space: Space) -> None:
    assert rectifiers(space.network.original) == {"a": "a", "relu_b": "b", "relu_c": "c", "last": "e"}
    assert sources(space.network.original) == {"a": (), "b": ("a",), "c": ("a",), "d": ("c",), "e": ("c",)}
    assert [len(offered) for offered in space.network.choices.values()] == [2, 6, 6, 6, 6]


def test_a_rectifier_has_the_bits_of_whoever_takes_most(space: Space) -> None:
    narrow, middle, wide = (Choice("int", 4, bits) for bits in (2, 3, 5))
    assert space.network.widths([wide, narrow, middle, narrow, middle]) == {"a": 3, "b": 2, "c": 3, "e": 3}


def test_exchanging_is_requantizing(space: Space) -> None:
    sizes = [len(offered) for offered in space.network.choices.values()]
    random = [tuple(int(RNG.integers(size)) for size in sizes) for _ in range(6)]
    for allocation in random:
        model = requantized(space.network.original, space.layers(allocation), X)
        assert np.array_equal(space.network.outputs(space.chosen(allocation), X), model.predict(X, verbose=0))


def test_uniform_allocations_are_uniform(space: Space) -> None:
    for choice, allocation in zip(CHOICES, space.uniform, strict=True):
        assert {c.activations for c in space.layers(allocation).values()} == {None, choice.activations}
        assert {c.weights for c in space.layers(allocation).values()} == {choice.weights}


def test_a_space_of_one_width_has_its_choices_and_costs(space: Space) -> None:
    costs = [RNG.integers(0, 9, len(offered)) for offered in space.network.choices.values()]
    found = Space(space.network, {"lut": costs}).at(3)
    assert {c for offered in found.network.choices.values() for c in offered} == {CHOICES[2], CHOICES[3]}
    offered = list(space.network.choices.values())
    assert np.array_equal(found.costs["lut"][0], costs[0])  # the first layer has no activations to choose
    for k in range(1, 5):
        assert np.array_equal(found.costs["lut"][k], costs[k][[offered[k].index(choice) for choice in CHOICES[2:4]]])
