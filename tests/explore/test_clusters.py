"""Clusters of layers by coding length: exact clusters, ascending bits, budgets."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaq.explore.network import Data, Network, Rounded
from fpgaq.explore.policies.coding_length import DISTORTIONS, rates
from fpgaq.explore.problem import Problem
from fpgaq.explore.solvers.clusters import clusters, solve_clusters
from fpgaq.quantize.requantize import Choice, requantized


def _scatter(values: list[float], of: list[int]) -> float:
    groups = [[v for v, c in zip(values, of, strict=True) if c == k] for k in set(of)]
    return sum(float(np.var(group) * len(group)) for group in groups)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=6), st.data())
def test_clusters_are_the_best_of_all(values: list[int], data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(values)))
    found = clusters(values, number)
    assert sorted(set(found)) == list(range(number))
    centres = [np.mean([v for v, c in zip(values, found, strict=True) if c == k]) for k in range(number)]
    assert centres == sorted(centres)
    every = (of for of in itertools.product(range(number), repeat=len(values)) if len(set(of)) == number)
    assert _scatter(values, found) <= min(_scatter(values, list(of)) for of in every) + 1e-9


def test_bits_ascend_with_the_coding_length_within_the_budget() -> None:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(size, activation="relu", name=f"fc{k}") for k, size in enumerate((12, 8, 4))]
    model = keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dense(2, name="last")])
    x = np.random.default_rng(0).normal(size=(50, 8))
    choices = [Choice("int", bits, 4) for bits in (2, 3, 5)]
    copies = [requantized(model, choice, x) for choice in choices]
    network = Network(model, Rounded.of(choices, copies), choices, Data(x))
    counts = [kernel.size for kernel in network.floats.values()]
    costs = {"size": [count * np.array([2, 3, 5]) for count in counts]}
    limit = int(3.4 * sum(counts))
    problem = Problem([np.zeros(3, np.int64)] * 4, costs, {"size": limit})
    found = solve_clusters(problem, network, 10)
    assert found.status == "clusters of layers"
    assert len(found.allocations) > 1
    lengths = [list(rates(network, share).values()) for share in DISTORTIONS]
    spent = []
    for allocation in found.allocations:
        assert any(all(np.diff(np.array(allocation)[np.argsort(of)]) >= 0) for of in lengths)
        spent.append(problem.cost(allocation)["size"])
    assert spent == sorted(spent, reverse=True)
    assert max(spent) <= limit
    assert solve_clusters(Problem(problem.damage, costs, {"size": 1}), network, 10).allocations == []


@pytest.mark.parametrize("share", DISTORTIONS)
def test_a_layer_of_zeros_has_no_length(share: float) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="only", kernel_initializer="zeros")])
    choices = [Choice("int", 2, 4)]
    x = np.ones((4, 3))
    network = Network(model, Rounded.of(choices, [requantized(model, choices[0], x)]), choices, Data(x))
    assert rates(network, share) == {"only": 0.0}
