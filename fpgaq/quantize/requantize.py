"""A trained model with other number formats: every matrix and every rectifier gets the quantizers of a choice.

Weights keep their values and are rounded by the quantizers. The range of integers, of weights and of activations, is
the power of two with the least squared error, on the weights themselves and on what calibration data make of the
rectifiers.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError, ModelError
from fpgaq.quantize.ranges import RANGES, signed

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
#: Layers with parameters but without a matrix, which conversion rounds to a stated precision.
_NO_MATRIX = ("BatchNormalization", "Normalization", "PReLU", "QBatchNormalization")
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
    weights : int
        Bits.
    activations : int or None
        Bits; None leaves rectifiers as they are.
    """

    format: str
    weights: int
    activations: int | None

    def __post_init__(self) -> None:
        allowed = widths(self.format)
        if self.weights not in allowed:
            raise ConfigError(
                f"weights of {self.weights} bits in format {self.format}; use {allowed[0]} to {allowed[-1]}"
            )
        if self.activations is not None and not 1 <= self.activations <= 16:
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


def requantized(
    model: Any, choices: Choice | Mapping[str, Choice], calibration: NDArray[np.floating[Any]], *, ranges: str = "mse"
) -> Any:
    """Return a copy of a model with other quantizers.

    Parameters
    ----------
    model : keras.Model
        Of Keras' or QKeras' layers; those without a matrix or a rectifier stay as they are.
    choices : Choice or mapping of Choice
        For all layers, or by the name of a layer with a matrix; a rectifier follows the matrix in front of it.
    calibration : float array, shape (samples, ...)
        Inputs that set the ranges of activations.
    ranges : str
        How they do, one of `fpgaq.quantize.ranges.RANGES`.

    Raises
    ------
    ModelError
        If the model has no matrix, or a layer is named that has none.
    """
    by_name = dict.fromkeys(matrices(model), choices) if isinstance(choices, Choice) else choices
    makers = {name: _makers(choice, ranges) for name, choice in by_name.items()}
    return exchanged(model, makers, calibration)


@dataclass(frozen=True)
class Makers:
    """How the quantizers of a layer are made.

    Parameters
    ----------
    kernel : callable
        Returns the quantizer of the layer's kernel, given the layer and the kernel.
    rectifier : callable or None
        Returns the quantizer of the rectifier behind it, given what calibration data make of that; None leaves the
        rectifier as it is.
    """

    kernel: Callable[[Any, Real], Any]
    rectifier: Callable[[Real], Any] | None


def exchanged(
    model: Any, makers: Mapping[str, Makers], calibration: NDArray[np.floating[Any]], *, plain: Container[str] = ()
) -> Any:
    """Return a copy of a model with the quantizers that are made for it; trainable ones start from what they quantize.

    Parameters
    ----------
    model : keras.Model
    makers : mapping of Makers
        By the name of a layer with a matrix; a rectifier follows the matrix in front of it.
    calibration : float array, shape (samples, ...)
    plain : container of str
        Layers whose rectifiers stay as they are.

    Raises
    ------
    ModelError
        If the model has no matrix, or a layer is named that has none.
    """
    import keras

    from fpgaq.quantize.quantizers.attachment import adapt_quantizers, own_weights, set_own_weights

    names = matrices(model)
    if not names:
        raise ModelError(f"model {model.name!r} has no layer with a matrix: there is nothing to choose bits for")
    unknown = set(makers) - set(names)
    if unknown:
        raise ModelError(f"layer {sorted(unknown)[0]!r} has no matrix; layers with one are {', '.join(names)}")
    current = _by_layer(model, makers)
    rounded = [layer for layer in model.layers if _is_rounded(layer, current) and layer.name not in plain]
    levels = layer_outputs(model, rounded, calibration)
    copy = keras.models.clone_model(model, clone_function=_cloning(current, levels))
    for layer, new in zip(model.layers, copy.layers, strict=True):
        set_own_weights(new, own_weights(layer))
        adapt_quantizers(new, levels.get(new.name))
    return copy


def free_kernels(model: Any, activations: Mapping[str, Callable[[Any], Any]] | None = None) -> Any:
    """Return a copy of a requantized model that computes with kernels as they are, for others to be put in.

    `activations` replace those of some of its rectifiers, by the name of the layer.
    """
    import keras

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        config |= {key: None for key in _KERNEL_QUANTIZERS if key in config}
        if activations and layer.name in activations:
            config["activation"] = activations[layer.name]
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def matrices(model: Any) -> list[str]:
    """Return the names of the layers that have a choice."""
    return [layer.name for layer in model.layers if _matrix(layer)]


def unquantized(model: Any) -> dict[str, str]:
    """Return what no choice changes although it could have quantizers, by layer: weights, and quantizers that stay."""
    found = {}
    for layer in model.layers:
        kind, activation = type(layer).__name__, getattr(layer, "activation", None)
        if layer.weights and not _matrix(layer) and kind not in _NO_MATRIX:
            found[layer.name] = f"weights of {kind} stay as they are; {', '.join(_MATRICES)} get quantizers"
        elif type(activation).__module__.startswith(("qkeras.", "fpgaq.")) and not rectifies(layer):
            found[layer.name] = f"{activation} stays: only plain rectifiers are exchanged"
    return found


def rectifiers(model: Any) -> dict[str, str]:
    """Return the layers that end in a plain rectifier, and the last layer with a matrix before each, or itself."""
    found, last = {}, None
    for layer in model.layers:
        if _matrix(layer):
            last = layer.name
        if last is not None and rectifies(layer):
            found[layer.name] = last
    return found


