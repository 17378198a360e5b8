"""Precision gating of a trained model: its hidden layers become gated ones, which are then trained further."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fpgaq.errors import ModelError
from fpgaq.frontend.supported import graph_of
from fpgaq.quantize.ranges import least_error
from fpgaq.quantize.requantize import matrices, rectifies

_DENSE, _CONVOLUTIONS = ("Dense", "QDense"), ("Conv1D", "QConv1D", "Conv2D", "QConv2D")
_GATED = ("GatedConv1D", "GatedConv2D", "GatedDense")
_NORMALIZATION = "BatchNormalization"
#: Layers in front of a matrix that keep numbers as they are.
_PASSING = (
    *("Dropout", "Flatten", "MaxPooling1D", "MaxPooling2D", "Reshape", "SpatialDropout1D", "SpatialDropout2D"),
    *("ZeroPadding1D", "ZeroPadding2D"),
)
_CALIBRATION = 512
#: How much the distance of the thresholds from their target counts in the loss.
_PENALTY = 1e-2
#: Where thresholds are drawn to unless something else is asked for: on digits two of five gates stay closed then, and
#: accuracy is the same.
GATE_TARGET = 0.25
#: Thresholds have further to go than weights have.
THRESHOLD_RATE = {"threshold": 10.0}


@dataclass(frozen=True)
class Gates:
    """What the gates of a layer did on some samples.

    Parameters
    ----------
    layer : str
    closed : float
        Share of the outputs without the low bits.
    work : float
        Bits of activations that were multiplied, as a share of all.
    """

    layer: str
    closed: float
    work: float


def gated(
    model: Any, x: np.ndarray, bits_of: Callable[[str], int], activation_bits: int, high_bits: int, target: float
) -> Any:
    """Return a copy of a trained model whose dense and convolutional layers between two rectifiers are gated.

    What was a bias is part of a batch normalization behind the layer. Gates start to open where the rectifier does.

    Parameters
    ----------
    model : keras.Model
        Of plain layers.
    x : float array, shape (samples, ...)
    bits_of : callable
        Returns the bits of a layer's weights.
    activation_bits, high_bits : int
        Of inputs, and those of them that predict.
    target : float
        Where thresholds are drawn to, in deviations of what a layer computes.

    Raises
    ------
    ModelError
        If there is no such layer; with the reason for each.
    """
    import keras

    from fpgaq.frontend.flatten import flattened

    refused, wires = refusals(model), _Wires(model)
    chosen = [name for name in matrices(model) if name not in refused]
    if not chosen:
        reasons = "; ".join(f"layer {name!r}: {why}" for name, why in refused.items())
        raise ModelError(
            f"model {model.name!r} has nothing to gate, which is a dense layer or convolution between two rectifiers: "
            f"{reasons}"
        )
    options = {"activation_bits": activation_bits, "high_bits": high_bits}
    made = {name: _Gated(model, wires, name, x[:_CALIBRATION]) for name in chosen}

    def clone(layer: Any) -> Any:
        if layer.name in made:
            return made[layer.name].layers(target, {**options, "weight_bits": bits_of(layer.name)})
        return type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    for layer, new in zip(model.layers, copy.layers, strict=True):
        if layer.name not in made:
            new.set_weights(layer.get_weights())
    for name in chosen:
        made[name].start(copy)
    return flattened(copy)


class _Gated:
    """A layer that becomes a gated one."""

    def __init__(self, model: Any, wires: _Wires, name: str, x: np.ndarray) -> None:
        import keras

        self.layer = layer = model.get_layer(name)
        self.normalization = wires.normalization(layer)
        self.kernel, *bias = layer.get_weights()
        self.bias = bias[0] if bias else np.zeros(self.kernel.shape[-1], np.float32)
        self.inputs = np.asarray(keras.Model(model.inputs, layer.input).predict(x, verbose=0))
        sums = self._gated().product(self.inputs, self.kernel)
        self.sums = np.asarray(keras.ops.convert_to_numpy(sums), np.float64).reshape(-1, self.kernel.shape[-1])

    def _gated(self, **options: Any) -> Any:
        """Return the layer with gates, as yet without weights."""
        from fpgaq.quantize import layers

        if _is(self.layer, *_DENSE):
            return layers.GatedDense(self.kernel.shape[1], **options)
        own = {name: getattr(self.layer, name) for name in ("strides", "padding", "dilation_rate")}
        make = layers.GatedConv1D if self.kernel.ndim == 3 else layers.GatedConv2D
        return make(self.kernel.shape[-1], self.kernel.shape[:-2], **own, **options)

    def layers(self, target: float, options: Mapping[str, int]) -> Any:
        """Return the layer with what has to follow it, as one nested model."""
        import keras

        spread, clip, name = float(self.sums.std()), self._clip(options["activation_bits"]), self.layer.name
        chain = [self._gated(**options, target=target * spread, penalty=_PENALTY, clip=clip, name=name)]
        if self.normalization is None:
            chain.append(keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm"))
        if rectifies(self.layer):
            chain.append(keras.layers.ReLU(name=f"{name}_relu"))
        return keras.Sequential(chain, name=f"{name}_gated")

    def start(self, copy: Any) -> None:
        """Set the weights so that with all gates open the same is computed as before."""
        nested = copy.get_layer(f"{self.layer.name}_gated")
        layer = nested.layers[0]
        if self.normalization is None:
            normalization = nested.layers[1]
            mean, variance = self.sums.mean(0), self.sums.var(0)
            deviation = np.sqrt(variance + normalization.epsilon)
            normalization.set_weights([deviation, mean + self.bias, mean, variance])
            thresholds = -self.bias
        else:
            normalization = copy.get_layer(self.normalization)
            normalization.moving_mean.assign_sub(self.bias)
            thresholds = _starts(normalization, self.sums)
        layer.set_weights([self.kernel, thresholds, np.float32(layer.clip)])

    def _clip(self, bits: int) -> float:
        return float(2.0 ** (least_error(self.inputs, bits, 0) - bits) * (2**bits - 1))


def _starts(normalization: Any, sums: np.ndarray) -> np.ndarray:
    """Return where a rectifier behind a normalization starts; the least sum for channels that it turns around."""
    config = normalization.get_config()
    known = {variable.name: variable.numpy() for variable in normalization.weights}
    gain = known["gamma"] if config["scale"] else np.ones(sums.shape[1])
    shift = known["beta"] if config["center"] else np.zeros(sums.shape[1])
    deviation = np.sqrt(known["moving_variance"] + config["epsilon"])
    zero = known["moving_mean"] - shift * deviation / np.where(gain > 0, gain, 1)
    return np.where(gain > 0, zero, sums.min(0))


def plain_rectifiers(model: Any) -> set[str]:
    """Return the rectifiers whose numbers gated layers round by themselves."""
    wires = _Wires(model)
    sources = (wires.source(layer, alone=True) for layer in model.layers if _is(layer, *_GATED))
    return {source.name for source in sources if source is not None}


def gates(model: Any, x: np.ndarray) -> Iterator[Gates]:
    """Give what the gates of a model do on samples."""
    import keras

    for layer in model.layers:
        if _is(layer, *_GATED):
            before = keras.Model(model.inputs, layer.input)
            parts = (x[start : start + _CALIBRATION] for start in range(0, len(x), _CALIBRATION))
            counts = [layer.gate_activity(before.predict(part, verbose=0)).sum(0) for part in parts]
            is_open = float(np.sum(counts, axis=0).mean()) / len(x)
            yield Gates(layer.name, 1 - is_open, (layer.high_bits + is_open * layer.low_bits) / layer.activation_bits)


def refusals(model: Any) -> dict[str, str]:
    """Return why layers with a matrix are not gated, by name."""
    wires = _Wires(model)
    return {name: why for name in matrices(model) if (why := _refusal(wires, model.get_layer(name))) is not None}


def _refusal(wires: _Wires, layer: Any) -> str | None:
    """Say why a layer with a matrix is not gated; None if it is."""
    if not _is(layer, *_DENSE, *_CONVOLUTIONS):
        return f"only dense layers and convolutions of all channels have gates, not {type(layer).__name__}"
    if _is(layer, *_DENSE) and len(layer.input.shape) != 2:
        return f"gates of a dense layer are for vectors, not for shape {list(layer.input.shape[1:])}"
    if getattr(layer, "groups", 1) != 1:
        return f"gates are for convolutions of all channels, not for groups={layer.groups}"
    if getattr(layer, "padding", "valid") == "causal":
        return "gates are for padding='valid' and 'same', not for 'causal'"
    if wires.source(layer) is None:
        return "its input does not come from a rectifier"
    return None if wires.is_rectified(layer) else "no rectifier follows it"


class _Wires:
    """Which layers of a model read which."""

    def __init__(self, model: Any) -> None:
        self.before: dict[str, list[Any]] = {}
        self.after: dict[str, list[Any]] = {}
        for node in (node for nodes in graph_of(model)._nodes_by_depth.values() for node in nodes):
            for parent in node.parent_nodes:
                self.before.setdefault(node.operation.name, []).append(parent.operation)
                self.after.setdefault(parent.operation.name, []).append(node.operation)

    def source(self, layer: Any, *, alone: bool = False) -> Any:
        """Return the rectifier that the input of a layer comes from, or None; `alone` if nothing else may read it."""
        while len(self.before.get(layer.name, ())) == 1:
            layer = self.before[layer.name][0]
            if alone and len(self.after[layer.name]) > 1:
                return None
            if not _is(layer, *_PASSING):
                return layer if rectifies(layer) else None
        return None

    def is_rectified(self, layer: Any) -> bool:
        """Whether the outputs of a layer go through a rectifier, behind a batch normalization or without one."""
        while not rectifies(layer):
            function = getattr(layer, "activation", None)
            linear = function is None or getattr(function, "__name__", "") == "linear"
            if not linear or len(self.after.get(layer.name, ())) != 1:
                return False
            layer = self.after[layer.name][0]
            if not (rectifies(layer) or _is(layer, _NORMALIZATION)):
                return False
        return True

    def normalization(self, layer: Any) -> str | None:
        """Return the name of the batch normalization behind a layer, if there is one."""
        following = self.after.get(layer.name, [])
        return following[0].name if following and _is(following[0], _NORMALIZATION) else None


def _is(layer: Any, *names: str) -> bool:
    return type(layer).__name__ in names
