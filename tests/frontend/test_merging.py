"""Merging layers in the front end: what is refused, by which layer's name."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras_models import dense, lowered

from fpgaq.errors import ModelError
from fpgaq.ir.ops import Requantize

L = keras.layers


def model(layer: Any, *shapes: tuple[int, ...]) -> Any:
    inputs = [keras.Input(shape, name=f"x{k}") for k, shape in enumerate(shapes)]
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize(
    "shapes", [((2, 1), (1, 3)), ((2, 3), (2, 1)), ((2, 2, 3), (2, 1, 3))], ids=lambda s: str(s).replace(" ", "")
)
@pytest.mark.parametrize("count", [2, 3])
def test_repetitions_that_the_cpp_would_do_otherwise_are_refused(shapes: Any, count: int) -> None:
    wanted = [*shapes, *[shapes[0]] * (count - 2)]
    with pytest.raises(ModelError, match=r"layer 'sum': shapes .* a smaller tensor must be the end of the largest one"):
        lowered(model(L.Add(name="sum"), *wanted))


def test_numbers_that_do_not_fit_are_refused() -> None:
    product = L.Multiply(name="product")
    with pytest.raises(ModelError, match=r"layer 'product': its intermediate results .* use fewer bits for its inputs"):
        lowered(model(product, (2,), (2,), (2,), (2,)), input_precision="fixed<18,2>")


def test_a_merge_without_quantizer_in_front_of_a_matrix_is_capped() -> None:
    """As every layer is: the cast is a decision, and the frozen Keras model makes it as well."""
    x = keras.Input((3,), name="x")
    wide = L.Multiply(name="cube")([x, x, x])
    design = lowered(keras.Model(x, dense(2, name="head")(wide)), input_precision="fixed<8,2>")
    cast = design.graph.nodes["cube"]
    assert isinstance(cast, Requantize)
    assert cast.type.width == design.options.precision.activation
    assert design.origin is not None
    assert [d.layer for d in design.origin.derivation.decisions if d.what == "activation"] == ["cube"]