def quantized_kernels(model: Any) -> dict[str, Real]:
    """Return the kernels that a requantized model computes with, by layer."""
    found = {}
    for layer in model.layers:
        if _matrix(layer):
            found[layer.name] = np.asarray(kernel_quantizer(layer)(layer.get_weights()[0]), np.float64)
    return found


def kernel_quantizer(layer: Any) -> Any:
    """Return the quantizer of the kernel of a requantized layer."""
    return next(q for key in _KERNEL_QUANTIZERS if (q := getattr(layer, f"{key}_internal", None)))


def _by_layer(model: Any, by_name: Mapping[str, Makers]) -> dict[str, Makers]:
    """Return the makers of every layer with a matrix, and of every rectifier: those of the last matrix before it."""
    owners = {name: name for name in matrices(model)} | rectifiers(model)
    return {name: by_name[owner] for name, owner in owners.items() if owner in by_name}


def _matrix(layer: Any) -> str | None:
    """Return the QKeras class for a layer with a matrix."""
    name = type(layer).__name__
    return _MATRICES.get(name, name if name in _MATRICES.values() else None)


def rectifies(layer: Any) -> bool:
    """Whether a layer ends in a plain rectifier; one with an upper limit or a slope is another function."""
    if type(layer).__name__ == "ReLU":
        return layer.max_value is None and not layer.negative_slope and not layer.threshold
    return (type(layer).__name__ in _ACTIVATIONS or _matrix(layer) is not None) and _is_rectifier(
        getattr(layer, "activation", None)
    )


def _is_rectifier(activation: Any) -> bool:
    """Whether an activation is a plain rectifier, with or without equal steps."""
    name = getattr(activation, "__name__", None) or type(activation).__name__
    if name == "quantized_bits":
        return not activation.keep_negative
    return name == "relu" or (name == "quantized_relu" and not activation.negative_slope and not activation.use_sigmoid)


def _is_rounded(layer: Any, makers: Mapping[str, Makers]) -> bool:
    """Whether a layer ends in a rectifier that gets a quantizer."""
    return layer.name in makers and makers[layer.name].rectifier is not None and rectifies(layer)


def layer_outputs(model: Any, layers: list[Any], calibration: NDArray[np.floating[Any]]) -> dict[str, Real]:
    """Return what calibration data make of some layers.

    Raises
    ------
    ModelError
        If they are not finite.
    """
    import keras

    if not layers:
        return {}
    inner = keras.Model(model.inputs, [layer.output for layer in layers])
    # Called, not compiled: TensorFlow compiles no layers with a blank in their names.
    found = inner([np.asarray(calibration[:_CALIBRATION], np.float32)], training=False)
    arrays = [np.asarray(array, np.float64) for array in (found if isinstance(found, (list, tuple)) else [found])]
    for layer, array in zip(layers, arrays, strict=True):
        if not np.isfinite(array).all():
            raise ModelError(
                f"layer {layer.name!r} has results that are NaN or infinite; give inputs as in its training, "
                "or train it again"
            )
    return {layer.name: array for layer, array in zip(layers, arrays, strict=True)}


def _cloning(makers: Mapping[str, Makers], levels: Mapping[str, Real]) -> Callable[[Any], Any]:
    """Return what clones a layer, with other quantizers where some are made for it."""
    import qkeras

    from fpgaq.quantize.quantizers.attachment import own_weights

    def clone(layer: Any) -> Any:
        maker = makers.get(layer.name)
        if maker is None or (layer.name not in levels and not _matrix(layer)):
            return type(layer).from_config(layer.get_config())
        rectifier = None
        if layer.name in levels and maker.rectifier is not None:
            rectifier = maker.rectifier(levels[layer.name])
        kind = _matrix(layer)
        if kind is None:
            return qkeras.QActivation(rectifier, name=layer.name)
        config = {k: v for k, v in layer.get_config().items() if not k.endswith(("_quantizer", "_range"))}
        config.pop("quantization_config", None)
        kernel, *bias = own_weights(layer)
        which = "depthwise_quantizer" if kind == "QDepthwiseConv2D" else "kernel_quantizer"
        config[which] = maker.kernel(layer, kernel)
        if bias:
            config["bias_quantizer"] = signed(bias[0], _BIAS_BITS)
        if rectifier is not None:
            config["activation"] = rectifier
        return getattr(qkeras, kind)(**config)

    return clone


def _makers(choice: Choice, ranges: str) -> Makers:
    """Return what makes the quantizers of a choice."""
    bits = choice.activations
    rectifier = None if bits is None else partial(_rectifier, bits=bits, ranges=ranges)
    return Makers(lambda _, kernel: _weights(kernel, choice), rectifier)


def _weights(kernel: Real, choice: Choice) -> Any:
    """Return the quantizer of weights."""
    from qkeras import binary

    from fpgaq.quantize.quantizers import PowerOfTwo, TernaryWeights

    if choice.format == "ternary":
        return TernaryWeights()
    if choice.format == "binary":
        return binary(alpha="auto_po2")
    return PowerOfTwo(choice.weights) if choice.format == "pot" else signed(kernel, choice.weights)


def _rectifier(values: Real, bits: int, ranges: str) -> Any:
    """Return the rectifier with the range of calibration data."""
    from fpgaq.quantize.quantizers.steps import fixed_steps

    return fixed_steps(bits, 2.0 ** (RANGES[ranges](values, bits, 0) - bits))
