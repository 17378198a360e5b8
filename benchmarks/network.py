"""The network that every tool gets: an MLP 16-64-32-32-5 with fixed-seed weights, as integers.

Inputs are signed 8-bit codes, activations unsigned 6-bit ones (round half up, saturate), the last layer is exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Input, MatMul, Relu, Requantize
from fpgaq.ir.types import FixedType, Overflow, Rounding

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
class Layer:
    """One dense layer.

    Parameters
    ----------
    weight : int array, shape (n_in, n_out)
        Codes with `frac` fraction bits.
    bias : int array, shape (n_out,)
        Codes with `BIAS_FRAC` fraction bits.
    frac : int
    """

    weight: IntArray
    bias: IntArray
    frac: int


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


def stimuli(samples: int, n_in: int = SIZES[0]) -> IntArray:
    """Return random input codes, shape (samples, n_in)."""
    return np.random.default_rng(STIMULI_SEED).integers(INPUT.min, INPUT.max + 1, (samples, n_in))


def reference(layers: Sequence[Layer], x: IntArray) -> IntArray:
    """Compute the network in a few lines that share no code with any of the tools."""
    frac = INPUT.frac
    for k, layer in enumerate(layers):
        total = frac + layer.frac
        acc = x @ layer.weight + (layer.bias << (total - BIAS_FRAC))
        if k + 1 == len(layers):
            return np.asarray(acc)
        drop = total - ACTIVATION.frac
        x = np.clip((acc + (1 << drop >> 1)) >> drop, 0, ACTIVATION.max)
        frac = ACTIVATION.frac
    raise ValueError("a network has at least one layer")


def make_graph(layers: Sequence[Layer], name: str = "mlp") -> Graph:
    """Return fpgaq's integer graph of the network."""
    n_in = layers[0].weight.shape[0]
    nodes: list[Node] = [Input(name="x", inputs=(), type=INPUT, layer="x", shape=(n_in,))]
    source, frac = "x", INPUT.frac
    for k, layer in enumerate(layers, 1):
        total = frac + layer.frac
        layer_name = f"fc{k}"
        exact = FixedType(32, total, signed=True)
        bias = layer.bias << (total - BIAS_FRAC)
        matmul = MatMul(
            name=f"fc{k}",
            inputs=(source,),
            type=exact,
            weight=layer.weight,
            weight_frac=layer.frac,
            bias=bias,
            layer=layer_name,
        )
        nodes.append(matmul)
        source, frac = matmul.name, total
        if k < len(layers):
            nodes.append(Relu(name=f"fc{k}_relu", inputs=(source,), type=exact, layer=layer_name))
            quantized = Requantize(
                name=f"fc{k}_q",
                inputs=(f"fc{k}_relu",),
                type=ACTIVATION,
                source_frac=total,
                rounding=Rounding.RND,
                overflow=Overflow.SAT,
                layer=layer_name,
            )
            nodes.append(quantized)
            source, frac = quantized.name, ACTIVATION.frac
    return Graph(name, nodes, (source,))


def save_layers(layers: Sequence[Layer], x: IntArray, path: Path) -> None:
    """Write what the peers need: exact real weights and biases, and input values."""
    arrays = {"x": x / 2.0**INPUT.frac}
    for k, layer in enumerate(layers):
        arrays[f"w{k}"] = layer.weight / 2.0**layer.frac
        arrays[f"b{k}"] = layer.bias / 2.0**BIAS_FRAC
    np.savez(path, allow_pickle=False, **arrays)
