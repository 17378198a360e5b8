"""Small models with trainable quantizers, and data for them."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np

from fpgaq.quantize.quantizers import FrequencyAware, GaussianMixture, LearnedClip

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 64, (60, 6, 6, 2)).astype("float32") / 64
VALUES = RNG.normal(size=(60, 3)).astype("float32")


def mixed() -> Any:
    """Convolutions and dense layers with quantizers in every place."""
    from qkeras import QActivation, QConv2D, QDense, QDepthwiseConv2D, quantized_bits

    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 6, 2), name="x"),
            QConv2D(
                4, 3, kernel_quantizer=FrequencyAware(4), bias_quantizer=quantized_bits(4, 0, alpha=1), name="conv"
            ),
            QActivation(LearnedClip(3), name="conv_clip"),
            QDepthwiseConv2D(2, depthwise_quantizer=FrequencyAware(4, depthwise=True), name="depthwise"),
            keras.layers.Flatten(name="flat"),
            QDense(5, kernel_quantizer=GaussianMixture(3), activation=LearnedClip(4), name="mixture"),
            QDense(3, kernel_quantizer=FrequencyAware(3, "log"), name="log"),
        ]
    )


@functools.cache
def trained() -> Any:
    """The same after a few steps of the user's own training loop; one for all tests, which leave it as it is."""
    model = mixed()
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    model.fit(IMAGES, VALUES, epochs=2, verbose=0)
    return model


def outputs(model: Any) -> np.ndarray:
    return np.asarray(model(IMAGES, training=False))
