"""The frozen Keras model: the user's model with dyadic parameters, computed by Keras and QKeras themselves.

It is the left side of the first gate. Matrices, scales and casts are Keras operations on the frozen numbers; activation
quantizers are the model's own QKeras objects. Where a static bound shows float32 exact it is used, else float64.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fpgaq.bundles import Bundle, bundled, samples, unbundled
from fpgaq.errors import FpgaqError, ModelError
from fpgaq.frontend.activation_quantizers import Cast, activation_meaning, evaluation_on_steps
from fpgaq.frontend.curves import curve_name, is_curve
from fpgaq.frontend.dyadic import trailing_fraction_bits
from fpgaq.frontend.frozen_curves import curve_step
from fpgaq.frontend.frozen_gated import gated_step
from fpgaq.frontend.frozen_merge import merge_step
from fpgaq.frontend.frozen_recurrent import recurrent_step
from fpgaq.frontend.frozen_spatial import average_step, convolution_step, depthwise_step
from fpgaq.frontend.qkeras_quantizers import quantizer_name
from fpgaq.frontend.recurrent_handlers import functions_of
from fpgaq.frontend.supported import (
    CLIPPING_FUNCTIONS,
    LEAKY_FUNCTIONS,
    MERGING_LAYERS,
    RECURRENT_LAYERS,
    hls_name,
)
from fpgaq.hls.derive import Derivation
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Affine, ArgMax, GatedMatMul, MatMul, Merge, Scan, Softmax, WindowAverage
from fpgaq.ir.types import FixedType, IntArray, Overflow, Rounding, cast

Step = Callable[[Any], Any]
_MANTISSA = {"float32": 24, "float64": 53}
_NO_OPERATION = ("Dropout", "InputLayer")
_MATRICES = ("Dense", "QDense", "QDenseBatchnorm")


def exact_dtype(graph: Graph) -> str:
    """Return the float type in which every partial sum of the graph is exact.

    Raises
    ------
    FpgaqError
        If not even float64 is.
    """
    most = max(_largest_partial_sum(graph, node) for node in graph.nodes.values())
    for dtype, bits in _MANTISSA.items():
        if most < 1 << bits:
            return dtype
    raise FpgaqError(
        f"intermediate results of up to {most.bit_length()} bits are not exact in float64, so that Keras cannot "
        "compute "
        "them; lower the input, weight or scale precision"
    )


def _largest_partial_sum(graph: Graph, node: Node) -> int:
    """Bound on any sum of a part of the terms of a node, in units of its result."""
    if isinstance(node, (GatedMatMul, MatMul)):
        return node.largest_partial_sum(graph.bounds[node.inputs[0]])
    if isinstance(node, Scan):  # Keras adds the sums of both matrices in another order
        return 2 * max(_largest_partial_sum(node.step, inner) for inner in node.step.nodes.values())
    if isinstance(node, WindowAverage):
        return node.largest_sum(graph.bounds[node.inputs[0]])
    if isinstance(node, Merge):
        return node.largest_partial_result([graph.bounds[name] for name in node.inputs])
    if isinstance(node, Affine):
        x, matrix = graph.bounds[node.inputs[0]], graph.nodes[node.inputs[0]]
        if isinstance(matrix, MatMul) and matrix.layer == node.layer:  # of a recurrent layer: Keras scales the weights
            most = matrix.largest_partial_sum(graph.bounds[matrix.inputs[0]])
            return most * int(np.abs(node.scale).max()) + int(np.abs(node.bias).max())
        reach = np.maximum(np.abs(x.lo), np.abs(x.hi)).astype(object)
        return int((reach * np.abs(node.scale) + np.abs(node.bias)).max())
    return max(map(abs, graph.bounds[node.name].hull))


class FrozenModel:
    """Keras' own evaluation of the frozen model.

    Parameters
    ----------
    model : keras.Model
        The user's model.
    derivation : Derivation
        Frozen parameters and the casts that were added.
    """

    def __init__(self, model: Any, derivation: Derivation) -> None:
        self.graph = derivation.graph
        self.dtype = exact_dtype(self.graph)
        self._model = model
        steps = _Steps(derivation, self.dtype)
        self._steps = {layer.name: steps.of(layer) for layer in model.layers}
        functional = getattr(model, "_functional", model)  # a sequential model holds one
        depths = sorted(functional._nodes_by_depth.items(), reverse=True)
        self._nodes = [node for _, nodes in depths for node in nodes]  # from the inputs on

    def _evaluate(self, inputs: dict[str, Any]) -> list[Any]:
        """Compute every layer once, from the inputs on; a merging layer reads a list of tensors."""
        known: dict[str, Any] = {}
        for node in self._nodes:
            name, read = node.operation.name, node.arguments.keras_tensors
            tensors = [known[tensor._keras_history.operation.name] for tensor in read]
            value = inputs[hls_name(name)] if not tensors else tensors if len(tensors) > 1 else tensors[0]
            for step in self._steps.get(name, []):
                value = step(value)
            known[name] = value
        return [known[tensor._keras_history.operation.name] for tensor in self._model.outputs]

    def codes(self, inputs: Bundle, batch: int = 1024) -> Bundle:
        """Evaluate input codes and return output codes, shape (samples, size); lists where there are several.

        Raises
        ------
        ModelError
            If a result is not on the grid of the output type: the front end and Keras disagree.
        """
        import keras

        x = {name: values.astype(self.dtype) for name, values in _real(inputs, self.graph).items()}
        parts = [
            self._evaluate({name: keras.ops.convert_to_tensor(v[k : k + batch]) for name, v in x.items()})
            for k in range(0, samples(inputs), batch)
        ]
        return bundled(
            [
                self._codes(_whole(part), name)
                for part, name in zip(zip(*parts, strict=True), self.graph.outputs, strict=True)
            ]
        )

    def _codes(self, values: np.ndarray, name: str) -> IntArray:
        """Return the codes of one output."""
        output = self.graph.nodes[name]
        if isinstance(output, ArgMax):
            return np.argmax(values, axis=1)[:, None].astype(np.int64)
        if isinstance(output, Softmax):
            output = self.graph.nodes[output.inputs[0]]
        scaled = np.ldexp(values, output.type.frac)
        if np.any(scaled != np.rint(scaled)):
            raise ModelError(f"layer {output.layer!r}: Keras returns values off the grid of {output.type}")
        return scaled.astype(np.int64)


def _real(inputs: Bundle, graph: Graph) -> dict[str, np.ndarray]:
    """Return input codes as values, by the name of the input."""
    names = [node.name for node in graph.inputs]
    return {
        node.name: np.ldexp(np.asarray(codes).astype(np.float64), -node.type.frac)
        for node, codes in zip(graph.inputs, unbundled(inputs, names, "inputs"), strict=True)
    }


def _whole(parts: Sequence[Any]) -> np.ndarray:
    """Return the batches of one output as one array of shape (samples, size)."""
    values = np.concatenate([np.asarray(part) for part in parts]).astype(np.float64)
    return values.reshape(len(values), -1)


class _Steps:
    """Translates layers into lists of functions on tensors."""

    def __init__(self, derivation: Derivation, dtype: str) -> None:
        self.derivation = derivation
        self.dtype = dtype

    def of(self, layer: Any) -> list[Step]:
        import keras

        kind, name = type(layer).__name__, hls_name(layer.name)
        if kind in _NO_OPERATION:
            return self._cast(name)
        if kind in ("Flatten", "Permute", "Reshape") or kind.startswith(("Cropping", "UpSampling")):
            return [layer.call]
        if kind.startswith("Gated"):
            return [gated_step(layer, self.derivation.parameters[name]["weight"], self.dtype), *self._cast(name)]
        if kind in _MATRICES or "Conv" in kind:
            return self._matrix(layer, name)
        if kind in RECURRENT_LAYERS:
            return [self._recurrent(layer, name), *self._cast(name)]
        if kind in MERGING_LAYERS:
            return [merge_step(layer, name, self.derivation.graph, self.dtype), *self._cast(name)]
        if "AveragePooling" in kind:
            return [average_step(layer, name, self.derivation.graph, self.dtype), *self._cast(name)]
        if "MaxPooling" in kind or kind.startswith("ZeroPadding"):
            return [layer.call, *self._cast(name)]
        if kind in ("BatchNormalization", "Normalization", "QBatchNormalization", "Rescaling"):
            return [*self._affine(name), *self._cast(name)]
        if kind in ("LeakyReLU", "PReLU", "ReLU"):
            return [*self._rectifier(layer, name), *self._cast(name)]
        if kind == "Softmax":
            return []
        if kind == "ELU":
            return [*self._activation(layer.name, name, keras.activations.elu), *self._cast(name)]
        return [*self._activation(layer.name, name, layer.activation), *self._cast(name)]

    def _matrix(self, layer: Any, name: str) -> list[Step]:
        import keras

        kind, steps = type(layer).__name__, list[Step]()
        kernel, bias = self._weights(name)
        if "Separable" in kind:
            first = f"{layer.name}_depthwise"
            steps = [depthwise_step(layer, *self._weights(first)), *self._scaled(first)]
            kernel = kernel.reshape(kernel.shape[-2:])
        if "Depthwise" in kind:
            steps += [depthwise_step(layer, kernel, bias)]
        elif "Conv" in kind and "Separable" not in kind:
            steps += [convolution_step(layer, kernel, bias)]
        else:
            kernel = kernel.reshape(kernel.shape[-2:])
            steps += [lambda x: keras.ops.matmul(x, kernel) + bias]
        steps += self._scaled(name)
        function = quantizer_name(layer.activation)
        if layer.activation is not None and function != "linear":
            behind = hls_name(f"{layer.name}_{function}")
            steps += [*self._activation(layer.name, behind, layer.activation), *self._cast(behind)]
        return steps

    def _recurrent(self, layer: Any, name: str) -> Step:
        functions = {
            part: [*self._cast(f"{name}_{part}_in"), *self._function(layer.name, f"{name}_{part}", function)]
            for part, function in functions_of(layer).items()
        }
        functions |= {state: self._cast(f"{name}_{state}") for state in ("hidden_state", "cell_state")}
        quantizer = getattr(layer, "state_quantizer_internal", None)
        if quantizer is not None:
            functions["state_quantizer"] = self._function(layer.name, name, quantizer)
        return recurrent_step(layer, self.derivation.parameters[name], functions, self.dtype)

    def _function(self, layer: str, name: str, function: Any) -> list[Step]:
        """Return the steps of a function in a recurrent layer, which may be one that only QKeras has."""
        if function is not None and curve_name(function) is not None:
            return [curve_step(function, self.derivation.casts[name][0])]
        return [] if function is None else self._activation(layer, name, function)

    def _weights(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        parameters = self.derivation.parameters[name]
        return parameters["weight"].values.astype(self.dtype), parameters["bias"].values.astype(self.dtype)

    def _scaled(self, name: str) -> list[Step]:
        """Return what follows a matrix: its cast, and the scale of alpha='auto' with its own."""
        steps = self._cast(name)
        if f"{name}_scale" in self.derivation.parameters:
            steps += [*self._affine(f"{name}_scale"), *self._cast(f"{name}_scale")]
        return steps

    def _affine(self, name: str) -> list[Step]:
        parameters = self.derivation.parameters[name]
        scale, bias = (parameters[k].values.astype(self.dtype) for k in ("scale", "bias"))
        return [lambda x: x * scale + bias]

    def _rectifier(self, layer: Any, name: str) -> list[Step]:
        import keras

        if not getattr(layer, "negative_slope", True):
            return [layer.call]
        most = getattr(layer, "max_value", None)
        limited = [] if most is None else [lambda x: keras.ops.minimum(x, most)]
        return [*limited, *self._cast(f"{name}_limit"), self._leaky(name)]

    def _leaky(self, name: str) -> Step:
        import keras

        slope = self.derivation.parameters[name]["slope"].values.astype(self.dtype)
        return lambda x: keras.ops.relu(x) - slope * keras.ops.relu(-x)  # as PReLU computes it

    def _activation(self, layer: str, name: str, activation: Any) -> list[Step]:
        """Return the steps of an activation: `layer` is Keras' name, `name` that of the hls4ml layer."""
        function = quantizer_name(activation)
        if function in ("linear", "softmax"):
            return []
        if function == "relu":
            return [_relu]
        if function in CLIPPING_FUNCTIONS:
            return [activation]
        if function in LEAKY_FUNCTIONS:
            return [self._leaky(name)]
        if is_curve(activation):
            return [curve_step(activation, self.derivation.casts[name][0])]
        meaning = activation_meaning(layer, activation)
        if isinstance(meaning, Cast):
            return [_in_float32(activation, meaning)]
        return [_in_numpy(evaluation_on_steps(activation, meaning))]

    def _cast(self, name: str) -> list[Step]:
        added = self.derivation.casts.get(name)
        return [] if added is None else [_cast_step(*added)]


