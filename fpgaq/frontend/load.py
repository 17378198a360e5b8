"""Reading model files: .keras, legacy .h5, .json with separate weights. Nothing in a file is executed."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fpgaq.errors import ModelError
from fpgaq.frontend.supported import GRAPH_CLASSES, SUPPORTED_CLASSES, unsupported

#: Strings that name a quantizer or activation, with plain literals as arguments: QKeras evaluates them.
_CALL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\(\s*([A-Za-z0-9_.+\-=,\s'\"]*)\))?")
_SUFFIXES = (".keras", ".h5", ".hdf5", ".json")


def load_model(path: Path, weights: Path | None = None) -> Any:
    """Load a model file as a Keras model.

    Parameters
    ----------
    path : Path
        ``.keras``, ``.h5``/``.hdf5``, or ``.json`` with `weights`.
    weights : Path, optional
        ``.h5`` file with the weights of a ``.json`` model.

    Raises
    ------
    ModelError
        If the file is missing, damaged, of another kind, or holds a layer that is not supported.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"model file {path} does not exist")
    if path.suffix not in _SUFFIXES:
        raise ModelError(f"model file {path}: suffix {path.suffix!r} is not one of {', '.join(_SUFFIXES)}")
    if (path.suffix == ".json") != (weights is not None):
        raise ModelError(f"model file {path}: a .json model needs --weights FILE.h5, and only that one does")
    config = _read_config(path)
    check_config(config, path)
    return _build(path, weights, config)


def _read_config(path: Path) -> dict[str, Any]:
    """Read the architecture without building anything."""
    try:
        if path.suffix == ".json":
            text: str | bytes = path.read_text()
        elif path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                text = archive.read("config.json")
        else:
            import h5py

            with h5py.File(path, "r") as file:
                if "model_config" not in file.attrs:
                    raise ModelError(f"model file {path} holds weights only; save the whole model, or give its .json")
                text = file.attrs["model_config"]
        config = json.loads(text)
    except (OSError, zipfile.BadZipFile, KeyError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"model file {path} is damaged or not a Keras {path.suffix} file ({error})") from None
    if not isinstance(config, dict) or "config" not in config:
        raise ModelError(f"model file {path} does not describe a Keras model")
    return config


def check_config(config: dict[str, Any], path: Path) -> None:
    """Refuse what cannot be converted, and what would be executed, before anything is built."""
    if config.get("class_name") not in GRAPH_CLASSES:
        raise ModelError(
            f"model file {path}: {config.get('class_name')!r} models are not supported; use Sequential or "
            "functional ones"
        )
    layers = list(_layers_of(config))
    if not all(_is_layer(layer) for layer in layers):
        raise ModelError(f"model file {path} does not describe the layers of a Keras model")
    for layer in layers:
        name = layer["config"].get("name", layer.get("name", "?"))
        # Keras 3 writes registered names into .h5 files.
        kind = str(layer.get("class_name")).removeprefix("qkeras>").removeprefix("fpgaq>")
        if kind not in SUPPORTED_CLASSES:
            raise unsupported(name, kind)
        for key, text in _strings(layer["config"]):
            if key.endswith(("activation", "quantizer")) and not _CALL.fullmatch(text):
                raise ModelError(
                    f"layer {name!r}: {key}={text!r} is not a name with plain arguments; nothing in a model file is "
                    "executed"
                )


def _layers_of(config: dict[str, Any]) -> Iterator[Any]:
    """Return what stands for a layer, those of nested models and in wrappers too, and what should but does not."""
    inner = config["config"]
    layers: Any = inner.get("layers") if isinstance(inner, dict) else None
    found: list[Any] = layers if isinstance(layers, list) else [None]
    for layer in found:
        kind = layer.get("class_name") if isinstance(layer, dict) and _is_layer(layer) else None
        if kind in GRAPH_CLASSES:
            yield from _layers_of(layer)
            continue
        yield layer
        if kind == "TimeDistributed":
            yield layer["config"].get("layer")


def _is_layer(layer: Any) -> bool:
    return isinstance(layer, dict) and isinstance(layer.get("config"), dict)


def _check_functions(config: dict[str, Any], known: Iterable[str]) -> None:
    """Refuse activations and quantizers that neither Keras nor QKeras has; their own errors name no layer."""
    names = set(known)
    for layer in _layers_of(config):
        for key, value in layer["config"].items():
            if key.endswith(("activation", "quantizer")) and value is not None:
                name = value.get("class_name") if isinstance(value, dict) else value
                name = value.get("config") if name == "function" and isinstance(value, dict) else name
                base = str(name).split("(")[0].rpartition(">")[2]  # Keras writes registered names as package>name
                if base not in names:
                    raise ModelError(
                        f"layer {layer['config'].get('name', '?')!r}: {key} {base!r} is unknown; use a quantizer of "
                        "QKeras, or relu, linear, softmax"
                    )


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for k, v in value.items():
            yield from _strings(v, k)
    elif isinstance(value, list):
        for v in value:
            yield from _strings(v, key)
    elif isinstance(value, str):
        yield key, value


def _build(path: Path, weights: Path | None, config: dict[str, Any]) -> Any:
    import keras
    from qkeras import quantizers
    from qkeras.utils import _add_supported_quantized_objects

    from fpgaq.quantize import layers  # noqa: F401  importing registers them
    from fpgaq.quantize import quantizers as own

    objects: dict[str, Any] = {}
    _add_supported_quantized_objects(objects)
    _check_functions(config, [*objects, *own.__all__, *vars(keras.activations), *filter(str.islower, vars(quantizers))])
    try:
        if weights is None:
            return keras.models.load_model(path, custom_objects=objects, compile=False, safe_mode=True)
        model = keras.models.model_from_json(path.read_text(), custom_objects=objects)
        if not Path(weights).is_file():
            raise ModelError(f"weights file {weights} does not exist")
        model.load_weights(weights)
        return model
    except ModelError:
        raise
    except Exception as error:  # Keras raises whatever its layers raise
        said = str(error).rpartition("Exception encountered:")[2].strip() or type(error).__name__
        raise ModelError(f"model file {path} cannot be loaded: {said.splitlines()[0]}") from error
