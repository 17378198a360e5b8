"""Which rectifiers the inputs of a layer with weights come through: their bits are chosen with those of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fpgaq.quantize.requantize import matrices, rectifiers


def sources(model: Any) -> dict[str, tuple[str, ...]]:
    """Return for every layer with weights where its inputs are rectified.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    dict
        By the name of a layer the layers with weights whose rectifiers, as `requantized` knows them, are the last ones
        before it; none behind inputs of the network.
    """
    behind = rectifiers(model)
    known = matrices(model)

    def upstream(layer: Any) -> Iterator[str]:
        import keras

        for tensor in keras.tree.flatten(layer.input):
            producer = tensor._keras_history.operation
            if producer.name in behind:
                yield behind[producer.name]
            elif producer.name not in known and not isinstance(producer, keras.layers.InputLayer):
                yield from upstream(producer)

    return {name: tuple(sorted(set(upstream(model.get_layer(name))))) for name in known}
