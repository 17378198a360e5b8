"""Keras models for the tests: seeded, with weights that no training has to make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from qkeras import QActivation, QDense, binary, quantized_bits, quantized_po2, ternary

from fpgaq.config import make_options
from fpgaq.conversion import lower
from fpgaq.design import Design
from fpgaq.stimuli import random_codes


def bits(width: int, integer: int = 0, **options: Any) -> Any:
    """Return a quantized_bits that is exact by itself."""
    return quantized_bits(width, integer, **{"alpha": 1, **options})


def dense(units: int, kernel: Any = None, bias: Any = None, **options: Any) -> Any:
    """Return a QDense whose parameters are quantized."""
    quantizers = {"kernel_quantizer": kernel or bits(4), "bias_quantizer": bias or bits(4)}
    if options.get("use_bias") is False:
        del quantizers["bias_quantizer"]
    return QDense(units, **quantizers, **options)


def sequential(*layers: Any, inputs: tuple[int, ...] = (6,), seed: int = 0) -> Any:
    """Build a model and give every parameter random values, biases and batch statistics included."""
    keras.utils.set_random_seed(seed)
    return with_random_weights(keras.Sequential([keras.Input(inputs, name="features"), *layers]), seed)


def with_random_weights(model: Any, seed: int = 0) -> Any:
    """Give every parameter of a model a random value."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        if variable.dtype == "float32":
            positive = "variance" in variable.name
            values = rng.uniform(0.3, 2, variable.shape) if positive else rng.normal(0, 0.7, variable.shape)
            variable.assign(values)
    return model


def quantized_mlp() -> Any:
    """Return a model of every kind of quantizer in which nothing is left to round."""
    return sequential(
        dense(8, bits(6), name="fc1"),
        QActivation("quantized_relu(5,1)", name="act1"),
        dense(7, ternary(alpha=1), name="fc2"),
        QActivation(bits(5, 2), name="act2"),
        dense(6, quantized_po2(4), quantized_po2(4), name="fc3"),
        QActivation("ternary(alpha=1)", name="act3"),
        dense(5, binary(alpha=1), use_bias=False, name="fc4"),
        QActivation("quantized_tanh(4)", name="act4"),
        dense(3, bits(4, 1, alpha="auto_po2"), name="fc5"),
    )


def lowered(model: Any, name: str = "net", *, folder: Path = Path("unused"), **options: Any) -> Design:
    """Convert a model without writing anything."""
    return lower(model, name, make_options({"input_precision": "fixed<7,3>", **options}), folder)


def stimuli(design: Design, samples: int = 300) -> np.ndarray:
    """Return random codes with the corners of the range."""
    return random_codes(design.graph, samples, seed=1)
