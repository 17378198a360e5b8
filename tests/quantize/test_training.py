"""Training by name: every system on a tiny network, frozen and equal in the golden model; settings; the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import fpgaq
from fpgaq.cli import app
from fpgaq.errors import ConfigError
from fpgaq.frontend.load import load_model
from fpgaq.quantize.training.distillation import DistillationLoss, targets
from fpgaq.quantize.training.groups import GroupedAdam
from fpgaq.quantize.training.last_good import LastGood
from fpgaq.quantize.training.loss import objective_of
from fpgaq.quantize.training.registry import ACTIVATIONS, WEIGHTS
from fpgaq.quantize.training.trainer import Settings, train

RNG = np.random.default_rng(0)
X = RNG.integers(-16, 16, (160, 6)).astype("float32") / 8
Y = (X[:, 0] > X[:, 1]).astype(int) + (X[:, 2] > 0)


def network(*head: Any) -> Any:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, activation="relu", name="a"), keras.layers.Dense(3, name="b"), *head]
    return keras.Sequential([keras.Input((6,), name="x"), *layers])


@pytest.fixture(scope="module")
def given() -> Any:
    model = network()
    model.compile(keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, epochs=15, verbose=0)
    return model


def _settings(kind: str, name: str) -> Settings:
    bits = (WEIGHTS if kind == "weights" else ACTIVATIONS)[name].bits
    few = max(bits[0], min(3, bits[-1]))
    if kind == "weights":
        return Settings(name, few, epochs=2, rate=1e-2)
    return Settings("uniform", 4, name, few, epochs=2, rate=1e-2)


#: The others are alike.
_ALWAYS = ("fat", "dgms", "ttq", "slb", "n2uq")


def _systems() -> list[Any]:
    names = [*(("weights", name) for name in WEIGHTS), *(("activations", name) for name in ACTIVATIONS)]
    return [
        pytest.param(*pair, marks=() if pair[1] in _ALWAYS else pytest.mark.extended, id="-".join(pair))
        for pair in names
    ]


@pytest.mark.parametrize(("kind", "name"), _systems())
def test_every_system_trains_freezes_and_is_exact(given: Any, kind: str, name: str, tmp_path: Path) -> None:
    found = train(given, X, Y, _settings(kind, name))
    assert found.diverged is None
    assert found.history["loss"][-1] < 1.2
    frozen = fpgaq.freeze(found.model)
    assert np.array_equal(frozen(X), found.model(X))
    assert np.mean(np.argmax(frozen(X), 1) == Y) > 0.6
    design = fpgaq.convert(found.model, input_precision="fixed<5,1>", output=tmp_path / "build")
    assert design.keras_gate(np.rint(X * 8).astype(int)).passed


def test_seeds_repeat_and_progressive_bits_start_from_more(given: Any) -> None:
    plain = Settings("fat", 2, epochs=1, seed=3)
    found = [train(given, X, Y, plain).model.get_layer("a").kernel.numpy() for _ in range(2)]
    assert np.array_equal(found[0], found[1])
    stages: list[float] = []
    counting = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: stages.append(0.0))
    progressive = train(given, X, Y, Settings("fat", 2, epochs=1, seed=3, progressive=True), callbacks=[counting])
    assert len(stages) == 2
    assert progressive.model.get_layer("a").kernel_quantizer.bits == 2
    assert not np.array_equal(progressive.model.get_layer("a").kernel, found[0])


def test_a_loss_that_is_not_a_number_stops_and_restores() -> None:
    model = network()
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    x, y, good = X.copy(), np.zeros((160, 3)), LastGood()

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                self.before = self.model.get_weights()
                self.model.optimizer.learning_rate = np.inf

    spoil = Spoil()
    history = model.fit(x, y, epochs=6, verbose=0, callbacks=[spoil, good])
    assert good.diverged == "training diverged in epoch 3; the weights are those from before it"
    assert len(history.history["loss"]) == 3
    for kept, before in zip(model.get_weights(), spoil.before, strict=True):
        assert np.array_equal(kept, before)


def test_groups_have_rates_of_their_own() -> None:
    variables = [keras.Variable(np.ones(2, "float32"), name=name) for name in ("kernel", "clip")]
    optimizer = GroupedAdam({"clip": 10.0}, 1e-3)
    optimizer.apply([np.ones(2, "float32")] * 2, variables)
    moved = [1 - float(variable.numpy()[0]) for variable in variables]
    assert np.isclose(moved[1], 10 * moved[0], rtol=1e-3)
    assert GroupedAdam.from_config(optimizer.get_config()).factors == {"clip": 10.0}


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_distillation_is_the_own_loss_or_none_at_the_teacher(share: float) -> None:
    for model in (network(), network(keras.layers.Softmax())):
        objective = objective_of(model, Y)
        outputs = model(X)
        loss = DistillationLoss(objective.kind, objective.probabilities, share)(targets(model, X, Y), outputs)
        want = objective.loss()(Y, outputs) if share == 0 else 0.0
        assert np.isclose(float(loss), float(want), atol=1e-6)


@pytest.mark.parametrize(
    ("head", "y", "kind", "probabilities"),
    [
        ((), Y, "classes", False),
        ((keras.layers.Softmax,), Y, "classes", True),
        ((lambda: keras.layers.Activation("softmax"),), Y, "classes", True),
        ((), RNG.normal(size=(160, 3)), "values", False),
        ((lambda: keras.layers.Dense(1, activation="sigmoid"),), Y > 0, "binary", True),
        ((lambda: keras.layers.Dense(1),), Y > 0, "binary", False),
    ],
)
def test_the_loss_follows_the_last_layer(head: tuple[Any, ...], y: np.ndarray, kind: str, probabilities: bool) -> None:
    found = objective_of(network(*(make() for make in head)), y)
    assert (found.kind, found.probabilities) == (kind, probabilities)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "method 'magic' is unknown; known are uniform"),
        ({"method": "fat-log", "bits": 6}, "method 'fat-log' is for 2 to 5 bits, not 6"),
        ({"activation_method": "n2uq", "activations": 9}, "method 'n2uq' is for 1 to 8 bits, not 9"),
        ({"epochs": 0}, "epochs 0 must be at least 1"),
        ({"rate": 0.0}, "rate 0.0 must be positive"),
        ({"distill": 2.0}, "distill 2.0 must lie in 0..1"),
        ({"seed": -1}, "seed -1 must lie in 0..4294967295"),
        ({"method": "twn", "bits": 2, "progressive": True}, "has no 3 bits to start from"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings(**{"method": "fat", "bits": 4, **change})


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:, :5], Y, r"inputs of shape \[160, 5\] do not fit"),
        (X, Y[:9], "9 targets for 160 inputs"),
        (np.where(X > 1, np.nan, X), Y, "inputs contain NaN or infinity"),
        (X, Y + 2, "targets are classes 0 to 2, not 4"),
        (X, Y / 2, r"targets of shape \[160\] and type float64 do not fit outputs of shape"),
    ],
)
def test_data_that_do_not_fit_are_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train(network(), x, y, Settings("fat", 4))


def test_train_as_typed(given: Any, tmp_path: Path) -> None:
    given.save(tmp_path / "float.keras")
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    data = ["--inputs", tmp_path / "x.npy", "--targets", tmp_path / "y.npy"]

    def call(*arguments: object) -> Any:
        return CliRunner().invoke(app, ["train", str(tmp_path / "float.keras"), *map(str, [*data, *arguments])])

    made = call("--method", "dgms", "--bits", 2, "--epochs", 1, "--distill", 0.5, "-o", tmp_path / "q.keras")
    assert made.exit_code == 0, made.output
    assert "accuracy on 160 training data: " in made.stderr
    assert load_model(tmp_path / "q.keras").get_layer("a").kernel_quantizer_internal.bits == 2
    refused = call("--method", "dgms", "--bits", 2, "--test-inputs", tmp_path / "x.npy", "-o", tmp_path / "r.keras")
    assert refused.exit_code == 2
    assert "--test-inputs and --test-targets belong together" in refused.stderr
    assert call("--method", "dgms", "--bits", 2, "-o", tmp_path / "r.onnx").exit_code == 2
    assert not (tmp_path / "r.keras").exists()
