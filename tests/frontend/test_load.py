"""Model files: what loads is the same model, what does not says why, and nothing in a file is executed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras_models import bits, dense, quantized_mlp, sequential
from qkeras import QActivation, ternary

from fpgaq.errors import ModelError
from fpgaq.frontend.load import load_model
from fpgaq.quantize.quantizers import ThresholdLevels

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model in every form."""
    folder = tmp_path_factory.mktemp("models")
    model = quantized_mlp()
    for name in ("m.keras", "m.h5", "m.hdf5"):
        model.save(folder / name)
    (folder / "m.json").write_text(model.to_json())
    model.save_weights(folder / "m.weights.h5")
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32))
    np.save(folder / "y.npy", np.asarray(model(np.load(folder / "x.npy"))))
    return folder


def assert_same_model(folder: Path, model: Any) -> None:
    assert np.array_equal(np.asarray(model(np.load(folder / "x.npy"))), np.load(folder / "y.npy"))


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.hdf5"])
def test_model_files_load(saved: Path, name: str) -> None:
    assert_same_model(saved, load_model(saved / name))


@pytest.mark.parametrize("weights", ["m.weights.h5", "m.h5"])
def test_architecture_with_weights_loads(saved: Path, weights: str) -> None:
    assert_same_model(saved, load_model(saved / "m.json", saved / weights))


#: One activation quantizer of every class, with options that are no defaults.
ACTIVATIONS = (
    "binary(use_01=1,alpha=0.5)",
    "binary_tanh",
    "quantized_bits(5,1,alpha=0.75)",
    "quantized_linear(5,1,alpha=0.75)",
    "quantized_po2(4,2)",
    "quantized_relu(5,1,0,0.25)",
    "quantized_relu_po2(3,2)",
    "quantized_sigmoid(5,0,1)",
    "quantized_tanh(5,0,0,1)",
    "quantized_ulaw(2)",
    "stochastic_binary(alpha=0.5)",
    "stochastic_ternary(alpha=0.5)",
    "ternary(alpha=0.5,threshold=0.25)",
)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_every_activation_quantizer_loads_with_its_options(tmp_path: Path, name: str) -> None:
    x = keras.Input((3,), name="features")
    layers = [QActivation(text, name=f"q{k}") for k, text in enumerate(ACTIVATIONS)]
    layers.append(QActivation(ThresholdLevels([-0.5, 0.25], [-1.0, 0.0, 2.0]), name="own"))
    layers += [keras.layers.ReLU(2.5, name="limit"), keras.layers.Activation("hard_tanh", name="clip")]
    model = keras.Model(x, [layer(x) for layer in layers])
    model.save(tmp_path / name)
    values = np.random.default_rng(0).normal(0, 1.5, (50, 3)).astype(np.float32)
    for want, found in zip(model(values), load_model(tmp_path / name)(values), strict=True):
        assert np.array_equal(np.asarray(want), np.asarray(found))


def test_files_of_older_qkeras_load(saved: Path, tmp_path: Path) -> None:
    """QKeras 0.9 on Keras 2 wrote bare class names, and quantizers as strings."""
    with h5py.File(saved / "m.h5") as source, h5py.File(tmp_path / "old.h5", "w") as target:
        for key in source:
            source.copy(source[key], target, key)
        for key, value in source.attrs.items():
            target.attrs[key] = value
        text = source.attrs["model_config"]
        assert "qkeras>QDense" in text
        config = json.loads(text.replace("qkeras>", ""))
        for layer in config["config"]["layers"]:
            for unknown in ("quantization_config", "optional", "ragged"):
                layer["config"].pop(unknown, None)
            if layer["config"]["name"] == "fc2":
                layer["config"]["kernel_quantizer"] = "ternary(alpha=1)"
        target.attrs["model_config"] = json.dumps(config)
        target.attrs["keras_version"] = "2.9.0"
    assert_same_model(saved, load_model(tmp_path / "old.h5"))


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_truncated_files_are_refused(saved: Path, tmp_path: Path, name: str, share: float) -> None:
    whole = (saved / name).read_bytes()
    broken = tmp_path / name
    broken.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match=rf"{name} is damaged or not a Keras \.\w+ file"):
        load_model(broken)


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".keras", ".json"])
@pytest.mark.parametrize("content", [b"just text", b"\xff\xfe\x00\x01"])
def test_other_content_is_refused(saved: Path, tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"m\{suffix} is damaged or not a Keras \{suffix} file"):
        load_model(path, saved / "m.weights.h5" if suffix == ".json" else None)