def _relu(x: Any) -> Any:
    import keras

    return keras.ops.maximum(x, 0)


def _in_numpy(function: Callable[[np.ndarray], np.ndarray]) -> Step:
    import keras

    return lambda x: keras.ops.cast(function(keras.ops.convert_to_numpy(x)), x.dtype)


def _in_float32(quantizer: Any, meaning: Cast) -> Step:
    """Evaluate a QKeras quantizer, which computes ``x + (q - x)`` in float32, without losing information.

    The value is first reduced to something near the range of `q`, which float32 holds together with `q` and for which
    no decision of the quantizer changes.
    """
    import keras

    reduce = _reduce_for_cast(meaning.type)
    return lambda x: keras.ops.cast(quantizer(keras.ops.cast(reduce(x), "float32")), x.dtype)


def _reduce_for_cast(type_: FixedType) -> Step:
    """Clip far outside the range, and cut to quarters of a step with a sticky bit below: rounding sees only that."""
    import keras

    step, reach = type_.step / 4, 4.0 * 2.0**type_.integer_bits

    def reduce(x: Any) -> Any:
        x = keras.ops.clip(x, -reach, reach)
        whole = keras.ops.floor(x / step)
        sticky = keras.ops.cast(keras.ops.not_equal(whole * step, x), x.dtype)
        return (whole + 0.5 * sticky) * step

    return reduce


def _cast_step(to: FixedType, rounding: Rounding, overflow: Overflow) -> Step:
    """Apply a cast of the conversion; values are exact in float64, so integers lose nothing."""
    import keras

    def apply(x: Any) -> Any:
        values = np.asarray(keras.ops.convert_to_numpy(x), dtype=np.float64)
        frac = max(to.frac, trailing_fraction_bits(values))
        codes = cast(np.ldexp(values, frac).astype(np.int64), frac, to, rounding, overflow)
        return keras.ops.cast(keras.ops.convert_to_tensor(np.ldexp(codes.astype(np.float64), -to.frac)), x.dtype)

    return apply


def original_outputs(model: Any, inputs: Bundle, graph: Graph, batch: int = 1024) -> Bundle:
    """Evaluate the user's model as it is on input codes, float32 by Keras; a list where it has several outputs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    x = [values.astype(np.float32) for values in _real(inputs, graph).values()]
    parts = []
    for k in range(0, samples(inputs), batch):
        found = model(bundled([values[k : k + batch] for values in x]), training=False)
        parts.append(keras.tree.flatten(found))
    return bundled([_whole(part) for part in zip(*parts, strict=True)])
