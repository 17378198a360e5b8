"""A trained float model becomes a quantized one, layer by layer, without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError, ModelError
from fpgaq.quantize.executable import require_executable, require_names
from fpgaq.quantize.ptq.bias_correction import correction
from fpgaq.quantize.ptq.blocks import TunedBlock, tuned
from fpgaq.quantize.ptq.calibration import checked
from fpgaq.quantize.ptq.entropy import prices, relevances
from fpgaq.quantize.ptq.exact import quantizer_of, set_bias_quantizer, set_kernel_quantizer
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.patches import LAYERS, as_kernel, as_matrix, check_layout, rows_of
from fpgaq.quantize.ptq.policy import Chosen, Policy, chosen
from fpgaq.quantize.ptq.reconstruction import Reconstruction
from fpgaq.quantize.ptq.registry import method_of
from fpgaq.quantize.ptq.settings import Settings
from fpgaq.quantize.ranges import signed
from fpgaq.quantize.requantize import Choice, matrices, quantized_kernels, requantized

Real = NDArray[np.float64]

#: Layers with parameters that stay as they are; conversion rounds them to a stated precision.
_KEPT = ("BatchNormalization", "Normalization", "PReLU")
#: Of biases, which have more where weights have more than 4.
_BIAS_BITS, _MOST_BIAS_BITS = 8, 16
_BATCH = 256


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
    zeros : float
        Share of the weights that are zero.
    """

    name: str
    grid: Grid
    error: float
    nearest: float
    power: float
    zeros: float


def quantized(
    model: Any,
    calibration: Any,
    settings: Settings,
    done: Callable[[RoundedLayer], None] = lambda layer: None,
    *,
    policy: Policy | None = None,
    told: Callable[[Chosen], None] = lambda chosen: None,
    tuned_block: Callable[[TunedBlock], None] = lambda block: None,
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
    policy : Policy or None
        Chooses the bits of every layer, instead of those of the settings.
    told : callable
        Told what the policy chose.
    tuned_block : callable
        Told of every block when it is tuned.
    where : str
        What the calibration data are called in errors.

    Raises
    ------
    ModelError
        If the model has a layer that cannot be quantized, has quantizers already, or several inputs.
    ConfigError
        If the calibration data do not fit, or a table has more entries than there are weights.
    """
    from fpgaq.frontend.flatten import flattened
    from fpgaq.frontend.supported import check_model

    original = flattened(model)
    check_model(original)
    _check_layers(original, settings)
    if settings.reconstruct == "block":
        require_names(original)
    data = checked(calibration, tuple(original.inputs[0].shape[1:]), where)
    names = matrices(original)
    if policy is not None:
        choice = chosen(original, data, settings, policy)
        told(choice)
        settings = replace(settings, bits=None, layer_bits=choice.bits)
    grids = {name: _fitted(original.get_layer(name), settings) for name in names}
    choices = {name: Choice("int", settings.bits_of(name), settings.activations) for name in names}
    copy = requantized(original, choices, data, ranges=settings.range_rule)
    relevance = {} if settings.price is None else relevances(original, names, data)
    for index, name in enumerate(names):
        rng = np.random.default_rng([settings.seed, index])
        done(_round(original, copy, name, data, grids[name], settings, relevance.get(name), rng))
    if settings.reconstruct == "block":
        for block in tuned(original, copy, grids, data, np.random.default_rng(settings.seed)):
            tuned_block(block)
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
    require_executable(model)


def _fitted(layer: Any, settings: Settings) -> Grid:
    """Return the grid of a layer's weights."""
    bits = settings.bits_of(layer.name)
    try:
        return settings.grid(as_matrix(layer, layer.get_weights()[0]), bits)
    except ConfigError as error:
        raise ConfigError(f"layer {layer.name!r}: {error}") from None


def _round(
    original: Any,
    copy: Any,
    name: str,
    data: Any,
    grid: Grid,
    settings: Settings,
    relevance: Real | None,
    rng: np.random.Generator,
) -> RoundedLayer:
    """Round one layer of the copy; those before it are rounded already."""
    old, new = original.get_layer(name), copy.get_layer(name)
    kernel, *bias = old.get_weights()
    weights = as_matrix(old, kernel)
    biased = bool(bias) and settings.bias_correction
    task = Reconstruction.of(weights, _rows(original, copy, name, data), biased=biased)
    if relevance is not None and settings.price is not None:
        task = replace(task, bit_price=prices(as_matrix(old, relevance), settings.price))
    rounded = grid.values(method_of(settings.method).round(task, grid, rng))
    set_kernel_quantizer(new, quantizer_of(grid))
    parameters = [as_kernel(old, rounded)]
    if bias:
        wanted = bias[0] + correction(task, rounded) if biased else np.asarray(bias[0], np.float64)
        parameters.append(_rounded_bias(new, wanted, grid.bits))
    new.set_weights(parameters)
    plain = task.error(grid.values(grid.nearest(weights)))
    return RoundedLayer(name, grid, task.error(rounded), plain, task.power, float(np.mean(rounded == 0)))


def _rows(original: Any, copy: Any, name: str, data: Any) -> Iterator[tuple[Real, Real]]:
    """Return what the layer reads in the quantized and in the float network, batch by batch."""
    import keras

    models = [keras.Model(each.inputs, each.get_layer(name).input) for each in (copy, original)]
    layer = original.get_layer(name)
    for start in range(0, len(data), _BATCH):
        quantized_inputs, inputs = (each([data[start : start + _BATCH]], training=False) for each in models)
        if not all(np.isfinite(values).all() for values in (quantized_inputs, inputs)):
            raise ModelError(
                f"layer {name!r}: what it reads on the calibration data is too large for float32; scale the data or "
                "train the model again"
            )
        yield rows_of(layer, quantized_inputs), rows_of(layer, inputs)


def _rounded_bias(layer: Any, bias: Real, bits: int) -> Real:
    """Give a layer the quantizer that fits its new biases; return them rounded."""
    quantizer = signed(bias, min(_MOST_BIAS_BITS, max(_BIAS_BITS, bits + 4)))
    set_bias_quantizer(layer, quantizer)
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
