"""Where hls4ml 1.3 silently returns wrong numbers: each case is exact here, in Keras, golden model and C++.

On images also: hls4ml drops a dilation, re-rounds averages to the type of their input, takes the accumulator of a
global pooling from the default of the model, and reads behind the end of its arrays when multipliers are reused more
often than a window has elements (refused, see `test_derive_spatial.py`). Their C++ is compared in
`test_csim_spatial.py`.

The letters are those of the list of upstream bugs found while this back end was designed. Every case is compared with
Keras on its own; C++ is compared on two chains of all of them, layer by layer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import bits, dense, lowered, sequential, stimuli
from qkeras import QActivation, binary, quantized_po2, quantized_relu_po2, ternary
from spatial_models import conv
from written_designs import compiled, passed, traced_layers

L = keras.layers


def plus(*, seed: int) -> Any:
    """Return a batch normalization that `with_both_signs` will give factors of both signs."""
    return L.BatchNormalization(name=f"bn{seed}")


def with_both_signs(model: Any) -> Any:
    """Make every other factor of every batch normalization negative."""
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization):
            gamma = np.abs(layer.gamma.numpy())
            gamma[::2] *= -1
            layer.gamma.assign(gamma)
            assert gamma.min() < 0 < gamma.max()
    return model


def po2_with_zeros() -> Any:
    """Return a power-of-two matrix with exact zeros: a ternary one with a power-of-two scale."""
    model = sequential(dense(5, ternary(alpha="auto_po2"), name="fc"))
    kernel = model.layers[-1].kernel_quantizer_internal(model.layers[-1].kernel)
    values = np.unique(np.abs(np.asarray(kernel)))
    assert values[0] == 0
    assert np.all(np.log2(values[1:]) == np.rint(np.log2(values[1:])))
    return model


MINIMAL: dict[str, Callable[[], Any]] = {
    "B1 binary matrix with bias on binary data": lambda: sequential(
        QActivation("binary(alpha=1)"), dense(5, binary(alpha=1), bits(6, 2))
    ),
    "B2 one-bit unsigned data on a binary matrix": lambda: sequential(
        QActivation("quantized_relu(1,1)"), dense(5, binary(alpha=1), use_bias=False)
    ),
    "B3 ternary activation with threshold 0.5": lambda: sequential(
        dense(5, use_bias=False), QActivation("ternary(alpha=1,threshold=0.5)")
    ),
    "B4 quantized_bits activation after a matrix": lambda: sequential(dense(5), QActivation(bits(6, 2))),
    "B4 without the sign": lambda: sequential(dense(5), QActivation(bits(6, 2, keep_negative=False))),
    "B6 power-of-two weights": lambda: sequential(dense(5, quantized_po2(4), quantized_po2(4))),
    "B6 positive power-of-two weights": lambda: sequential(dense(5, quantized_relu_po2(3))),
    "B7 power-of-two weights and zeros": po2_with_zeros,
    "B8 negative factors before binary": lambda: with_both_signs(
        sequential(dense(6), plus(seed=0), QActivation("binary(alpha=1)"))
    ),
    "B8 negative factors before ternary": lambda: with_both_signs(
        sequential(dense(6), plus(seed=0), QActivation("ternary(alpha=1)"))
    ),
}


def image(*layers: Any) -> Any:
    return sequential(*layers, inputs=(4, 5, 2))


ON_IMAGES: dict[str, Callable[[], Any]] = {
    "B1 binary convolution with bias on binary data": lambda: image(
        QActivation("binary(alpha=1)"), conv(3, (2, 2), binary(alpha=1), bits(6, 2))
    ),
    "B2 one-bit unsigned data on a binary convolution": lambda: image(
        QActivation("quantized_relu(1,1)"), conv(3, (2, 2), binary(alpha=1), use_bias=False)
    ),
    "B3 ternary activation with threshold 0.5": lambda: image(
        conv(3, (2, 2), use_bias=False), QActivation("ternary(alpha=1,threshold=0.5)")
    ),
    "B4 quantized_bits activation after a convolution": lambda: image(conv(3, (2, 2)), QActivation(bits(6, 2))),
    "B5 maximum of unsigned data with a margin": lambda: image(
        QActivation("quantized_relu(4,1)"), L.MaxPooling2D(3, strides=2, padding="same")
    ),
    "B6 power-of-two weights": lambda: image(conv(3, (2, 2), quantized_po2(4), quantized_po2(4))),
    "B8 negative factors before ternary": lambda: with_both_signs(
        image(conv(3, (2, 2)), plus(seed=0), QActivation("ternary(alpha=1)"))
    ),
    "a dilation": lambda: image(conv(3, (2, 2), dilation_rate=2)),
    "averages between the steps of their input": lambda: image(
        QActivation("quantized_relu(4,1)"), L.AveragePooling2D(2, padding="same")
    ),
    "a global average": lambda: image(conv(3, (2, 2), bits(8, 5)), L.GlobalAveragePooling2D()),
}
MINIMAL |= {f"{bug}, on images": make for bug, make in ON_IMAGES.items()}


@pytest.mark.parametrize("bug", MINIMAL)
def test_minimal_models_equal_keras(bug: str) -> None:
    design = lowered(MINIMAL[bug]())
    passed(design.keras_gate(stimuli(design, 2000)))
    x = stimuli(design, 300)
    assert np.unique(design.golden(x, raw=True), axis=0).shape[0] > 1


def chain_of_signs() -> Any:
    return sequential(
        QActivation("quantized_relu(1,1)", name="b2_data"),
        dense(7, binary(alpha=1), bits(6, 2), name="b2"),
        QActivation("binary(alpha=1)", name="b1_data"),
        dense(7, binary(alpha=1), bits(6, 2), name="b1"),
        QActivation("ternary(alpha=1,threshold=0.5)", name="b3"),
        dense(6, name="b4_data"),
        QActivation(bits(6, 2), name="b4"),
        dense(5, binary(alpha=1), name="between"),
        QActivation(bits(4, 2, keep_negative=False), name="b4_unsigned"),
    )


def chain_of_scales() -> Any:
    return with_both_signs(
        sequential(
            dense(7, quantized_po2(4), quantized_po2(4), name="b6"),
            QActivation(bits(5, 2), name="cast"),
            dense(6, ternary(alpha="auto_po2"), name="b7"),
            plus(seed=8),
            QActivation("binary(alpha=1)", name="b8_binary"),
            dense(6, name="fc"),
            plus(seed=9),
            QActivation("ternary(alpha=1)", name="b8_ternary"),
        )
    )


@pytest.mark.parametrize("chain", [chain_of_signs, chain_of_scales])
def test_chains_of_all_cases_equal_in_keras_and_cpp(chain: Callable[[], Any], tmp_path: Path) -> None:
    design = compiled(chain(), tmp_path / "net")
    x = stimuli(design, 500)
    passed(design.keras_gate(x))
    passed(design.csim_gate(x))
    layers = traced_layers(design, x)
    names = [layer.name for layer in chain().layers]
    assert set(names) <= {*layers, "features"}
    for layer in names:
        values = design.csim_library.run(x, trace=True)[layer] if layer == names[-1] else None
        assert values is None or np.unique(values).size > 1
