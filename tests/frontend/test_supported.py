"""What is said about models that cannot be converted, before any work starts."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras_models import bits, dense, lowered, sequential, stimuli
from qkeras import QActivation, QDense

from fpgaq.errors import ModelError
from fpgaq.frontend.frozen import original_outputs
from fpgaq.ir import golden

L = keras.layers


class MyDense(L.Dense):
    """A custom layer."""


class Subclassed(keras.Model):
    """A model whose graph nobody can see."""

    def __init__(self) -> None:
        super().__init__(name="sub")
        self.fc = L.Dense(2)

    def call(self, x: Any) -> Any:
        return self.fc(x)


def shared() -> Any:
    layer = L.Dense(6, name="twice")
    x = keras.Input((6,))
    return keras.Model(x, layer(layer(x)))


def merged(layer: Any, batch: int | None = None) -> Any:
    """Return a model that merges its input with itself, or alone."""
    x = keras.Input((3,), batch)
    return keras.Model(x, layer([x] if batch is None else [x, x]))


def two_inputs() -> Any:
    a, b = keras.Input((3,)), keras.Input((3,))
    return keras.Model([a, b], L.Dot(1, name="join")([a, b]))


def operator() -> Any:
    x = keras.Input((3,))
    return keras.Model(x, L.Dense(3)(x) + x)


REFUSED = {
    "not a model": (lambda: 5, r"expected a keras\.Model or the path of a model file, not int"),
    "subclassed": (lambda: Subclassed(), r"model 'sub' is a subclassed model; use Sequential or the functional API"),
    "not built": (lambda: keras.Sequential([L.Dense(2)], name="raw"), r"model 'raw' is not built; call it once"),
    "shared": (shared, r"layer 'twice' is used more than once; give every use a layer of its own"),
    "two inputs": (two_inputs, r"layer 'join': Dot layers are not supported"),
    "one tensor": (
        lambda: merged(L.Add(name="sum")),
        r"layer 'sum': Add of one tensor is not supported; leave the layer out",
    ),
    "samples behind each other": (
        lambda: merged(L.Concatenate(0, name="c"), 2),
        r"layer 'c': axis=0 puts samples behind each other; use an axis of the tensors, 1 to 1 or -1",
    ),
    "custom class": (lambda: sequential(MyDense(2, name="mine")), r"layer 'mine': MyDense layers are not supported"),
    "transposed": (
        lambda: sequential(L.Conv1DTranspose(2, 2, name="c"), inputs=(6, 1)),
        r"'c': Conv1DTranspose layers",
    ),
    "volume": (lambda: sequential(L.Conv3D(2, 2, name="c"), inputs=(4, 4, 4, 1)), r"layer 'c': Conv3D layers are not"),
    "lambda": (lambda: sequential(L.Lambda(lambda x: x, name="la")), r"layer 'la': .*code would have to be executed"),
    "silu": (
        lambda: sequential(L.Dense(2, activation="silu", name="fc")),
        r"layer 'fc': activation 'silu' is not supported; use linear, relu, softmax, hard_tanh, relu6, leaky_relu, elu",
    ),
    "gelu": (lambda: sequential(L.Activation("gelu", name="ge")), r"layer 'ge': activation 'gelu' is not supported"),
    "relu 0.1": (lambda: sequential(L.ReLU(0.1, name="r1")), r"layer 'r1': ReLU with max_value=0\.1 is not supported"),
    "threshold": (lambda: sequential(L.ReLU(threshold=0.5, name="th")), r"layer 'th': ReLU with threshold=0\.5"),
    "slopes of pixels": (
        lambda: sequential(L.PReLU(shared_axes=[1], name="pr"), inputs=(3, 2, 4)),
        r"layer 'pr': a PReLU whose slopes differ between pixels is not supported.*use shared_axes=\[1, 2\]",
    ),
    "activation argument": (
        lambda: sequential(dense(2, activation="quantized_ulaw(4)", name="fu")),
        r"layer 'fu': quantized_ulaw with bits=4.* is no dyadic number",
    ),
    "kernel quantizer": (
        lambda: sequential(QDense(2, kernel_quantizer="bernoulli()", name="kb")),
        r"layer 'kb': kernel quantizer 'bernoulli' is not supported",
    ),
    "axis": (
        lambda: sequential(L.BatchNormalization(axis=1, name="bn"), inputs=(4, 3)),
        r"layer 'bn': normalises axis 1; use the last axis, perhaps behind a Permute",
    ),
    "softmax inside": (
        lambda: sequential(L.Dense(3), L.Softmax(name="sm"), dense(2, bits(4))),
        r"layer 'sm': softmax inside the network is not integer arithmetic",
    ),
    "dense on a volume": (
        lambda: sequential(L.Dense(3, name="fc2"), inputs=(2, 2, 4, 3)),
        r"layer 'fc2': Dense on shape \[2, 2, 4, 3\] is not supported, only on vectors, series and images; use",
    ),
    "elu": (
        lambda: sequential(L.ELU(alpha=0.5, name="el")),
        r"layer 'el': ELU with alpha=0\.5 is not supported; use al",
    ),
    "operator": (operator, r"operation 'add.*' \(Add\) is not a layer; use one instead .*such as Add for \+"),
    "factors of pixels": (
        lambda: sequential(L.Normalization(axis=1, mean=[1.0, 2], variance=[1.0, 2], name="no"), inputs=(2, 3)),
        r"layer 'no': Normalization with a number for every element is not supported.*use a number for each channel",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_layer_value_and_way_out(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(ModelError, match=message):
        lowered(make())


def test_factors_of_channels_are_those_of_keras() -> None:
    """Exact where their numbers are short: of the whole tensor, of channels, and the way back."""
    x = keras.Input((3, 2))
    short = {"mean": [1.5, -2.0], "variance": [4.0, 0.25]}
    results = [
        L.Rescaling(0.25, name="all")(x),
        L.Rescaling([0.5, -3.0], offset=[-1.0, 0.125], name="each")(x),
        L.Normalization(name="channels", **short)(x),
        L.Normalization(invert=True, name="back", **short)(x),
        L.Normalization(axis=None, mean=1.5, variance=4.0, name="one")(x),
        L.ELU(name="elu")(x),
    ]
    design = lowered(keras.Model(x, results))
    codes = stimuli(design, 100)
    design.keras_gate(codes).require()
    found = zip(design.graph.outputs, golden.run(design.graph, [codes]), strict=True)
    want = original_outputs(design.origin.model, codes, design.graph)
    for (name, values), theirs in zip(found, want, strict=True):
        ours = np.ldexp(values.reshape(theirs.shape), -design.graph.nodes[name].type.frac)
        assert np.abs(ours - theirs).max() <= (0.05 if name == "elu" else 0), name


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("what", ["kernel", "bias"])
def test_parameters_that_are_no_numbers_are_refused(value: float, quantized: bool, what: str) -> None:
    layer = dense(3, name="fc1") if quantized else L.Dense(3, name="fc1")
    model = sequential(layer)
    variable = getattr(layer, what)
    broken = variable.numpy()
    broken.reshape(-1)[1] = value
    variable.assign(broken)
    with pytest.raises(ModelError, match=r"layer 'fc1': (weight|bias|kernel).*NaN or infinity"):
        lowered(model)


def test_batch_statistics_that_are_no_numbers_are_refused() -> None:
    layer = L.BatchNormalization(name="bn")
    model = sequential(layer)
    layer.moving_variance.assign([float("nan")] * 6)
    with pytest.raises(ModelError, match=r"layer 'bn': scale contains NaN or infinity"):
        lowered(model)


def test_a_functional_chain_is_the_same_as_a_sequential_model() -> None:
    x = keras.Input((6,))
    keras.utils.set_random_seed(0)
    inner = dense(4, name="a")(x)
    functional = keras.Model(x, dense(2, name="b")(QActivation("quantized_relu(4)", name="r")(inner)))
    keras.utils.set_random_seed(0)
    layers = [dense(4, name="a"), QActivation("quantized_relu(4)", name="r"), dense(2, name="b")]
    chain = keras.Sequential([keras.Input((6,)), *layers])
    texts = {
        str(lowered(m).graph).replace(lowered(m).graph.inputs[0].name, "x").replace(" ", "")
        for m in (functional, chain)
    }
    assert len(texts) == 1