def test_a_zip_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ModelError, match=r"m\.keras is damaged or not a Keras \.keras file.*config\.json"):
        load_model(tmp_path / "m.keras")


@pytest.mark.parametrize("name", ["none.keras", "none.h5", "."])
def test_missing_files_are_refused(saved: Path, name: str) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        load_model(saved / name)


@pytest.mark.parametrize("suffix", [".onnx", ".pb", "", ".KERAS"])
def test_other_suffixes_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"")
    with pytest.raises(ModelError, match=rf"suffix '{suffix}' is not one of \.keras, \.h5, \.hdf5, \.json"):
        load_model(path)


def test_weights_alone_are_refused(saved: Path) -> None:
    with pytest.raises(ModelError, match=r"holds weights only; save the whole model, or give its \.json"):
        load_model(saved / "m.weights.h5")


def test_weights_belong_to_json_models_only(saved: Path, tmp_path: Path) -> None:
    for path, weights in (("m.json", None), ("m.keras", saved / "m.weights.h5"), ("m.h5", saved / "m.weights.h5")):
        with pytest.raises(ModelError, match=r"a \.json model needs --weights FILE\.h5, and only that one does"):
            load_model(saved / path, weights)
    with pytest.raises(ModelError, match=r"weights file .*none\.h5 does not exist"):
        load_model(saved / "m.json", saved / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(ModelError, match=r"m\.json cannot be loaded: .*signature not found"):
        load_model(saved / "m.json", tmp_path / "text.h5")


def test_weights_of_another_model_are_refused(saved: Path, tmp_path: Path) -> None:
    sequential(dense(8, name="fc1")).save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ModelError, match=r"m\.json cannot be loaded"):
        load_model(saved / "m.json", tmp_path / "other.weights.h5")


PROOF = "executed.txt"


@pytest.fixture
def proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that code from a model file would create; it must never be there."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / PROOF
    yield path
    assert not path.exists()


def trace(x: Any) -> Any:
    """Leave a proof of being executed."""
    open("executed.txt", "w").close()
    return x


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_layers_are_refused_and_not_executed(tmp_path: Path, proof: Path, suffix: str) -> None:
    path = tmp_path / f"lambda{suffix}"
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(trace, name="lam")]).save(path)
    assert proof.exists()
    proof.unlink()
    with pytest.raises(ModelError, match=r"layer 'lam': Lambda layers .*its code would have to be executed"):
        load_model(path)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: keras.layers.Conv2DTranspose(2, 3, name="odd"), (8, 8, 1)),
        (lambda: keras.layers.Bidirectional(keras.layers.LSTM(2), name="odd"), (8, 1)),
        (lambda: keras.layers.TimeDistributed(keras.layers.LayerNormalization(name="odd")), (3, 4)),
        (lambda: keras.Sequential([keras.Input((4,)), keras.layers.RepeatVector(2, name="odd")]), (4,)),
    ],
)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_unsupported_layers_are_named(
    tmp_path: Path, layer: Callable[[], Any], shape: tuple[int, ...], suffix: str
) -> None:
    keras.Sequential([keras.Input(shape), layer()]).save(tmp_path / f"m{suffix}")
    with pytest.raises(ModelError, match=r"layer 'odd': \w+ layers are not supported; supported are .*QDense"):
        load_model(tmp_path / f"m{suffix}")


def edited(saved: Path, target: Path, edit: Edit) -> Path:
    """Copy the .keras model with another architecture text."""
    with zipfile.ZipFile(saved / "m.keras") as source, zipfile.ZipFile(target, "w") as out:
        for item in source.namelist():
            data = source.read(item)
            if item == "config.json":
                config = json.loads(data)
                edit(config)
                data = json.dumps(config).encode()
            out.writestr(item, data)
    return target


