"""From a model with trained quantizers to one with fixed ones, which computes the same bit for bit.

Weights become the numbers that hardware stores. The frozen model has quantizers of QKeras where one states the same.
It is what conversion reads: `fpgaq.convert` freezes a model by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fpgaq.errors import FpgaqError, ModelError
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat

#: Layers that quantize weights which they do not hold: those with the batch normalization folded in.
_FOLDING = "Batchnorm"


def freeze(model: Any) -> Any:
    """Return a copy of a model in which every trained quantizer is a fixed one.

    Parameters
    ----------
    model : keras.Model, str or Path
        It stays as it is, and shares nothing with the copy. A model without trained quantizers is returned itself.

    Raises
    ------
    ModelError
        If parameters are not finite, or a quantizer was exchanged after its layer was made, which its layer ignores.
    """
    import keras

    from fpgaq.frontend.flatten import flattened
    from fpgaq.frontend.load import load_model
    from fpgaq.frontend.supported import require_model
    from fpgaq.quantize.quantizers.attachment import own_weights, trainable_quantizers

    if isinstance(model, (str, Path)):
        model = load_model(Path(model))
    require_model(model)
    flat = flattened(model)
    for layer in flat.layers:
        _check_exchanged(layer)
    if not any(trainable_quantizers(layer) for layer in flat.layers):
        return model
    frozen: dict[str, dict[str, np.ndarray]] = {}

    def clone(layer: Any) -> Any:
        if not trainable_quantizers(layer):
            return type(layer).from_config(layer.get_config())
        config, frozen[layer.name] = _fixed(layer)
        return type(layer).from_config(config)

    copy = keras.models.clone_model(flat, clone_function=clone)
    for layer, new in zip(flat.layers, copy.layers, strict=True):
        new.set_weights(own_weights(layer))
        for variable, values in frozen.get(layer.name, {}).items():
            getattr(new, variable).assign(values)
    return copy


def _fixed(layer: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the configuration of a layer with fixed quantizers, and new values of its variables by name."""
    from fpgaq.quantize.quantizers import TrainableActivation
    from fpgaq.quantize.quantizers.attachment import trainable_quantizers, weight_quantizers

    _check_finite(layer)
    config, values, left = layer.get_config(), {}, {id(quantizer) for quantizer in trainable_quantizers(layer)}
    for argument, quantizer, variable in [] if _FOLDING in type(layer).__name__ else weight_quantizers(layer):
        try:
            integers, unit, stored_format = quantizer.stored(variable)
            config[argument] = _fixed_weights(stored_format, unit)
        except FpgaqError as problem:
            raise ModelError(f"layer {layer.name!r}: {argument} {quantizer}: {problem}") from None
        values[variable.name] = (integers * unit).astype(np.float32)
        left.discard(id(quantizer))
    activation = getattr(layer, "activation", None)
    if isinstance(activation, TrainableActivation):
        try:
            config["activation"] = activation.fixed()
        except FpgaqError as problem:
            raise ModelError(f"layer {layer.name!r}: {activation}: {problem}") from None
        left.discard(id(activation))
    if left:
        what = next(quantizer for quantizer in trainable_quantizers(layer) if id(quantizer) in left)
        raise ModelError(
            f"layer {layer.name!r} ({type(layer).__name__}): {what} cannot be frozen there; trained quantizers are for "
            "kernels and activations of dense and convolutional layers without folded batch normalization"
        )
    return config, values


def _fixed_weights(stored: WeightFormat, unit: float) -> Any:
    """Return the quantizer of a format, that of QKeras for integers."""
    from qkeras import quantized_bits

    from fpgaq.quantize.quantizers import Codebook, FixedLevels

    if isinstance(stored, formats.Integer) and stored.signed and stored.bits > 1:
        integer = int(np.log2(unit)) + stored.bits - 1
        return quantized_bits(stored.bits, integer, symmetric=stored.symmetric, alpha=1)
    if isinstance(stored, formats.Codebook):
        return Codebook(stored.entries, unit, stored.bits)
    return FixedLevels(stored, unit)


def _check_exchanged(layer: Any) -> None:
    """Refuse quantizers that the user set and the layer does not use."""
    held = [(inner, attribute) for inner in layer._flatten_layers() for attribute in vars(inner)]
    for inner, attribute in held:
        if not attribute.endswith("_quantizer"):
            continue
        given, used = getattr(inner, attribute), getattr(inner, f"{attribute}_internal", None)
        if given is not None and not isinstance(given, (str, dict)) and given is not used:
            raise ModelError(
                f"layer {layer.name!r}: {attribute} was exchanged for {given} after the layer was made, which still "
                f"uses {used}; make the layer with the quantizer that is meant"
            )


def _check_finite(layer: Any) -> None:
    for variable in layer.weights:
        if not np.isfinite(variable.numpy()).all():
            raise ModelError(f"layer {layer.name!r}: {variable.path} is NaN or infinite; train the model again")
