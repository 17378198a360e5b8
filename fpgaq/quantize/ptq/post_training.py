"""A trained float model becomes a quantized one, layer by layer, without training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError, ModelError
from fpgaq.quantize.ptq.bias_correction import correction
from fpgaq.quantize.ptq.calibration import checked
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.patches import LAYERS, as_kernel, as_matrix, check_layout, rows_of
from fpgaq.quantize.ptq.reconstruction import Reconstruction
from fpgaq.quantize.ptq.registry import Method, method_of
from fpgaq.quantize.ranges import RANGES, signed
from fpgaq.quantize.requantize import Choice, kernel_quantizer, matrices, quantized_kernels, requantized

Real = NDArray[np.float64]

#: Layers with parameters that stay as they are; conversion rounds them to a stated precision.
_KEPT = ("BatchNormalization", "Normalization", "PReLU")
_FEWEST_BITS, _MOST_BITS = 2, 16
#: Of biases, which have more where weights have more than 4.
_BIAS_BITS = 8
_BATCH = 256


@dataclass(frozen=True)
class Settings:
    """How a model is quantized.

    Parameters
    ----------
    method : str
        One of `fpgaq.quantize.ptq.registry.METHODS`.
    bits : int or None
        Of weights; None where `layer_bits` has those of every layer.
    layer_bits : mapping
        Of weights of some layers, by name.
    activations : int or None
        Bits of rectifiers; None leaves them as they are.
    ranges : str
        How ranges of rectifiers follow from the first 512 samples of calibration data, one of
        `fpgaq.quantize.ranges.RANGES`.
    bias_correction : bool
        Whether biases take up the mean error of the outputs.
    seed : int
    """

    method: str
    bits: int | None
    layer_bits: Mapping[str, int]
    activations: int | None = 8
    ranges: str = "mse"
    bias_correction: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        method_of(self.method)
        if self.ranges not in RANGES:
            raise ConfigError(f"ranges {self.ranges!r} are unknown; known are {', '.join(RANGES)}")
        for name, bits in {**({} if self.bits is None else {"": self.bits}), **self.layer_bits}.items():
            if type(bits) is not int or not _FEWEST_BITS <= bits <= _MOST_BITS:
                of = f"layer {name!r}: " if name else ""
                raise ConfigError(
                    f"{of}weights of {bits} bits; use {_FEWEST_BITS} to {_MOST_BITS} (one bit needs training with a "
                    "binary quantizer)"
                )
        if self.activations is not None and not 1 <= self.activations <= _MOST_BITS:
            raise ConfigError(f"activations of {self.activations} bits; use 1 to {_MOST_BITS}")
        if self.seed < 0:
            raise ConfigError(f"seed {self.seed} is negative; use 0 or more")

    def bits_of(self, name: str) -> int:
        """Return the bits of a layer's weights."""
        bits = self.layer_bits.get(name, self.bits)
        if bits is None:
            raise ConfigError(f"layer {name!r} has no bits: add it to the file of bits, or give --bits for the others")
        return bits


@dataclass(frozen=True)
class RoundedLayer:
    """What became of a layer.

    Parameters
    ----------
    name : str
    grid : Grid
    error, nearest : float
        Mean squared error of its outputs on the calibration data, and with plain rounding of this layer alone.
    power : float
        Mean square of the outputs wanted.
    """

    name: str
    grid: Grid
    error: float
    nearest: float
    power: float


def quantized(
    model: Any,
    calibration: Any,
    settings: Settings,
    done: Callable[[RoundedLayer], None] = lambda layer: None,
    *,
    where: str = "calibration",
) -> Any:
    """Return a copy of a float model whose matrices and rectifiers have QKeras quantizers.

    Its kernels and biases lie on the grids of their quantizers, which reproduce them bit for bit.

    Parameters
    ----------
    model : keras.Model
        Trained, without quantizers, with one input.
    calibration : array, shape (samples, ...)
        Inputs; several hundred of them.
    settings : Settings
    done : callable
        Told of every layer when it is rounded.
    where : str
        What the calibration data are called in errors.

    Raises
    ------
    ModelError
        If the model has a layer that cannot be quantized, has quantizers already, or several inputs.
    ConfigError
        If the calibration data do not fit.
    """
    from fpgaq.frontend.flatten import flattened
    from fpgaq.frontend.supported import check_model

    method = method_of(settings.method)
    original = flattened(model)
    check_model(original)
    _check_layers(original, settings)
    data = checked(calibration, tuple(original.inputs[0].shape[1:]), where)
    choices = {name: Choice("int", settings.bits_of(name), settings.activations) for name in matrices(original)}
    copy = requantized(original, choices, data, ranges=settings.ranges)
    for index, name in enumerate(choices):
        rng = np.random.default_rng([settings.seed, index])
        done(_round(original, copy, name, data, method, rng, correct=settings.bias_correction))
    _require_on_grid(copy)
    return copy


