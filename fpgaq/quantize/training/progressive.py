"""Progressive bits: a model starts from one that was trained with more of them."""

from __future__ import annotations

from typing import Any

from fpgaq.quantize.quantizers.attachment import own_weights, set_own_weights, trainable_quantizers, weight_quantizers


def start_from(model: Any, wider: Any) -> None:
    """Let a model start from the trained weights of another one, which has the same layers and more bits.

    Parameters of quantizers that mean the same for any bits (they have the same name and shape) go along; tables and
    the like are fitted to the trained weights.
    """
    for layer, trained in zip(model.layers, wider.layers, strict=True):
        set_own_weights(layer, own_weights(trained))
        for _, quantizer, variable in weight_quantizers(layer):
            quantizer.adapt(variable.numpy())
        for new, old in zip(trainable_quantizers(layer), trainable_quantizers(trained), strict=True):
            known = {variable.name: variable for variable in old.variables}
            for variable in new.variables:
                if variable.name in known and known[variable.name].shape == variable.shape:
                    variable.assign(known[variable.name])
