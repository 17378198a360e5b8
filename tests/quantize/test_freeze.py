"""Frozen models: fixed quantizers, the same outputs bit for bit, and errors that name the layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from qkeras import QActivation, QDense, QDenseBatchnorm, quantized_bits
from trainable_models import mixed, outputs, trained

import fpgaq
from fpgaq.errors import ModelError
from fpgaq.frontend.load import load_model
from fpgaq.quantize.formats import Codebook, Integer, PowerOfTwo
from fpgaq.quantize.quantizers import (
    FrequencyAware,
    LearnedClip,
    LearnedStep,
    LearnedThresholds,
    SearchedLevels,
    TrainableQuantizer,
    TrainedTernary,
)
from fpgaq.quantize.quantizers.steps import fixed_steps


@pytest.fixture(scope="module")
def model() -> Any:
    return trained()


def test_frozen_computes_the_same(model: Any, tmp_path: Path) -> None:
    frozen = fpgaq.freeze(model)
    assert np.array_equal(outputs(frozen), outputs(model))
    layers = frozen._flatten_layers()
    assert not [layer for layer in layers if isinstance(layer, TrainableQuantizer)]
    for name in ("conv", "mixture", "log"):
        layer = frozen.get_layer(name)
        quantized = layer.kernel_quantizer_internal(layer.kernel)
        assert np.array_equal(quantized, layer.kernel)
        old = model.get_layer(name)
        assert np.array_equal(old.kernel_quantizer_internal(old.kernel), layer.kernel)
    frozen.save(tmp_path / "frozen.keras")
    assert np.array_equal(outputs(load_model(tmp_path / "frozen.keras")), outputs(model))
    assert fpgaq.freeze(frozen) is frozen


def test_conversion_freezes_by_itself(model: Any, tmp_path: Path) -> None:
    design = fpgaq.convert(model, input_precision="ufixed<6,0>", output=tmp_path / "build", weight_precision=12)
    x = np.random.default_rng(0).integers(0, 64, (100, 6, 6, 2))
    assert design.keras_gate(x).passed
    formats = {name: design.graph.nodes[name].format for name in ("conv", "mixture", "log")}  # type: ignore[attr-defined]
    assert formats["conv"] == Integer(4, symmetric=True)
    assert isinstance(formats["mixture"], Codebook)
    assert formats["log"] == PowerOfTwo(3)


@pytest.mark.parametrize("clip", [0.05, 0.9, 5.0, 3e4])
@pytest.mark.parametrize("bits", [1, 4, 12])
def test_every_clip_is_frozen_bit_for_bit(clip: float, bits: int) -> None:
    quantizer = LearnedClip(bits, clip=clip)
    x = np.random.default_rng(0).normal(0, 4 * clip, 4000).astype(np.float32)
    assert np.array_equal(quantizer.fixed()(x), quantizer(x))


@pytest.mark.parametrize("quantizer", [LearnedStep(4, step=0.3), LearnedStep(3, signed=True), LearnedThresholds(3)])
def test_other_activations_are_frozen_bit_for_bit(quantizer: Any) -> None:
    x = np.random.default_rng(0).normal(1, 2, 4000).astype(np.float32)
    quantizer.adapt(np.maximum(x, 0) / 3)
    if isinstance(quantizer, LearnedThresholds):
        quantizer.widths.assign(np.random.default_rng(1).uniform(-0.1, 0.6, 7))  # one below the least width, or more
    fixed = quantizer.fixed()
    x = np.concatenate([x, getattr(fixed, "thresholds", [])]).astype(np.float32)
    assert np.array_equal(fixed(x), quantizer(x))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("signed", [False, True])
def test_files_of_fixed_steps_compute_the_same_bit_for_bit(suffix: str, signed: bool, tmp_path: Path) -> None:
    first, second = fixed_steps(6, 2.0**-8, signed=signed), fixed_steps(3, 2.0**-14, signed=signed)
    dense = QDense(4, kernel_quantizer=quantized_bits(4, 1, alpha=1), activation=first, name="d")
    model = keras.Sequential([keras.Input((5,)), dense, QActivation(second)])
    model = keras.Model(model.inputs, [layer.output for layer in model.layers])
    x = np.random.default_rng(0).normal(0, 1e5, (1000, 5)).astype(np.float32)
    wanted = model(x)
    assert all(1 < len(np.unique(values)) <= 64 for values in wanted)
    model.save(tmp_path / f"model{suffix}")
    for found, values in zip(load_model(tmp_path / f"model{suffix}")(x), wanted, strict=True):
        assert np.array_equal(found, values)


def _with_parameter(value: float) -> Any:
    model = mixed()
    model.get_layer("mixture").kernel_quantizer_internal.means.assign(np.full(7, value))
    return model


def _with_unit(value: float) -> Any:
    quantizer = SearchedLevels(2)
    model = keras.Sequential([keras.Input((4,)), QDense(3, kernel_quantizer=quantizer, name="searched")])
    quantizer.unit.assign(value)
    return model


def _with_magnitude(value: float) -> Any:
    quantizer = TrainedTernary()
    model = keras.Sequential([keras.Input((4,)), QDense(3, kernel_quantizer=quantizer, name="ternary")])
    quantizer.positive.assign(value)
    return model


def _exchanged() -> Any:
    model = mixed()
    model.get_layer("log").kernel_quantizer = quantized_bits(4, 0, alpha=1)
    return model


def _folded() -> Any:
    layers = [keras.Input((4,)), QDenseBatchnorm(3, kernel_quantizer=FrequencyAware(4), name="folded")]
    return keras.Sequential(layers)


def _on_a_bias() -> Any:
    return keras.Sequential([keras.Input((4,)), QDense(3, bias_quantizer=LearnedClip(4), name="biased")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _with_parameter(np.nan), "layer 'mixture': .*means is NaN or infinite; train the model again"),
        (lambda: _with_unit(0.0), "layer 'searched': kernel_quantizer .*: its values are not integers .* times 0.0"),
        (lambda: _with_unit(-1.0), "layer 'searched': kernel_quantizer .*: its values are not integers .* times -1.0"),
        (lambda: _with_magnitude(1e30), "layer 'ternary': kernel_quantizer .*: its values are not integers of up"),
        (_exchanged, "layer 'log': kernel_quantizer was exchanged for quantized_bits.* still uses FrequencyAware"),
        (_folded, r"layer 'folded' \(QDenseBatchnorm\): FrequencyAware.* cannot be frozen there"),
        (_on_a_bias, r"layer 'biased' \(QDense\): LearnedClip.* cannot be frozen there"),
    ],
)
def test_models_that_cannot_be_frozen_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        fpgaq.freeze(make())
