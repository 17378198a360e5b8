"""Quantization runs and trains the model that it is given; some models convert, but cannot be run or trained here."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from fpgaq.errors import ModelError

#: No number that hardware reads is larger.
LARGEST_INPUT = 2.0**31
#: TensorFlow makes scopes of the names of layers and models.
_LAYER_NAME, _MODEL_NAME = re.compile(r"[A-Za-z0-9_.\\/>-]*"), re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_LETTERS = "letters without accents, digits, _, ., - only"


def require_names(model: Any) -> None:
    """Refuse a model with names that TensorFlow cannot compile or train it with.

    Raises
    ------
    ModelError
        Naming the layer.
    """
    if not _MODEL_NAME.fullmatch(model.name):
        raise ModelError(f"model {model.name!r} cannot be compiled by TensorFlow: names have {_LETTERS}; rename it")
    for layer in model.layers:
        if not _LAYER_NAME.fullmatch(layer.name):
            raise ModelError(f"layer {layer.name!r} cannot be compiled by TensorFlow: names have {_LETTERS}; rename it")


def require_executable(model: Any) -> None:
    """Refuse a model that is not of float32, or has no sound weights.

    Parameters
    ----------
    model : keras.Model
        Without nested ones.

    Raises
    ------
    ModelError
        Naming the layer, the value and a way out.
    """
    for layer in model.layers:
        kinds = (layer.compute_dtype, layer.variable_dtype)
        if layer.weights and kinds != ("float32", "float32"):
            raise ModelError(
                f"layer {layer.name!r} computes in {kinds[0]} with weights in {kinds[1]}, quantizers in float32; make "
                "the model with dtype='float32' and give it the weights of this one"
            )
        if not all(np.isfinite(values).all() for values in layer.get_weights()):
            raise ModelError(f"layer {layer.name!r} has weights that are NaN or infinite; train the model again")
