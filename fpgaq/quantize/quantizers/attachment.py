"""QKeras' layers with quantizers that have variables: gaps of QKeras, closed for all of its layers in this place.

* A layer makes its own variables in ``build``; those of its quantizers have to be made there too. Else they come into
  being with the first data, when optimizers and model files already know the variables of the model.
* A clone is made from the configuration, in which QActivation has its quantizer itself: the clone would share it.
* Keras saves what a layer holds under the name of the attribute. QKeras' layers hold a quantizer twice, as
  ``kernel_quantizer`` and ``kernel_quantizer_internal``; made from a file, the first one stays the dictionary of the
  file, so that the variables are looked for under another name than they were saved under. Here the quantizer is made
  before its layer: then both attributes are the same object, as they are in a new model.
* The configuration of `quantized_bits` leaves out that ``x + (q - x)`` was switched off, which is not ``q`` in float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import qkeras
from qkeras.quantizers import get_quantizer

from fpgaq.quantize.quantizers.trainable import TrainableActivation, TrainableQuantizer, TrainableWeights

#: The variable that each quantizer of a layer is for.
VARIABLES = {
    "kernel_quantizer": "kernel",
    "depthwise_quantizer": "depthwise_kernel",
    "pointwise_quantizer": "pointwise_kernel",
    "recurrent_quantizer": "recurrent_kernel",
    "bias_quantizer": "bias",
}


def weight_quantizers(layer: Any) -> Iterator[tuple[str, TrainableWeights, Any]]:
    """Return the trainable quantizers of a layer's weights: the argument, the quantizer and the variable."""
    for argument, variable in VARIABLES.items():
        quantizer = getattr(layer, f"{argument}_internal", None)
        if isinstance(quantizer, TrainableWeights) and getattr(layer, variable, None) is not None:
            yield argument, quantizer, getattr(layer, variable)


def trainable_quantizers(layer: Any) -> list[TrainableQuantizer]:
    """Return every trainable quantizer in a layer."""
    return [inner for inner in layer._flatten_layers() if isinstance(inner, TrainableQuantizer)]


def _own_variables(layer: Any) -> list[Any]:
    theirs = {id(variable) for quantizer in trainable_quantizers(layer) for variable in quantizer.variables}
    return [variable for variable in layer.weights if id(variable) not in theirs]


def own_weights(layer: Any) -> list[np.ndarray]:
    """Return the weights of a layer without the parameters of its quantizers."""
    return [variable.numpy() for variable in _own_variables(layer)]


def set_own_weights(layer: Any, values: list[np.ndarray]) -> None:
    """Set the weights of a layer but for the parameters of its quantizers."""
    for variable, value in zip(_own_variables(layer), values, strict=True):
        variable.assign(value)


def adapt_quantizers(layer: Any, outputs: np.ndarray | None) -> None:
    """Fit the trainable quantizers of a layer to its weights, and to what goes into that of its activation."""
    for _, quantizer, variable in weight_quantizers(layer):
        quantizer.adapt(variable.numpy())
    activation = getattr(layer, "activation", None)
    if isinstance(activation, TrainableActivation) and outputs is not None:
        activation.adapt(outputs)


def attach_quantizers() -> None:
    """Close the gaps in every layer of QKeras."""
    qkeras.quantized_bits.get_config = _telling_of_ste(qkeras.quantized_bits.get_config)
    classes: list[Any] = [cls for cls in vars(qkeras).values() if isinstance(cls, type)]
    for cls in classes:
        if issubclass(cls, keras.layers.Layer) and cls.__module__.startswith("qkeras."):
            cls.from_config = classmethod(_with_quantizers(cls.from_config.__func__))
            cls.build = _building_quantizers(cls.build)


def _telling_of_ste(get_config: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    def told(self: Any) -> dict[str, Any]:
        return {**get_config(self), **({} if self.use_ste else {"use_ste": False})}

    return told


def _with_quantizers(from_config: Callable[[type, dict[str, Any]], Any]) -> Callable[[type, dict[str, Any]], Any]:
    def made(cls: type, config: dict[str, Any]) -> Any:
        return from_config(cls, {key: _made(key, value) for key, value in config.items()})

    return made


def _made(key: str, value: Any) -> Any:
    """Return an entry of a configuration, or the quantizer that it describes."""
    if key.endswith("_quantizer") and isinstance(value, dict):
        return get_quantizer(value)
    if isinstance(value, TrainableQuantizer):
        return type(value).from_config(value.get_config())
    return value


def _building_quantizers(build: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(build)  # Keras reads the names of the arguments
    def built(self: Any, *shapes: Any, **named: Any) -> None:
        build(self, *shapes, **named)
        for _, quantizer, variable in weight_quantizers(self):
            if not quantizer.built:
                quantizer.build(variable.shape)

    return built
