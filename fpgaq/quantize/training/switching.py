"""Other bits for a model that is trained: the same weights and parameters, quantized again without training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fpgaq.quantize.training.progressive import start_from
from fpgaq.quantize.training.trainer import Settings, quantized


def at_bits(original: Any, trained: Any, x: np.ndarray, settings: Settings, bits: int) -> Any:
    """Return a trained model with other bits of weights.

    Parameters
    ----------
    original : keras.Model
        That was given to the training.
    trained : keras.Model
        What it returned; stays as it is.
    x : float array, shape (samples, ...)
        That it was trained with.
    settings : Settings
        Of the training.
    bits : int
        Any that the method has.

    Raises
    ------
    ConfigError
        If it does not have them.
    """
    import keras

    from fpgaq.frontend.flatten import flattened
    from fpgaq.quantize.quantizers.attachment import own_weights, set_own_weights

    flat = flattened(original)
    latent = keras.models.clone_model(flat)
    for layer, kept in zip(latent.layers, trained.layers, strict=True):
        set_own_weights(layer, own_weights(kept))
    found = quantized(latent, x, replace(settings, bits=bits, progressive=False))
    start_from(found, trained)
    return found
