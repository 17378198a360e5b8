"""The network that every tool gets: an MLP 16-64-32-32-5 with fixed-seed weights, as integers.

Inputs are signed 8-bit codes, activations unsigned 6-bit ones (round half up, saturate), the last layer is exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Input, MatMul, Relu, Requantize, Thresholds
from fpgaq.ir.types import FixedType, Overflow, Rounding
from fpgaq.quantize.formats import WeightFormat

IntArray = NDArray[np.int64]

SIZES = (16, 64, 32, 32, 5)
INPUT = FixedType(8, 4, signed=True)
ACTIVATION = FixedType(6, 4, signed=False)
BIAS_FRAC = 5
VARIANTS = ("ternary", "int6", "binary", "pot")
WEIGHT_SEED, STIMULI_SEED = 1, 7

_WEIGHT_FRAC = {"ternary": 1, "int6": 5, "binary": 1, "pot": 6}
# Further fraction bits of each layer, which keep the accumulators in the range of the activations.
_LAYER_FRAC = (0, 2, 1, 1)


@dataclass(frozen=True)
class Steps:
    """An activation of few levels: ``codes[number of thresholds t with x >= t]``, for integers x.

    Parameters
    ----------
    thresholds, codes : tuple of int
        Ascending.
    """

    thresholds: tuple[int, ...]
    codes: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One dense layer and the activation behind it.

    Parameters
    ----------
    weight : int array, shape (n_in, n_out)
        Codes with `frac` fraction bits.
    bias : int array, shape (n_out,)
        Codes with `bias_frac` fraction bits.
    frac, bias_frac : int
    format : WeightFormat, optional
        What the weights are levels of.
    steps : Steps, optional
        The activation in units of the sums; None: unsigned 6 bits. The last layer has none.
    """

    weight: IntArray
    bias: IntArray
    frac: int
    bias_frac: int = BIAS_FRAC
    format: WeightFormat | None = None
    steps: Steps | None = None


def make_layers(variant: str, sizes: Sequence[int] = SIZES) -> list[Layer]:
    """Return the layers of a variant; the same ones on every machine."""
    rng = np.random.default_rng(WEIGHT_SEED)
    layers = []
    for shape, extra in zip(itertools.pairwise(sizes), _LAYER_FRAC, strict=False):
        if variant == "int6":
            weight = rng.integers(-32, 32, shape)
        elif variant == "ternary":
            weight = rng.choice([-1, 0, 1], shape, p=[0.25, 0.5, 0.25])
        elif variant == "binary":
            weight = rng.choice([-1, 1], shape)
        else:
            magnitude = np.array([0, 1, 2, 4, 8, 16, 32, 64])[rng.integers(0, 8, shape)]
            weight = magnitude * rng.choice([-1, 1], shape)
        layers.append(Layer(weight, rng.integers(-32, 32, shape[1]), _WEIGHT_FRAC[variant] + extra))
    return layers


def stimuli(samples: int, n_in: int = SIZES[0], type_: FixedType = INPUT) -> IntArray:
    """Return random input codes, shape (samples, n_in)."""
    return np.random.default_rng(STIMULI_SEED).integers(type_.min, type_.max + 1, (samples, n_in))


def reference(layers: Sequence[Layer], x: IntArray, type_: FixedType = INPUT) -> IntArray:
    """Compute the network in a few lines that share no code with any of the tools."""
    frac = type_.frac
    for k, layer in enumerate(layers):
        total = frac + layer.frac
        acc = x @ layer.weight + (layer.bias << (total - layer.bias_frac))
        if k + 1 == len(layers):
            return np.asarray(acc)
        if layer.steps is not None:
            above = sum((acc >= t).astype(int) for t in layer.steps.thresholds)
            x, frac = np.array(layer.steps.codes)[above], 0
        else:
            drop = total - ACTIVATION.frac
            x = np.clip((acc + (1 << drop >> 1)) >> drop, 0, ACTIVATION.max)
            frac = ACTIVATION.frac
    raise ValueError("a network has at least one layer")


def make_graph(layers: Sequence[Layer], name: str = "mlp", type_: FixedType = INPUT) -> Graph:
    """Return fpgaq's integer graph of the network."""
    n_in = layers[0].weight.shape[0]
    nodes: list[Node] = [Input(name="x", inputs=(), type=type_, layer="x", shape=(n_in,))]
    for k, layer in enumerate(layers, 1):
        source = nodes[-1]
        total = source.type.frac + layer.frac
        named = {"layer": f"fc{k}", "type": FixedType(32, total, signed=True)}
        matmul = MatMul(
            name=f"fc{k}",
            inputs=(source.name,),
            weight=layer.weight,
            weight_frac=layer.frac,
            bias=layer.bias << (total - layer.bias_frac),
            format=layer.format,
            unit=np.ones(layer.weight.shape[1], np.int64),
            **named,
        )
        nodes.append(matmul)
        if k < len(layers):
            nodes += _activation(layer.steps, f"fc{k}", total, named)
    return Graph(name, nodes, (nodes[-1].name,))


def _activation(steps: Steps | None, name: str, total: int, named: dict[str, Any]) -> list[Node]:
    if steps is not None:
        thresholds, codes = np.array(steps.thresholds), np.array(steps.codes)
        exact = named | {"type": FixedType(2, 0, signed=True)}
        return [Thresholds(name=f"{name}_q", inputs=(name,), thresholds=thresholds, codes=codes, **exact)]
    quantized = Requantize(
        name=f"{name}_q",
        inputs=(f"{name}_relu",),
        type=ACTIVATION,
        source_frac=total,
        rounding=Rounding.RND,
        overflow=Overflow.SAT,
        layer=name,
    )
    return [Relu(name=f"{name}_relu", inputs=(name,), **named), quantized]


def save_layers(layers: Sequence[Layer], x: IntArray, path: Path, type_: FixedType = INPUT) -> None:
    """Write what the peers need: exact real weights, biases and thresholds, and input values."""
    arrays = {"x": x / 2.0**type_.frac}
    frac = type_.frac
    for k, layer in enumerate(layers):
        arrays[f"w{k}"] = layer.weight / 2.0**layer.frac
        arrays[f"b{k}"] = layer.bias / 2.0**layer.bias_frac
        if layer.steps is not None:
            arrays[f"thresholds{k}"] = np.array(layer.steps.thresholds) / 2.0 ** (frac + layer.frac)
            arrays[f"codes{k}"] = np.array(layer.steps.codes)
        frac = 0 if layer.steps is not None else ACTIVATION.frac
    np.savez(path, allow_pickle=False, **arrays)