def layer_config(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(e["config"] for e in config["config"]["layers"] if e["config"]["name"] == name)


@pytest.mark.parametrize("key", ["activation", "kernel_quantizer", "bias_quantizer"])
@pytest.mark.parametrize(
    "text",
    [
        f"open({PROOF!r}, 'w')",
        f"quantized_relu(open({PROOF!r}, 'w'))",
        f"__import__('pathlib').Path({PROOF!r}).touch()",
        "quantized_relu(4);1",
        "quantized_relu(4)(3)",
        "quantized_relu[4]",
        "lambda x: x",
    ],
)
def test_expressions_in_a_file_are_refused_and_not_executed(
    saved: Path, tmp_path: Path, proof: Path, key: str, text: str
) -> None:
    path = edited(saved, tmp_path / "m.keras", lambda c: layer_config(c, "fc1").update({key: text}))
    with pytest.raises(
        ModelError, match=rf"layer 'fc1': {key}.* (is unknown|is not a name with plain arguments; nothing)"
    ):
        load_model(path)


UNKNOWN = [
    "nosuch(3)",
    "eval",
    "Path",
    {"module": "qkeras.quantizers", "class_name": "nosuch", "config": {}, "registered_name": "nosuch"},
    {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "eval"},
    {"module": "os", "class_name": "system", "config": {"command": f"touch {PROOF}"}, "registered_name": None},
    17,
]


@pytest.mark.parametrize("key", ["activation", "kernel_quantizer", "bias_quantizer"])
@pytest.mark.parametrize("value", UNKNOWN)
def test_unknown_functions_are_named_and_not_executed(
    saved: Path, tmp_path: Path, proof: Path, key: str, value: object
) -> None:
    path = edited(saved, tmp_path / "m.keras", lambda c: layer_config(c, "fc1").update({key: value}))
    with pytest.raises(ModelError, match=rf"layer 'fc1': {key} '\w+' is unknown; use a quantizer of QKeras"):
        load_model(path)


def test_wrong_arguments_are_an_error(saved: Path, tmp_path: Path) -> None:
    path = edited(
        saved, tmp_path / "m.keras", lambda c: layer_config(c, "act1").update(activation="quantized_relu(z=1)")
    )
    with pytest.raises(ModelError, match=r"m\.keras cannot be loaded: .*unexpected keyword argument 'z'"):
        load_model(path)


def test_custom_classes_are_refused(saved: Path, tmp_path: Path) -> None:
    path = edited(saved, tmp_path / "m.keras", lambda c: c["config"]["layers"][1].update(class_name="MyDense"))
    with pytest.raises(ModelError, match="layer 'fc1': MyDense layers are not supported"):
        load_model(path)


def test_subclassed_models_are_refused(saved: Path, tmp_path: Path) -> None:
    path = edited(saved, tmp_path / "m.keras", lambda c: c.update(class_name="MyModel"))
    with pytest.raises(ModelError, match=r"'MyModel' models are not supported; use Sequential or functional"):
        load_model(path)


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c.update(config=7),
        lambda c: c["config"].update(layers=7),
        lambda c: c["config"]["layers"].__setitem__(1, 7),
        lambda c: c["config"]["layers"][1].update(config=7),
        lambda c: c["config"].pop("layers"),
    ],
)
def test_malformed_architectures_are_refused(saved: Path, tmp_path: Path, edit: Edit) -> None:
    with pytest.raises(ModelError, match="does not describe the layers of a Keras model"):
        load_model(edited(saved, tmp_path / "m.keras", edit))


def test_weights_that_do_not_fit_are_an_error(saved: Path, tmp_path: Path) -> None:
    path = edited(saved, tmp_path / "m.keras", lambda c: layer_config(c, "fc5").update(units=9))
    with pytest.raises(ModelError, match=r"m\.keras cannot be loaded: \S"):
        load_model(path)


def test_quantizers_given_as_dictionary_or_text_are_the_same(saved: Path, tmp_path: Path) -> None:
    """QKeras' own functions and the bare names of Keras' activations pass the check of names."""
    layers = (
        dense(4, ternary(alpha=1), activation="quantized_relu(4)"),
        QActivation("binary_tanh"),
        dense(3, bits(3), activation="relu"),
        dense(2, bits(3), activation="linear"),
    )
    model = sequential(*layers)
    x = np.load(saved / "x.npy")
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        assert np.array_equal(np.asarray(load_model(tmp_path / name)(x)), np.asarray(model(x)))
