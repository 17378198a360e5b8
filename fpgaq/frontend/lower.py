"""Keras model to hls4ml graph with the fpgaq backend."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fpgaq.config import Options
from fpgaq.errors import ConfigError, FpgaqError, ModelError
from fpgaq.frontend.supported import check_model, hls_name


def to_hls_graph(model: Any, name: str, options: Options, folder: Path) -> Any:
    """Convert a Keras model to an hls4ml ``ModelGraph`` whose ``derivation`` holds the integer graph.

    Parameters
    ----------
    model : keras.Model
    name : str
        Name of the design.
    options : Options
    folder : Path
        Where the HLS project will be written.

    Raises
    ------
    FpgaqError
        Naming the layer and the way out.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import hls4ml

    check_model(model)
    try:
        with quiet():
            graph = hls4ml.converters.convert_from_keras_model(
                model,
                output_dir=str(folder),
                project_name=name,
                backend="fpgaq",
                hls_config=hls_config(model, options),
                allow_da_fallback=False,
                allow_v2_fallback=False,
                write_weights_txt=False,
                **options.model_dump(mode="json", exclude={"layers"}),
                layers={hls_name(k): v.model_dump() for k, v in options.layers.items()},
            )
    except FpgaqError:
        raise
    except Exception as error:  # hls4ml raises bare exceptions and assertions
        raise ModelError(f"hls4ml could not convert {model.name!r}: {error or type(error).__name__}") from error
    graph.part_of_design = True
    graph.config.trace_output = True
    for layer in graph.get_layers():
        layer.set_attr("trace", layer.class_name not in ("Clone", "Repack"))  # these are no layers of the model
    return graph


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what hls4ml prints: what matters in it is raised as an error here."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def hls_config(model: Any, options: Options) -> dict[str, Any]:
    """Return hls4ml's configuration for the options."""
    names = {layer.name for layer in model.layers}
    layers: dict[str, Any] = {}
    for name, layer_options in options.layers.items():
        if name not in names:
            raise ConfigError(f"layers: the model has no layer {name!r}; it has {', '.join(sorted(names))}")
        if layer_options.reuse_factor is not None:
            layers[hls_name(name)] = {"ReuseFactor": layer_options.reuse_factor}
    return {
        "Model": {"Precision": {"default": options.input_precision}, "ReuseFactor": options.reuse_factor},
        "LayerName": layers,
    }
