"""Damages of known networks: exact weights, known determinants and Hessians, identical features."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fpgaq.explore.network import Data, Network, Rounded, log_probabilities
from fpgaq.explore.policies import POLICIES
from fpgaq.explore.policies.coding_length import channels, length
from fpgaq.explore.policies.curvature import hessian_traces
from fpgaq.explore.policies.ompq import cka, importances
from fpgaq.quantize.requantize import Choice, requantized

CHOICES = [Choice("int", bits, 6) for bits in (2, 3, 4, 6)]
RNG = np.random.default_rng(1)
X = np.round(RNG.normal(size=(200, 5)) * 8) / 8


def network(model: keras.Model, choices: list[Choice] | None = None, labels: np.ndarray | None = None) -> Network:
    copies = [requantized(model, choice, X) for choice in choices or CHOICES]
    return Network(model, Rounded.of(choices or CHOICES, copies), choices or CHOICES, Data(X, labels))


@pytest.fixture(scope="module")
def trained() -> Network:
    """A model of two classes whose first weights are multiples of a quarter from -1/2 to 1/4."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(6, activation="relu", name="exact"), keras.layers.Dense(2, name="last")]
    model = keras.Sequential([keras.Input((5,)), *layers])
    kernel = RNG.integers(-2, 2, (5, 6)) / 4
    layers[0].set_weights([kernel, np.zeros(6)])
    return network(model, labels=(X[:, 0] > 0).astype(np.int64))


def test_a_network_with_kernels_put_in_is_the_requantized_model(trained: Network) -> None:
    chosen = [CHOICES[1], CHOICES[0]]
    copy = requantized(trained.original, dict(zip(("exact", "last"), chosen, strict=True)), X)
    assert np.array_equal(trained.outputs(chosen, X), copy.predict(X, verbose=0))
    assert trained.loss(chosen) == pytest.approx(trained.loss_of(copy), abs=1e-12)
    assert trained.loss(chosen) != trained.loss([CHOICES[3], CHOICES[3]])


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_every_policy_gives_a_number_for_every_choice(policy: str, trained: Network) -> None:
    for table in POLICIES[policy](trained).values():
        assert [layer.shape for layer in table] == [(4,), (4,)]
        assert np.isfinite(table).all()


@pytest.mark.parametrize("policy", ["mse", "fisher", "hessian", "nuclear-norm", "kl", "ce"])
def test_exact_weights_are_not_damaged(policy: str, trained: Network) -> None:
    """Two bits and more hold the first layer's weights."""
    exact, last = POLICIES[policy](trained)[""]
    assert np.abs(exact).max() < 1e-9
    assert abs(last[0]) > abs(last[3])


def test_squared_errors_are_shares_of_the_squares(trained: Network) -> None:
    kernel = trained.floats["last"]
    error = ((trained.rounded.kernels["int", 2]["last"] - kernel) ** 2).sum() / (kernel**2).sum()
    assert POLICIES["mse"](trained)[""][1][0] == pytest.approx(error)


def test_hessian_trace_of_a_linear_classifier() -> None:
    """The Hessian of a softmax is known: for every input x, (x x^T) times (diag(p) - p p^T)."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="only")])
    subject = network(model, [Choice("int", 4, 4)])
    p = np.exp(log_probabilities(model, np.asarray(subject.outputs([None], X))))
    wanted = np.mean((X**2).sum(axis=1) * (p * (1 - p)).sum(axis=1))
    assert hessian_traces(subject, probes=400)["only"] == pytest.approx(wanted, rel=0.05)


def test_coding_length_of_known_determinants() -> None:
    assert length(np.zeros((3, 4)), 1.0) == 0
    # det(I + n/(eps^2 m) W W^T) of an orthogonal W is (1 + 1/eps^2)^n
    assert length(np.eye(4), 0.25) == pytest.approx((4 + 4) / 2 * 4 * np.log2(5))
    tall = RNG.normal(size=(7, 3))
    whole = (7 + 3) / 2 * np.linalg.slogdet(np.eye(7) + 7 / (0.1 * 3) * tall @ tall.T)[1] / np.log(2)
    assert length(tall, 0.1) == pytest.approx(whole)  # the smaller of the two matrices of products is used


def test_channels_are_columns() -> None:
    kernel = np.arange(24).reshape(2, 2, 3, 2)
    assert channels(kernel, False).shape == (12, 2)
    assert np.array_equal(channels(kernel, True)[:, 1], kernel[:, :, 0, 1].reshape(-1))


def test_resemblance_of_identical_and_of_unlike_features() -> None:
    one = RNG.normal(size=(64, 8))
    rotated = 3 * one @ np.linalg.qr(RNG.normal(size=(8, 8)))[0] + 5
    other = np.eye(64)[:, :1] - np.eye(64)[:, 1:2]
    found = cka([one, rotated, other])
    assert found[0, 1] == pytest.approx(1)
    assert np.allclose(np.diag(found), 1)
    assert found[0, 2] < 0.5
    alike = importances(cka([one, rotated, one]), 10.0)
    assert np.allclose(alike, alike[0])  # layers that are alike count the same


def test_importance_falls_with_resemblance() -> None:
    resemblance = np.array([[1, 0.9, 0.1], [0.9, 1, 0.1], [0.1, 0.1, 1]])
    assert np.argmax(importances(resemblance, 10.0)) == 2
    # gamma is 1.0, 1.0 and 0.2: theta, without what all have in common, is e^-0.8, e^-0.8 and 1
    theta = np.exp(-np.array([0.8, 0.8, 0.0]))
    assert np.allclose(importances(resemblance, 1.0), [theta.mean(), theta[1:].mean(), 1])
