"""Keras models that merge tensors in every way."""

from __future__ import annotations

from typing import Any

import keras
from keras_models import bits, dense, with_random_weights
from qkeras import QActivation
from spatial_models import conv

L = keras.layers
FUNCTIONS = (L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum)


def merged_in_every_way() -> Any:
    """Return a model with an output for every layer: two, three and four tensors, one twice, other types and shapes."""
    a, b, image = keras.Input((4,), name="left"), keras.Input((4,), name="right"), keras.Input((3, 3, 2), name="image")
    p = QActivation(bits(3, 1), name="signed")(a)
    q = QActivation("quantized_relu(4,1)", name="unsigned")(b)
    r = dense(4, name="float_sums")(a)
    found: list[Any] = []

    def merge(layer: Any, *tensors: Any, **options: Any) -> None:
        found.append(layer(name=f"{layer.__name__.lower()}_{len(found)}", **options)(list(tensors)))

    for layer in (*FUNCTIONS, L.Concatenate):
        merge(layer, p, q)
        merge(layer, r, q)
        merge(layer, p, p)
        if layer is not L.Subtract:
            merge(layer, p, q, r)
            merge(layer, p, q, p, a)
    narrow, pixels = conv(1, (1, 1), name="narrow")(image), conv(2, (3, 3), padding="same", name="conv")(image)
    merge(L.Add, pixels, image)
    merge(L.Average, pixels, image, pixels)
    for axis in (1, 2, 3, -2):
        merge(L.Concatenate, pixels, image, axis=axis)
        merge(L.Concatenate, pixels, image, image, axis=axis)
    merge(L.Concatenate, narrow, pixels)
    scale = dense(2, name="excite")(L.GlobalAveragePooling2D(name="squeeze")(pixels))
    merge(L.Multiply, pixels, L.Reshape((1, 1, 2), name="of_all_pixels")(scale))
    merge(L.Add, scale, pixels)
    merge(L.Subtract, pixels, scale)
    row = L.Reshape((1, 4), name="row")
    merge(L.Add, row(p), q)
    merge(L.Subtract, q, row.output)
    behind = L.ReLU(name="rectified")(L.Add(name="summed")([p, q]))
    found.append(dense(3, name="behind")(behind))
    found.append(dense(3, name="capped")(L.Multiply(name="product")([r, r])))
    return with_random_weights(keras.Model([a, b, image], found), 0)
