"""Cropping, upsampling, permuting, joining images, averages at edges: Keras, C++, hardware and golden agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import dense, lowered, sequential, with_random_weights
from spatial_models import act, conv
from written_designs import compiled, passed, traced_layers

from fpgaq.errors import ModelError
from fpgaq.ir.ops import Permute, Reshape
from fpgaq.ir.passes import optimize
from fpgaq.stimuli import random_codes

L = keras.layers


def branches() -> Any:
    """Return a model of every layer that moves pixels, each an output of its own, on one small image."""
    x = keras.Input((4, 5, 2), name="features")
    chains = [
        [L.Cropping2D(((1, 0), (0, 2))), conv(2, (2, 2))],
        [conv(2, (3, 2)), act(), L.UpSampling2D((2, 3)), conv(1, (2, 2))],
        [L.Reshape((20, 2)), L.Cropping1D((3, 1)), L.UpSampling1D(2), conv(2, 3, strides=4)],
        [L.Flatten(), dense(12), act(), L.Reshape((3, 2, 2)), L.UpSampling2D(2), L.Cropping2D(1), conv(2, (2, 2))],
        [conv(2, (4, 1)), L.Permute((2, 1, 3)), act()],
        [L.AveragePooling2D(3, strides=2, padding="same"), conv(1, (1, 1))],
    ]
    outputs = []
    for chain in chains:
        tensor = x
        for layer in chain:
            tensor = layer(tensor)
        outputs.append(tensor)
    pixels = act()(conv(2, (2, 2), padding="same")(x))
    excited = L.Multiply()([pixels, L.Reshape((1, 1, 2))(act()(dense(2)(L.GlobalAveragePooling2D()(pixels))))])
    rows = L.Concatenate(axis=1)([excited, pixels])
    outputs += [rows, act()(L.Concatenate(axis=2)([pixels, x, x]))]
    return with_random_weights(keras.Model(x, outputs))


@pytest.mark.extended
def test_pixels(tmp_path: Path) -> None:
    design = compiled(branches(), tmp_path / "net", input_precision="fixed<5,2>")
    x = random_codes(design.graph, 100, seed=1)
    passed(design.keras_gate(x))
    passed(design.csim_gate(x))
    assert any(layer.startswith("up_sampling") for layer in traced_layers(design, x[:20]))
    passed(design.rtl_gate(x)[0])


def test_wires_where_there_are_no_pixels(tmp_path: Path) -> None:
    layers = [L.Permute((3, 1, 2)), L.UpSampling2D((2, 1)), L.Cropping2D(((1, 0), (0, 1))), L.Permute((2, 1, 3))]
    design = compiled(sequential(*layers, L.Flatten(), dense(3), inputs=(2, 3, 2)), tmp_path / "net")
    x = random_codes(design.graph, 100, seed=1)
    passed(design.keras_gate(x))
    passed(design.csim_gate(x))
    passed(design.rtl_gate(x)[0])


@pytest.mark.parametrize(
    ("shape", "dims", "kept"),
    [
        ((1, 4, 3), (2, 1, 3), True),
        ((4, 1, 3), (1, 3, 2), True),
        ((2, 4, 3), (2, 1, 3), False),
        ((4, 3), (2, 1), False),
    ],
)
def test_axes_of_one_element_move_nothing(shape: tuple[int, ...], dims: tuple[int, ...], kept: bool) -> None:
    design = lowered(sequential(L.Permute(dims, name="order"), inputs=shape))
    assert isinstance(optimize(design.graph).nodes["order"], Reshape if kept else Permute)
    x = random_codes(design.graph, 10, seed=1)
    want = np.transpose(x, (0, *dims)).reshape(10, -1)
    assert np.array_equal(design.golden(x, raw=True).reshape(10, -1), want)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            lambda: L.UpSampling2D(2, interpolation="bilinear", name="odd"),
            (2, 2, 1),
            r"interpolation='bilinear' is not",
        ),
        (
            lambda: L.Permute((4, 1, 2, 3), name="odd"),
            (2, 2, 1, 3),
            r"Permute of 4 axes is not supported; use at most 3",
        ),
        (lambda: L.Cropping2D(1, data_format="channels_first", name="odd"), (1, 4, 4), r"data_format='channels_first'"),
    ],
)
def test_refused_with_layer_value_and_way_out(layer: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ModelError, match=rf"layer 'odd': {message}"):
        lowered(sequential(layer(), inputs=shape))
