"""A trained model with other number formats: every matrix and every rectifier gets the quantizers of a choice.

Weights keep their values and are rounded by the quantizers. The range of integers, of weights and of activations, is
the power of two with the least squared error, on the weights themselves and on what calibration data make of the
rectifiers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError, ModelError

#: Formats of weights, and the bits that they can have at least and at most.
FORMATS = {"int": (2, 16), "pot": (2, 6), "ternary": (2, 2), "binary": (1, 1)}
_BIAS_BITS = 8
_CALIBRATION = 512
#: Keras' layers with a matrix, and what becomes of each.
_MATRICES = {
    "Conv1D": "QConv1D",
    "Conv2D": "QConv2D",
    "Dense": "QDense",
    "DepthwiseConv2D": "QDepthwiseConv2D",
}
_KERNEL_QUANTIZERS = ("kernel_quantizer", "depthwise_quantizer")
_ACTIVATIONS = ("Activation", "QActivation", "ReLU")

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """How the numbers of a layer are stored.

    Parameters
    ----------
    format : str
        Of the weights, one of `FORMATS`.
    weights, activations : int
        Bits.
    """

    format: str
    weights: int
    activations: int

    def __post_init__(self) -> None:
        allowed = widths(self.format)
        if self.weights not in allowed:
            raise ConfigError(
                f"weights of {self.weights} bits in format {self.format}; use {allowed[0]} to {allowed[-1]}"
            )
        if not 1 <= self.activations <= 16:
            raise ConfigError(f"activations of {self.activations} bits; use 1 to 16")


def widths(format_: str) -> range:
    """Return the numbers of bits that weights of a format may have.

    Raises
    ------
    ConfigError
        If there is no such format.
    """
    if format_ not in FORMATS:
        raise ConfigError(f"format {format_!r} is unknown; known are {', '.join(FORMATS)}")
    least, most = FORMATS[format_]
    return range(least, most + 1)


def requantized(model: Any, choices: Choice | Mapping[str, Choice], calibration: Real) -> Any:
    """Return a copy of a model with other quantizers.

    Parameters
    ----------
    model : keras.Model
        Of Keras' or QKeras' layers; those without a matrix or a rectifier stay as they are.
    choices : Choice or mapping of Choice
        For all layers, or by the name of a layer with a matrix; a rectifier follows the matrix in front of it.
    calibration : float array, shape (samples, ...)
        Inputs that set the ranges of activations.

    Raises
    ------
    ModelError
        If the model has no matrix, or a layer is named that has none.
    """
    import keras

    names = matrices(model)
    if not names:
        raise ModelError(f"model {model.name!r} has no layer with a matrix: there is nothing to choose bits for")
    by_name = dict.fromkeys(names, choices) if isinstance(choices, Choice) else dict(choices)
    unknown = set(by_name) - set(names)
    if unknown:
        raise ModelError(f"layer {sorted(unknown)[0]!r} has no matrix; layers with one are {', '.join(names)}")
    current = _by_layer(model, by_name)
    levels = layer_outputs(
        model, [layer for layer in model.layers if layer.name in current and _rectifies(layer)], calibration
    )
    copy = keras.models.clone_model(model, clone_function=_cloning(current, levels))
    for layer, new in zip(model.layers, copy.layers, strict=True):
        new.set_weights(layer.get_weights())
    return copy


def free_kernels(model: Any) -> Any:
    """Return a copy of a requantized model that computes with kernels as they are, for others to be put in."""
    import keras

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        return type(layer).from_config({**config, **{key: None for key in _KERNEL_QUANTIZERS if key in config}})

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def matrices(model: Any) -> list[str]:
    """Return the names of the layers that have a choice."""
    return [layer.name for layer in model.layers if _matrix(layer)]


def quantized_kernels(model: Any) -> dict[str, Real]:
    """Return the kernels that a requantized model computes with, by layer."""
    found = {}
    for layer in model.layers:
        if _matrix(layer):
            quantizer = next(q for key in _KERNEL_QUANTIZERS if (q := getattr(layer, f"{key}_internal", None)))
            found[layer.name] = np.asarray(quantizer(layer.get_weights()[0]), np.float64)
    return found


def _by_layer(model: Any, by_name: Mapping[str, Choice]) -> dict[str, Choice]:
    """Return the choice of every layer with a matrix, and of every rectifier: that of the last matrix before it."""
    found: dict[str, Choice] = {}
    last: Choice | None = None
    for layer in model.layers:
        if _matrix(layer):
            last = by_name.get(layer.name)
        if last is not None and (_matrix(layer) or _rectifies(layer)):
            found[layer.name] = last
    return found


def _matrix(layer: Any) -> str | None:
    """Return the QKeras class for a layer with a matrix."""
    name = type(layer).__name__
    return _MATRICES.get(name, name if name in _MATRICES.values() else None)


def _rectifies(layer: Any) -> bool:
    """Whether a layer ends in a rectifier."""
    if type(layer).__name__ == "ReLU":
        return True
    activation = getattr(layer, "activation", None)
    name = getattr(activation, "__name__", None) or type(activation).__name__
    return name in ("relu", "quantized_relu") and (type(layer).__name__ in _ACTIVATIONS or _matrix(layer) is not None)


def layer_outputs(model: Any, layers: list[Any], calibration: Real) -> dict[str, Real]:
    """Return what calibration data make of some layers."""
    import keras

    if not layers:
        return {}
    inner = keras.Model(model.inputs, [layer.output for layer in layers])
    found = inner.predict(calibration[:_CALIBRATION], verbose=0)
    arrays = [found] if len(layers) == 1 and not isinstance(found, list) else found
    return {layer.name: np.asarray(a, np.float64) for layer, a in zip(layers, arrays, strict=True)}


def _cloning(choices: Mapping[str, Choice], levels: Mapping[str, Real]) -> Callable[[Any], Any]:
    """Return what clones a layer, with other quantizers where one was chosen."""
    import qkeras

    def clone(layer: Any) -> Any:
        choice = choices.get(layer.name)
        if choice is None:
            return type(layer).from_config(layer.get_config())
        rectifier = None
        if layer.name in levels:
            rectifier = _rectifier(levels[layer.name], choice.activations)
        kind = _matrix(layer)
        if kind is None:
            return qkeras.QActivation(rectifier, name=layer.name)
        config = {k: v for k, v in layer.get_config().items() if not k.endswith(("_quantizer", "_range"))}
        config.pop("quantization_config", None)
        kernel, *bias = layer.get_weights()
        which = "depthwise_quantizer" if kind == "QDepthwiseConv2D" else "kernel_quantizer"
        config[which] = _weights(kernel, choice)
        if bias:
            config["bias_quantizer"] = _integers(bias[0], _BIAS_BITS)
        if rectifier is not None:
            config["activation"] = rectifier
        return getattr(qkeras, kind)(**config)

    return clone


def _weights(kernel: Real, choice: Choice) -> Any:
    """Return the quantizer of weights."""
    from qkeras import binary

    from fpgaq.quantize.quantizers import PowerOfTwo, TernaryWeights

    if choice.format == "ternary":
        return TernaryWeights()
    if choice.format == "binary":
        return binary(alpha="auto_po2")
    return PowerOfTwo(choice.weights) if choice.format == "pot" else _integers(kernel, choice.weights)


def _integers(values: Real, bits: int) -> Any:
    """Return the signed quantizer whose range fits best."""
    from qkeras import quantized_bits

    return quantized_bits(bits, _best_range(values, bits - 1, -1), alpha=1)


def _rectifier(values: Real, bits: int) -> Any:
    """Return the rectifier whose range fits best."""
    from qkeras import quantized_relu

    return quantized_relu(bits, _best_range(values, bits, 0))


def _best_range(values: Real, bits: int, least: int) -> int:
    """Return the exponent of the range with the least squared error, for so many bits below it; `least` is 0 or -1."""

    def error(integer: int) -> float:
        step = 2.0 ** (integer - bits)
        rounded = np.clip(np.rint(values / step), least * 2**bits, 2**bits - 1) * step
        return float(np.mean((rounded - values) ** 2))

    return min(_ranges(values), key=error)


def _ranges(values: Real) -> range:
    """Return the exponents of ranges to try: from one that holds everything down to a sixteenth of it."""
    most = float(np.max(np.abs(values), initial=0.0))
    top = math.ceil(math.log2(most)) if most > 0 else 0
    return range(top, top - 5, -1)