def _check_layers(model: Any, settings: Settings) -> None:
    if len(model.inputs) != 1:
        raise ModelError(f"model {model.name!r} has {len(model.inputs)} inputs; calibration data are for one")
    for layer in model.layers:
        if type(layer).__module__.startswith(("qkeras.", "fpgaq.")):
            raise ModelError(
                f"layer {layer.name!r} ({type(layer).__name__}) has quantizers already: start from the float model, or "
                "give this one to `fpgaq convert` as it is"
            )
        kind = type(layer).__name__
        if kind in LAYERS:
            check_layout(layer)
        elif layer.weights and kind not in _KEPT:
            raise ModelError(
                f"layer {layer.name!r}: {settings.method} cannot round a {kind}, only {', '.join(LAYERS)}; write it as "
                "those, or train it with QKeras' quantizers"
            )
    names = matrices(model)
    if not names:
        raise ModelError(f"model {model.name!r} has no layer with a matrix ({', '.join(LAYERS)}): nothing to quantize")
    unknown = sorted(set(settings.layer_bits) - set(names))
    if unknown:
        raise ConfigError(f"bits for layer {unknown[0]!r}, which has no matrix; layers with one are {', '.join(names)}")
    for layer in model.layers:
        if not all(np.isfinite(values).all() for values in layer.get_weights()):
            raise ModelError(f"layer {layer.name!r} has weights that are NaN or infinite; train the model again")


def _round(
    original: Any, copy: Any, name: str, data: Any, method: Method, rng: np.random.Generator, *, correct: bool
) -> RoundedLayer:
    """Round one layer of the copy; those before it are rounded already."""
    old, new = original.get_layer(name), copy.get_layer(name)
    kernel, *bias = old.get_weights()
    weights = as_matrix(old, kernel)
    quantizer = kernel_quantizer(new)
    grid = Grid(int(quantizer.bits), math.ldexp(1.0, int(quantizer.integer) + 1 - int(quantizer.bits)))
    task = Reconstruction.of(weights, _rows(original, copy, name, data), biased=bool(bias) and correct)
    rounded = method.round(task, grid, rng) * grid.step
    parameters = [as_kernel(old, rounded)]
    if bias:
        wanted = bias[0] + correction(task, rounded) if correct else np.asarray(bias[0], np.float64)
        parameters.append(_rounded_bias(new, wanted, grid.bits))
    new.set_weights(parameters)
    plain = task.error(grid.nearest(weights) * grid.step)
    return RoundedLayer(name, grid, task.error(rounded), plain, task.power)


def _rows(original: Any, copy: Any, name: str, data: Any) -> Iterator[tuple[Real, Real]]:
    """Return what the layer reads in the quantized and in the float network, batch by batch."""
    import keras

    models = [keras.Model(each.inputs, each.get_layer(name).input) for each in (copy, original)]
    layer = original.get_layer(name)
    for start in range(0, len(data), _BATCH):
        quantized_inputs, inputs = (each([data[start : start + _BATCH]], training=False) for each in models)
        yield rows_of(layer, quantized_inputs), rows_of(layer, inputs)


def _rounded_bias(layer: Any, bias: Real, bits: int) -> Real:
    """Give a layer the quantizer that fits its new biases; return them rounded."""
    quantizer = signed(bias, min(_MOST_BITS, max(_BIAS_BITS, bits + 4)))
    layer.bias_quantizer = layer.bias_quantizer_internal = quantizer
    layer.quantizers = [kernel_quantizer(layer), quantizer]
    found: Real = np.asarray(quantizer(bias.astype(np.float32)), np.float64)
    return found


def _require_on_grid(model: Any) -> None:
    """Refuse a model whose quantizers change its weights: what was optimised would not be what is computed."""
    for name, kernel in quantized_kernels(model).items():
        layer = model.get_layer(name)
        stored, *bias = layer.get_weights()
        same = np.array_equal(kernel, stored)
        if bias:
            same = same and np.array_equal(np.asarray(layer.bias_quantizer_internal(bias[0])), bias[0])
        if not same:
            raise ModelError(
                f"layer {name!r}: its quantizers do not reproduce the rounded weights bit for bit; report it"
            )
